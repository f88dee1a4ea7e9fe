"""What one administrator does with large sums waits for a second one, or for a day (R5.8, R3.9).

A reversal of 950,000 needed neither a code nor a second person. The amount is set aside from the request on, so that
the customer who got it by mistake does not pay it on.
"""

import re
from datetime import timedelta
from decimal import Decimal
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import BankAccount, PendingAct, UserSession
from accounts.permission import second_person
from accounts.roles import Role
from audit.models import AuditEntry
from support.models import RequestKind, ServiceRequest
from support.requests import services as requests
from support.requests.services import AdministratorNeeded
from tests.acts import mails
from tests.asvs import proves
from tests.staff_acts import REASON, agree, call_off, fresh_code
from transfers.accounts import freezing
from transfers.ledger import verification
from transfers.ledger.posting import InsufficientFunds
from transfers.models import Transaction
from transfers.orders import large_reversals, limits, reversals, sending

pytestmark = pytest.mark.django_db

MISTAKE = Decimal("950000.00")


@pytest.fixture
def adam(make_user: Any) -> Any:
    return make_user("Adam", Role.ADMIN)


@pytest.fixture
def hers(alice: Any, open_account: Any) -> BankAccount:
    """Book 950,000 in one form, where 950.00 was brought."""
    return open_account(alice, str(MISTAKE))


@pytest.fixture
def mistake(hers: BankAccount) -> Transaction:
    return Transaction.objects.get(entries__account=hers)


def reverse(actor: Any, transaction: Transaction, **given: Any) -> Any:
    return large_reversals.reverse_or_ask(actor=actor, transaction=transaction, reason=REASON, **given)


def money_on(account: BankAccount) -> tuple[Decimal, Decimal]:
    return BankAccount.objects.values_list("balance", "held").get(pk=account.pk)


def a_day_passes() -> None:
    delayed = PendingAct.objects.filter(state="waiting", effective_at__isnull=False)
    for pk, at in delayed.values_list("pk", "effective_at"):
        assert at is not None
        PendingAct.objects.filter(pk=pk).update(effective_at=at - timedelta(hours=24))
    call_command("carry_out_pending_acts")


@proves("V2.3.5")
def test_a_reversal_of_950_000_waits_for_a_second_administrator_and_holds_the_money(
    ada: Any, adam: Any, alice: Any, hers: BankAccount, mistake: Transaction, open_account: Any, browser_of: Any
) -> None:
    act = reverse(ada, mistake)
    assert isinstance(act, PendingAct)
    assert (act.effective_at, act.person, act.held_on) == (None, alice, hers)
    assert money_on(hers) == (MISTAKE, MISTAKE)
    assert list(verification.faults()) == [], "what is held adds up"
    # She is told, and cannot pay on what is not hers.
    said = mails(alice.email)[-1]
    assert "about to take back €950,000.00" in said.subject
    assert "/stop/" not in said.message, "or nobody could ever take a mistake back"
    page = browser_of(alice).get(f"/accounts/{hers.public_id}/").content.decode()
    assert "The bank is about to take back €950,000.00 that came to your account" in page
    with pytest.raises(InsufficientFunds):
        sending.transfer(
            actor=alice, source=hers, target=open_account(alice), amount=Decimal(500), idempotency_key="a quick one"
        )
    agree(adam, act)
    assert money_on(hers) == (Decimal(0), Decimal(0))
    entry = AuditEntry.objects.get(action="TRANSFER_REVERSED")
    assert (entry.actor_id, entry.details["approved_by"]) == (ada.pk, str(adam.public_id))
    assert list(verification.faults()) == []


def test_stopped_it_gives_the_money_back(
    ada: Any, adam: Any, alice: Any, hers: BankAccount, mistake: Transaction
) -> None:
    reverse(ada, mistake)
    call_off(adam)
    assert money_on(hers) == (MISTAKE, Decimal(0))
    assert "will not take back €950,000.00" in mails(alice.email)[-1].subject
    # Asked for again, and nobody agrees for a week.
    reverse(ada, mistake)
    PendingAct.objects.filter(state="waiting").update(asked_at=timezone.now() - timedelta(days=7))
    call_command("carry_out_pending_acts")
    assert PendingAct.objects.latest("pk").state == "expired"
    assert money_on(hers) == (MISTAKE, Decimal(0))
    assert list(verification.faults()) == []


def test_with_one_administrator_the_money_is_held_for_a_day_and_goes_back_then(
    ada: Any, hers: BankAccount, mistake: Transaction
) -> None:
    act = reverse(ada, mistake)
    assert act.effective_at is not None
    a_day_passes()
    assert money_on(hers) == (Decimal(0), Decimal(0))
    assert "delayed_until" in AuditEntry.objects.get(action="TRANSFER_REVERSED").details


def test_an_act_that_is_impossible_when_it_is_due_is_given_up_and_told(
    ada: Any, bob: Any, hers: BankAccount, mistake: Transaction
) -> None:
    reverse(ada, mistake)
    BankAccount.objects.filter(pk=hers.pk).update(owner=bob)  # tampered with: no day makes that good
    a_day_passes()
    act = PendingAct.objects.get()
    assert (act.state, "wrong with this account" in act.decision_reason) == ("refused", True)
    assert money_on(hers) == (MISTAKE, Decimal(0))


def test_an_operator_does_not_go_back_to_the_version_before_while_money_is_set_aside(
    ada: Any, adam: Any, mistake: Transaction
) -> None:
    """It would know nothing about the act, and nobody could give the money back."""
    go_back = import_module("accounts.migrations.0005_second_administrator").refuse_while_any_waits
    editor = SimpleNamespace(connection=connection)
    reverse(ada, mistake)
    with pytest.raises(CommandError, match="Approve or stop what waits"):
        go_back(apps, editor)
    call_off(adam)
    go_back(apps, editor)


def test_up_to_the_amount_one_administrator_reverses_alone(
    ada: Any, adam: Any, alice: Any, open_account: Any, settings: Any
) -> None:
    account = open_account(alice, str(settings.SUSPICIOUS_AMOUNT))
    small = Transaction.objects.get(entries__account=account)
    assert isinstance(reverse(ada, small), Transaction)
    assert money_on(account) == (Decimal(0), Decimal(0))


def test_no_way_round_it_through_the_service_and_no_second_act_for_the_same_key(
    ada: Any, adam: Any, mistake: Transaction
) -> None:
    with pytest.raises(reversals.NeedsSecondAdministrator):
        reversals.reverse_transaction(actor=ada, transaction=mistake, reason=REASON)
    first = reverse(ada, mistake, idempotency_key="the same key")
    assert reverse(ada, mistake, idempotency_key="the same key") == first
    agree(adam, first)
    made = reverse(ada, mistake, idempotency_key="the same key")
    assert (isinstance(made, Transaction), made.reverses_id) == (True, mistake.pk)
    with pytest.raises(reversals.ReversedAlready):
        reverse(adam, mistake)


def test_on_its_page_it_takes_a_code_and_says_that_it_waits(
    ada: Any, adam: Any, mistake: Transaction, browser_of: Any
) -> None:
    browser = browser_of(ada)
    UserSession.objects.filter(user=ada).update(code_at=timezone.now() - timedelta(minutes=6))
    page = f"/admin/transfers/transaction/{mistake.pk}/act/reverse/"
    assert "a second administrator has to agree" in browser.get(page).content.decode()
    assert "code" in browser.post(page, {"reason": REASON}).context["form"].errors
    answer = browser.post(page, {"reason": REASON, "code": fresh_code(ada)}, follow=True)
    assert "Nothing has changed yet: a second administrator has to agree." in answer.content.decode()
    assert not Transaction.objects.filter(reverses=mistake).exists()
    # The movement's own page says so too, and does not offer it a second time.
    shown = browser.get(f"/admin/transfers/transaction/{mistake.pk}/change/").content.decode()
    assert "Waits for a second administrator" in shown
    assert "/act/reverse/" not in shown
    call_off(adam)
    shown = browser.get(f"/admin/transfers/transaction/{mistake.pk}/change/").content.decode()
    assert "Waits for a second administrator</h2>" not in shown
    assert "/act/reverse/" in shown


def test_asked_for_twice_it_says_that_it_waits_and_not_that_money_is_missing(
    ada: Any, adam: Any, hers: BankAccount, mistake: Transaction
) -> None:
    reverse(ada, mistake)
    assert money_on(hers) == (MISTAKE, MISTAKE), "nothing is left for a second hold"
    for administrator in (ada, adam):
        with pytest.raises(second_person.WaitsAlready):
            reverse(administrator, mistake)


def test_by_the_api_it_is_202_and_takes_a_code(ada: Any, adam: Any, mistake: Transaction, api_of: Any) -> None:
    api = api_of(ada)
    UserSession.objects.filter(user=ada).update(code_at=timezone.now() - timedelta(minutes=6))
    path, key = f"transactions/{mistake.reference}/reverse", {"Idempotency_Key": "key-by-the-API"}
    refused = api.post(path, {"reason": REASON}, **key)
    assert (refused.status_code, refused.json()["code"]) == (403, "code_needed")
    asked = api.post(path, {"reason": REASON, "code": fresh_code(ada)}, **key)
    assert (asked.status_code, asked.json()["kind"]) == (202, "reverse_transaction")
    assert Transaction.objects.filter(reverses=mistake).count() == 0


def test_nobody_gets_rid_of_a_reversal_by_freezing_the_account(
    ada: Any, alice: Any, hers: BankAccount, mistake: Transaction
) -> None:
    """R2.5, R5.8: a customer paid by mistake could press Freeze, let the day pass, and ask for the account back."""
    reverse(ada, mistake)
    freezing.freeze_own_account(actor=alice, account=hers)
    a_day_passes()
    assert PendingAct.objects.get().state == "waiting"
    assert money_on(hers) == (MISTAKE, MISTAKE)
    freezing.unfreeze_account(actor=ada, account=hers, reason="She asked for it.")
    call_command("carry_out_pending_acts")
    assert PendingAct.objects.get().state == "done"
    assert money_on(hers) == (Decimal(0), Decimal(0))
    assert list(verification.faults()) == []


# --- A daily limit above ten times the usual one -------------------------------------------------------------------


@pytest.fixture
def wish(alice: Any, hers: BankAccount, settings: Any) -> ServiceRequest:
    """Let Alice ask for a limit of 300,000; the bank's usual one is 25,000 and its ceiling a million."""
    settings.DAILY_LIMIT_CEILING = Decimal(1_000_000)
    return requests.save_new(alice, RequestKind.RAISE_DAILY_LIMIT, payload='{"amount": "300000"}', reason="A house.")


def limit_of(customer: Any) -> Decimal:
    return limits.daily_limit(limits.limit_of(customer))


def approve(actor: Any, wish: ServiceRequest) -> ServiceRequest:
    return requests.approve_request(actor=actor, public_id=wish.public_id, reason="Her papers are in order.")


@proves("V2.3.5")
def test_above_ten_times_the_usual_limit_takes_two_administrators(
    sam: Any, ada: Any, adam: Any, alice: Any, wish: ServiceRequest
) -> None:
    with pytest.raises(AdministratorNeeded):
        approve(sam, wish)
    assert approve(ada, wish).state == "approved"
    assert limit_of(alice) == Decimal(25_000)
    agree(adam)
    wish.refresh_from_db()
    assert (limit_of(alice), wish.state) == (Decimal(300_000), "completed")
    entry = AuditEntry.objects.get(action="DAILY_LIMIT_RAISED")
    assert (entry.actor_id, entry.details["approved_by"]) == (ada.pk, str(adam.public_id))


def test_stopped_it_is_a_rejected_request(ada: Any, adam: Any, alice: Any, wish: ServiceRequest) -> None:
    approve(ada, wish)
    call_off(adam)
    wish.refresh_from_db()
    assert (limit_of(alice), wish.state) == (Decimal(25_000), "rejected")
    assert "takes two people" in wish.decision_reason


def test_with_one_administrator_the_limit_waits_for_a_day(ada: Any, alice: Any, wish: ServiceRequest) -> None:
    approve(ada, wish)
    assert limit_of(alice) == Decimal(25_000)
    a_day_passes()
    assert limit_of(alice) == Decimal(300_000)


def test_a_customer_who_did_not_ask_for_the_limit_stops_it_by_the_mail(
    ada: Any, alice: Any, wish: ServiceRequest, client: Client
) -> None:
    """R5.8: a thief with her session asked, and the only administrator agreed. She is told, and need not sign in."""
    approve(ada, wish)
    link = re.search(r"http://testserver(/stop/\S+)", mails(alice.email)[-1].message)
    assert link, "the mail holds no link"
    assert client.post(link[1]).status_code == 302
    a_day_passes()
    wish.refresh_from_db()
    assert (limit_of(alice), wish.state) == (Decimal(25_000), "rejected")


def test_ten_times_is_for_one_clerk_and_no_limit_goes_above_the_ceiling(
    sam: Any, ada: Any, adam: Any, alice: Any, wish: ServiceRequest
) -> None:
    wish.payload = '{"amount": "250000"}'
    wish.save()
    assert approve(sam, wish).state == "completed"
    assert limit_of(alice) == Decimal(250_000)
