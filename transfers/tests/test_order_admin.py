"""Held transfers and fraud alerts in the staff area (R3.10, R5.4)."""

from typing import Any

import pytest
from django.urls import reverse

from transfers.models import FraudAlert, OrderState, TransferOrder
from transfers.orders import holds

pytestmark = pytest.mark.django_db


def order_page(order: Any, browser: Any) -> Any:
    return browser.get(reverse("admin:transfers_transferorder_change", args=[order.pk]))


def test_support_sees_what_is_or_was_held_and_no_other_order(
    sam: Any, audrey: Any, pay: Any, held: Any, browser_of: Any
) -> None:
    posted = pay("5.00")
    clerk, auditor = browser_of(sam), browser_of(audrey)
    listed = clerk.get(reverse("admin:transfers_transferorder_changelist")).context["cl"].result_list
    assert list(listed) == [held]
    assert order_page(held, clerk).status_code == 200
    assert order_page(posted, clerk).status_code == 302, "as if it did not exist"
    assert order_page(posted, auditor).status_code == 200


def test_support_goes_on_seeing_what_was_decided(sam: Any, ada: Any, held: Any, browser_of: Any) -> None:
    holds.release_order(actor=ada, order=held, reason="Called her")
    page = order_page(held, browser_of(sam)).content.decode()
    assert "Called her" in page
    assert "Completed after a check" in page
    released = TransferOrder.objects.get(pk=held.pk)
    ledger_page = reverse("admin:transfers_transaction_change", args=[released.transaction_id])
    assert ledger_page not in page, "Support sees no ledger"
    assert ledger_page in order_page(held, browser_of(ada)).content.decode()


def test_a_held_order_says_why_and_links_its_alerts(sam: Any, held: Any, browser_of: Any) -> None:
    page = order_page(held, browser_of(sam)).content.decode()
    assert "We check transfers above €10,000.00 before sending them." in page
    assert "None" not in page, "it is decided at no time yet: a dash"
    for alert in FraudAlert.objects.filter(order=held):
        assert reverse("admin:transfers_fraudalert_change", args=[alert.pk]) in page


def test_an_order_that_was_simply_posted_has_no_decision(audrey: Any, pay: Any, browser_of: Any) -> None:
    page = order_page(pay("5.00"), browser_of(audrey)).content.decode()
    assert "Decided by" not in page
    assert "none" in page  # alerts


def test_an_alert_shows_its_payment_to_roles_that_may_not_look_it_up(
    sam: Any, audrey: Any, pay: Any, browser_of: Any
) -> None:
    # R5.4: Support does not see a payment that only raised an alert.
    order = pay("1500.00", description="A sofa")
    alert = FraudAlert.objects.get(order=order)
    url = reverse("admin:transfers_fraudalert_change", args=[alert.pk])
    link = reverse("admin:transfers_transferorder_change", args=[order.pk])
    for user, is_linked in ((sam, False), (audrey, True)):
        page = browser_of(user).get(url).content.decode()
        for text in ("alice@example.com", "€1,500.00", "A sofa", str(order.source), str(order.target), "Completed"):
            assert text in page
        assert (link in page) == is_linked
    listed = browser_of(sam).get(reverse("admin:transfers_fraudalert_changelist")).content.decode()
    assert "€1,500.00" in listed


def test_deciding_closes_the_alerts(sam: Any, held: Any, browser_of: Any) -> None:
    url = reverse("admin:transfers_transferorder_act", args=[held.pk, "reject"])
    page = browser_of(sam).get(url).content.decode()
    assert "The customer reads your reason" in page
    assert browser_of(sam).post(url, {"reason": "We could not reach you"}).status_code == 302
    assert TransferOrder.objects.get(pk=held.pk).state == OrderState.REJECTED
    assert not FraudAlert.objects.filter(state="open").exists()
