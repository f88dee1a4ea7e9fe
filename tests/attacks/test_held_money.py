"""Held money belongs to the customer until a clerk decides (R3.14).

A held €10,500 was nearly invisible: part of the total, without a row, without a way to cancel, and held forever if no
clerk came. Each story goes through pages, mails, programs and the job.
"""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import BankAccount
from tests import acts
from tests.acts import mails
from tests.asvs import proves
from tests.staff_acts import REASON, fresh_code
from transfers.ledger import verification
from transfers.models import FraudAlert, TransferOrder

pytestmark = pytest.mark.django_db


@pytest.fixture
def household(alice: Any, open_account: Callable) -> BankAccount:
    return open_account(alice, "20000.00", nickname="Household")


@pytest.fixture
def bobs(bob: Any, open_account: Callable) -> BankAccount:
    return open_account(bob)


def text_of(browser: Client, address: str) -> str:
    return browser.get(address).content.decode()


def send(browser: Client, alice: Any, source: BankAccount, target: BankAccount, amount: str) -> str:
    """Send money by the pages, with a code; return the address of the receipt."""
    form = {"source": source.public_id, "number": target.number_grouped, "name": "Bob Brandt", "amount": amount}
    review = browser.post(reverse("transfer_send"), form)["Location"]
    acts.vouch(alice)
    challenge = browser.get(review).context["form"].initial["challenge"]
    return str(browser.post(review, {"challenge": challenge, "code": "000000"})["Location"])


def press(clerk: Any, browser: Client, order: TransferOrder, button: str) -> str:
    """Fill in the form of a button on a held payment; return what the bank then says."""
    address = reverse("admin:transfers_transferorder_act", args=[order.pk, button])
    shown = browser.get(address)
    if shown.status_code != 200:
        return str(browser.get(address, follow=True).content.decode())
    given = {"reason": REASON} | ({"code": fresh_code(clerk)} if "code" in shown.context["form"].fields else {})
    return str(browser.post(address, given, follow=True).content.decode())


def test_a_customer_takes_a_held_payment_back_while_no_clerk_has_come(
    alice: Any, bob: Any, sam: Any, browser_of: Callable, household: BankAccount, bobs: BankAccount
) -> None:
    browser, clerk = browser_of(alice), browser_of(sam)
    receipt = send(browser, alice, household, bobs, "10500.00")
    order = TransferOrder.objects.get(kind="payment")
    overview = text_of(browser, reverse("dashboard"))
    cancel = reverse("order_cancel", args=[order.public_id])
    for shown in ("Pending", "€10,500.00", "€9,500.00", f'href="{cancel}"'):
        assert shown in overview
    clerks_page = reverse("admin:transfers_transferorder_act", args=[order.pk, "release"])
    assert clerk.get(clerks_page).status_code == 200, "the clerk has the form open"

    assert "no money has gone out" in text_of(browser, cancel)
    browser.post(cancel)
    assert "You cancelled this before we had decided" in text_of(browser, receipt)
    assert "Pending" not in text_of(browser, reverse("dashboard"))
    assert mails(alice.email)[-1].subject == "You cancelled your transfer of €10,500.00"

    assert "has cancelled this transfer already" in too_late(sam, clerk, clerks_page)
    household.refresh_from_db()
    assert (household.balance, household.held) == (Decimal(20_000), Decimal(0))
    assert not [mail for mail in mails(bob.email) if "10,500" in mail.subject + mail.message]
    assert "10,500" not in text_of(browser_of(bob), reverse("history"))
    assert list(verification.faults()) == []


def too_late(clerk: Any, browser: Client, address: str) -> str:
    """Send the form that was open."""
    return str(browser.post(address, {"reason": REASON, "code": fresh_code(clerk)}, follow=True).content.decode())


@proves("V2.3.4")
def test_a_thief_who_cancels_in_a_hurry_leaves_the_alert_behind(
    alice: Any, sam: Any, browser_of: Callable, household: BankAccount, bobs: BankAccount
) -> None:
    thief, clerk = browser_of(alice), browser_of(sam)
    send(thief, alice, household, bobs, "10500.00")
    order = TransferOrder.objects.get(kind="payment")
    thief.post(reverse("order_cancel", args=[order.public_id]))
    mail = mails(alice.email)[-1]
    assert "If this was not you, write to us at once" in mail.message, "Alice hears of what she has not done"
    alerts = text_of(clerk, reverse("admin:transfers_fraudalert_changelist") + "?state__exact=open")
    assert "10,500" in alerts
    alert = FraudAlert.objects.filter(order=order).first()
    assert alert is not None
    page = text_of(clerk, reverse("admin:transfers_fraudalert_change", args=[alert.pk]))
    assert "Cancelled" in page, "and support is told what has become of it"


def test_nobody_comes_for_two_weeks_and_the_money_goes_back_by_itself(
    alice: Any, bob: Any, sam: Any, browser_of: Callable, household: BankAccount, bobs: BankAccount
) -> None:
    receipt = send(browser_of(alice), alice, household, bobs, "10500.00")
    order, asked = TransferOrder.objects.get(kind="payment"), timezone.now()
    for days, expired in ((13, 0), (14, 1), (15, 0)):
        with time_machine.travel(asked + timedelta(days=days, minutes=1)):
            said = StringIO()
            call_command("expire_holds", stdout=said)
            written = mails(alice.email)
        assert said.getvalue().startswith(f"{expired} held "), days
    assert "We did not decide on this in time" in text_of(browser_of(alice), receipt)
    subjects = [mail.subject for mail in written]
    assert subjects.count("Your transfer of €10,500.00 has expired") == 1
    assert not [mail for mail in mails(bob.email) if "10,500" in mail.subject + mail.message]
    assert "has expired: nobody decided" in press(sam, browser_of(sam), order, "release")
    household.refresh_from_db()
    assert (household.balance, household.held) == (Decimal(20_000), Decimal(0))
    assert list(verification.faults()) == []
