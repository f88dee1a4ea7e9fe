"""A customer whose account an administrator has frozen asks a clerk to lift it, and the clerk says "ok" (R2.5, R4.2).

Commit 11100bd lifted it, and neither the request nor the account showed the reason.
"""

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import AccountFreeze, BankAccount
from accounts.roles import Role
from audit.models import AuditEntry
from support.models import ServiceRequest
from tests import acts
from tests.acts import mails
from tests.asvs import proves

pytestmark = pytest.mark.django_db

WHY = "Account takeover reported by phone"


def page_of(row: Any, act: str = "") -> str:
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    return reverse(f"{name}_act", args=[row.pk, act]) if act else reverse(f"{name}_change", args=[row.pk])


@proves("V8.2.1")
def test_a_clerk_reads_why_and_is_refused_and_an_administrator_decides(
    alice: Any, sam: Any, ada: Any, open_account: Any, browser_of: Any
) -> None:
    account = open_account(alice, "900.00")
    hers, clerks, adas = browser_of(alice), browser_of(sam), browser_of(ada)

    adas.post(page_of(account, "freeze"), {"reason": WHY})
    assert mails(alice.email)[-1].subject == "Your account is frozen"

    # A thief of the user reads that the bank has frozen the account, and not what the bank knows.
    page = hers.get(f"/accounts/{account.public_id}/").content.decode()
    assert "The bank froze it" in page
    assert WHY not in page
    hers.post(
        f"{reverse('request_new')}?kind=unfreeze_account",
        {"account_id": str(account.public_id), "reason": "I need it today"},
    )
    asked = ServiceRequest.objects.get()

    # The clerk reads why, on the request and on the account, and cannot lift it.
    for url in (page_of(asked), page_of(asked, "approve"), page_of(account)):
        assert WHY in clerks.get(url).content.decode()
    answer = clerks.post(page_of(asked, "approve"), {"reason": "ok"})
    assert "only an administrator can lift that" in answer.content.decode()
    account.refresh_from_db()
    asked.refresh_from_db()
    assert (account.status, asked.state) == ("frozen", "pending")
    assert clerks.get(page_of(account, "unfreeze")).status_code == 403

    # An administrator can, by the same request.
    adas.post(page_of(asked, "approve"), {"reason": "Alice came to the branch with her passport"})
    account.refresh_from_db()
    asked.refresh_from_db()
    assert (account.status, asked.state) == ("active", "completed")
    freeze = AccountFreeze.objects.get()
    assert (freeze.reason, freeze.frozen_by, freeze.lifted_by) == (WHY, ada, ada)
    assert mails(alice.email)[-2].subject == "Your account is no longer frozen"


def test_a_customers_own_freeze_hides_no_administrators(
    alice: Any, sam: Any, ada: Any, open_account: Any, browser_of: Any
) -> None:
    """An administrator who lifts the bank's freeze does not take away the customer's either, which came while the page
    was open."""
    account = open_account(alice, "900.00")
    hers, clerks, adas = browser_of(alice), browser_of(sam), browser_of(ada)
    adas.post(page_of(account, "freeze"), {"reason": WHY})
    shown = adas.get(page_of(account, "unfreeze"))
    hers.post(f"/accounts/{account.public_id}/freeze/", {"reason": "My phone is gone"})

    given = {"kinds": shown.context["form"]["kinds"].value(), "reason": "It was a mistake"}
    answer = adas.post(page_of(account, "unfreeze"), given, follow=True)
    assert "Lifted. The account is still frozen by its owner." in answer.content.decode()
    assert BankAccount.objects.get(pk=account.pk).status == "frozen"

    hers.post(
        f"{reverse('request_new')}?kind=unfreeze_account",
        {"account_id": str(account.public_id), "reason": "I found it again"},
    )
    answer = clerks.post(page_of(ServiceRequest.objects.get(), "approve"), {"reason": "Called back"}, follow=True)
    assert "Approved and done" in answer.content.decode()
    assert BankAccount.objects.get(pk=account.pk).status == "active"


def ask_for_an_end(browser: Any, account: BankAccount) -> ServiceRequest:
    given = {"account_id": str(account.public_id), "reason": "I found it again"}
    browser.post(f"{reverse('request_new')}?kind=unfreeze_account", given)
    return ServiceRequest.objects.get()


def form_on(answer: Any) -> dict[str, Any]:
    """Return what the page's form sends back unchanged, with a reason."""
    form = answer.context["form"]
    return {name: form[name].value() for name in form.fields} | {"reason": "Called her back"}


@proves("V15.4.2")
def test_nobody_lifts_a_freeze_that_came_while_they_read_of_another(
    alice: Any, ada: Any, make_user: Any, open_account: Any, browser_of: Any
) -> None:
    """R2.5: an administrator approves lifting the customer's freeze, and a colleague freezes the account at that
    moment. Both were lifted, and nobody had read the second reason."""
    account = open_account(alice, "900.00")
    hers, adas, adams = browser_of(alice), browser_of(ada), browser_of(make_user("Adam", Role.ADMIN))
    hers.post(f"/accounts/{account.public_id}/freeze/", {"reason": "My phone is gone"})
    asked = ask_for_an_end(hers, account)
    shown = adas.get(page_of(asked, "approve"))
    assert "My phone is gone" in shown.content.decode()
    adams.post(page_of(account, "freeze"), {"reason": WHY})

    answer = adas.post(page_of(asked, "approve"), form_on(shown))
    page = answer.content.decode()
    assert "The account has been frozen once more since you read this. Nothing was lifted" in page
    assert WHY in page, "it is shown with the refusal"
    asked.refresh_from_db()
    assert (asked.state, AccountFreeze.objects.filter(lifted_at__isnull=True).count()) == ("pending", 2)
    refused = AuditEntry.objects.get(action="REQUEST_REFUSED")
    assert refused.details["reason"] == "freeze_came_since"

    # A clerk who has read that one, too, decides on both.
    answer = adas.post(page_of(asked, "approve"), form_on(answer), follow=True)
    assert "Approved and done" in answer.content.decode()
    assert BankAccount.objects.get(pk=account.pk).status == "active"


def test_nor_one_of_the_same_kind_that_took_its_place(
    alice: Any, ada: Any, sam: Any, open_account: Any, browser_of: Any
) -> None:
    """The customer freezes it again after a colleague has lifted the first one: neither the request nor the
    administrator's own form lifts that unread."""
    account = open_account(alice, "900.00")
    hers, adas, clerks = browser_of(alice), browser_of(ada), browser_of(sam)
    hers.post(f"/accounts/{account.public_id}/freeze/", {"reason": "My phone is gone"})
    asked = ask_for_an_end(hers, account)
    by_request, by_form = clerks.get(page_of(asked, "approve")), adas.get(page_of(account, "unfreeze"))
    browser_of(ada).post(page_of(account, "unfreeze"), {"reason": "Found it", "kinds": ["customer"]})
    hers.post(f"/accounts/{account.public_id}/freeze/", {"reason": "Somebody has my password"})

    for browser, row, act, shown in ((clerks, asked, "approve", by_request), (adas, account, "unfreeze", by_form)):
        page = browser.post(page_of(row, act), form_on(shown)).content.decode()
        assert "The account has been frozen once more since you read this." in page
        assert "Somebody has my password" in page
    assert BankAccount.objects.get(pk=account.pk).status == "frozen"


def test_one_that_somebody_has_lifted_meanwhile_stops_nobody(
    alice: Any, ada: Any, open_account: Any, browser_of: Any
) -> None:
    account = open_account(alice, "900.00")
    hers, adas = browser_of(alice), browser_of(ada)
    hers.post(f"/accounts/{account.public_id}/freeze/", {"reason": "My phone is gone"})
    adas.post(page_of(account, "freeze"), {"reason": WHY})
    asked = ask_for_an_end(hers, account)
    shown = adas.get(page_of(asked, "approve"))
    browser_of(ada).post(page_of(account, "unfreeze"), {"reason": "Settled", "kinds": ["administrator"]})
    answer = adas.post(page_of(asked, "approve"), form_on(shown), follow=True)
    assert "Approved and done" in answer.content.decode()


def test_a_form_that_says_nothing_of_what_it_showed_lifts_what_the_customer_asked_about(
    alice: Any, ada: Any, open_account: Any, browser_of: Any
) -> None:
    """A page of the version before, or a forged one."""
    account = open_account(alice, "900.00")
    hers, adas = browser_of(alice), browser_of(ada)
    hers.post(f"/accounts/{account.public_id}/freeze/", {"reason": "My phone is gone"})
    asked = ask_for_an_end(hers, account)
    browser_of(ada).post(page_of(account, "freeze"), {"reason": WHY})
    for forged in ({}, {"seen": ""}, {"seen": "x"}, {"seen": "-1"}):
        adas.post(page_of(asked, "approve"), {"reason": "ok"} | forged)
        assert AccountFreeze.objects.filter(lifted_at__isnull=True).count() == 2


def test_the_decider_of_a_held_payment_reads_why_its_account_is_frozen(
    alice: Any, bob: Any, sam: Any, ada: Any, open_account: Any, browser_of: Any, api_of: Any
) -> None:
    account, bobs = open_account(alice, "20000.00"), open_account(bob)
    acts.know(alice, bobs)
    order = acts.transfer(
        actor=alice, source=account, target=bobs, amount=Decimal(12_000), idempotency_key="a large one"
    )
    assert order.state == "held"
    browser_of(ada).post(page_of(account, "freeze"), {"reason": WHY})
    for row in (order, order.alerts.first()):
        assert WHY in browser_of(sam).get(page_of(row)).content.decode()
    for path in ("holds", "alerts"):
        told = api_of(sam).get(path).json()["items"][0]["freezes"]
        assert [(freeze["kind"], freeze["reason"]) for freeze in told] == [("administrator", WHY)]


def test_an_administrator_chooses_among_several(alice: Any, ada: Any, open_account: Any, browser_of: Any) -> None:
    account = open_account(alice)
    adas = browser_of(ada)
    browser_of(alice).post(f"/accounts/{account.public_id}/freeze/", {})
    adas.post(page_of(account, "freeze"), {"reason": WHY})
    url = page_of(account, "unfreeze")
    page = adas.get(url).content.decode()
    assert "Frozen by its owner" in page
    assert "Frozen by an administrator" in page
    assert WHY in page
    assert "Choose at least one." in adas.post(url, {"reason": "Settled"}).content.decode()
    adas.post(url, {"reason": "Settled", "kinds": ["customer", "administrator"]})
    assert BankAccount.objects.get(pk=account.pk).status == "active"
    lifted = adas.get(page_of(account)).content.decode()
    assert lifted.count("Lifted: Settled") == 2
