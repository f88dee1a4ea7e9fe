"""What customers pay in by themselves: simulated, up to a ceiling, under the fraud rules (R3.2, R3.10)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AccountKind, BankAccount, User
from audit.models import AuditEntry
from foundation.money import format_money
from tests.acts import mails
from tests.asvs import proves
from tests.funds import funds, used_by
from tests.staff_acts import REASON, entry_of
from transfers import history
from transfers.accounts import closing, opening
from transfers.ledger import verification
from transfers.models import FraudAlert, OrderState, TransferOrder
from transfers.orders import cash, holds
from transfers.orders.cash import CustomerCannotSignIn
from transfers.orders.explanations import explanation_of
from transfers.orders.limits import CashInLimitReached

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 17, 12, tzinfo=UTC)


@pytest.fixture
def pay_in(alice: Any, everyday: BankAccount, new_key: Callable) -> Callable[..., TransferOrder]:
    """`pay_in("20.00")`: Alice pays into her account by herself, unless told otherwise."""

    def deposit(amount: str, **changes: Any) -> TransferOrder:
        given: dict[str, Any] = {"actor": alice, "account": everyday, "idempotency_key": new_key()}
        return cash.deposit(amount=Decimal(amount), **given | changes)

    return deposit


# --- The ceiling --------------------------------------------------------------------------------------------


@proves("V2.3.2")
def test_three_deposits_of_almost_a_trillion_are_refused(
    pay_in: Callable, alice: Any, books: Callable, settings: Any
) -> None:
    """R3.2: each of them was on the balance at once, without an alert."""
    before = books()
    for _ in range(3):
        with pytest.raises(CashInLimitReached) as refused:
            pay_in("999999999999.99")
        assert str(refused.value) == (
            "You can pay in €10,000.00 a day yourself, over all your accounts: €10,000.00 of it is left today. Bring "
            "more to the counter."
        )
    assert books() == before
    kept = AuditEntry.objects.filter(action="DEPOSIT_REFUSED", actor_id=alice.pk)
    assert [entry.details["reason"] for entry in kept] == ["cash_in_limit_reached"] * 3


def test_the_ceiling_is_over_all_accounts_and_opening_deposits_to_the_cent(
    alice: Any, pay_in: Callable, savings: BankAccount, bob: Any, bobs: BankAccount, books: Callable
) -> None:
    pay_in("4000.00")
    pay_in("3000.00", account=savings)
    opened = opening.open_account(
        actor=alice, kind=AccountKind.CHECKING, opening_deposit=Decimal("2999.99"), idempotency_key="the third one"
    )
    assert opened.balance == Decimal("2999.99")
    assert history.cash_in_use(alice).remaining == Decimal("0.01")
    before, accounts = books(), BankAccount.objects.count()
    for asked in (
        lambda: pay_in("0.02"),
        lambda: opening.open_account(
            actor=alice, kind=AccountKind.SAVINGS, opening_deposit=Decimal("0.02"), idempotency_key="the fourth one"
        ),
    ):
        with pytest.raises(CashInLimitReached, match=r"€0\.01 of it is left"):
            asked()
    assert (books(), BankAccount.objects.count()) == (before, accounts)
    assert entry_of("ACCOUNT_REFUSED").details["reason"] == "cash_in_limit_reached"
    pay_in("0.01")
    assert pay_in("10000.00", actor=bob, account=bobs).state == OrderState.POSTED


def test_each_day_has_a_ceiling_of_its_own_and_what_goes_out_does_not_count(
    alice: Any, pay_in: Callable, everyday: BankAccount
) -> None:
    later = NOON + timedelta(days=30)
    pay_in("10000.00", at=later)
    cash.withdraw(actor=alice, account=everyday, amount=Decimal(900), idempotency_key="out again", at=later)
    with pytest.raises(CashInLimitReached):
        pay_in("0.01", at=later + timedelta(hours=11))
    assert pay_in("10000.00", at=later + timedelta(hours=12)).state == OrderState.POSTED
    with pytest.raises(CashInLimitReached):  # a server whose clock is slow
        pay_in("0.01", at=later)


def test_a_payment_out_and_cash_in_count_apart_on_one_day(alice: Any, pay_in: Callable, everyday: BankAccount) -> None:
    pay_in("2000.00")
    cash.withdraw(actor=alice, account=everyday, amount=Decimal(700), idempotency_key="out again")
    pay_in("1000.00")
    assert (history.cash_in_use(alice).used, history.daily_use(alice).used) == (Decimal(3000), Decimal(700))


def test_the_same_request_again_counts_once_and_moves_once(pay_in: Callable, alice: Any, balance_of: Callable) -> None:
    """R3.5."""
    first = pay_in("6000.00", idempotency_key="sent twice")
    assert pay_in("6000.00", idempotency_key="sent twice") == first
    assert history.cash_in_use(alice).used == 6000


def test_what_is_paid_in_at_the_counter_has_no_ceiling(
    alice: Any, sam: Any, everyday: BankAccount, pay_in: Callable
) -> None:
    pay_in("10000.00")
    brought = cash.deposit_at_counter(actor=sam, account=everyday, amount=Decimal(500), idempotency_key="brought to us")
    assert brought.state == OrderState.POSTED
    assert history.cash_in_use(alice).remaining == 0


def test_programs_are_told_the_same(
    alice: Any, everyday: BankAccount, api_of: Callable, new_key: Callable, books: Callable
) -> None:
    """R7.3."""
    api, before = api_of(alice), books()
    path = f"accounts/{everyday.number}/deposit"
    answer = api.post(path, {"amount": "10000.01"}, Idempotency_Key=new_key())
    assert (answer.status_code, answer.json()["code"]) == (409, "cash_in_limit_reached")
    assert "€10,000.00 of it is left today" in answer.json()["detail"]
    opened = api.post("accounts", {"kind": "savings", "opening_deposit": "10000.01"}, Idempotency_Key=new_key())
    assert (opened.status_code, opened.json()["code"]) == (409, "cash_in_limit_reached")
    assert books() == before


def test_the_pages_show_what_is_left_and_refuse_more_at_the_field(
    alice: Any, browser_of: Callable, everyday: BankAccount, pay_in: Callable, books: Callable
) -> None:
    pay_in("2500.00")
    browser, url = browser_of(alice), reverse("deposit", args=[everyday.public_id])
    page = browser.get(url).content.decode()
    for shown in ("Simulated cash", "€7,500.00</strong> left to pay in today", "€10,000.00"):
        assert shown in page
    before = books()
    refused = browser.post(url, {"amount": "7500.01", "description": "Typed text"})
    assert "€7,500.00 of it is left today" in str(refused.context["form"].errors["amount"])
    assert "Typed text" in refused.content.decode()
    opening_url = reverse("account_open")
    assert "you can pay in €7,500.00 more today" in browser.get(opening_url).content.decode()
    fields = {"key": "5b1f0f0e-0000-4000-8000-000000000001", "kind": "savings", "opening_deposit": "7500.01"}
    assert "opening_deposit" in browser.post(opening_url, fields).context["form"].errors
    assert books() == before
    review = browser.get(browser.post(url, {"amount": "1000.00"})["Location"]).content.decode()
    for shown in ("Left to pay in today", "€6,500.00", "€3,600.00"):
        assert shown in review


# --- The fraud rules ----------------------------------------------------------------------------------------


def test_a_deposit_above_the_alert_amount_raises_an_alert(pay_in: Callable) -> None:
    """R3.10."""
    assert pay_in("1000.00").state == OrderState.POSTED
    assert not FraudAlert.objects.exists()
    order = pay_in("1000.01")
    assert order.state == OrderState.POSTED
    assert [(alert.rule, alert.order) for alert in FraudAlert.objects.all()] == [("large_amount", order)]


@pytest.fixture
def waiting(pay_in: Callable, settings: Any) -> TransferOrder:
    """A deposit of 10,000.01 that Alice made and that is held."""
    settings.CASH_IN_DAILY_LIMIT = Decimal(50_000)
    return pay_in("10000.01", description="Found in the attic")


@proves("V2.3.2")
def test_a_deposit_above_the_suspicious_amount_is_held_and_sets_nothing_aside(
    alice: Any, waiting: TransferOrder, everyday: BankAccount, balance_of: Callable
) -> None:
    """R3.2, R3.10."""
    assert (waiting.state, waiting.hold_reason, waiting.transaction) == ("held", "suspicious_amount", None)
    till = BankAccount.objects.get(pk=waiting.source_id)
    everyday.refresh_from_db()
    assert (everyday.balance, everyday.held, till.held) == (Decimal(100), Decimal(0), Decimal(0))
    assert set(FraudAlert.objects.values_list("rule", flat=True)) == {"large_amount", "suspicious_amount"}
    held = AuditEntry.objects.filter(action__in=["TRANSFER_HELD", "SUSPICIOUS_TRANSFER"])
    assert [entry.details["kind"] for entry in held] == ["deposit"] * 2
    assert list(verification.faults()) == []


def test_the_customer_reads_why_it_waits_on_page_receipt_program_and_mail(
    alice: Any, waiting: TransferOrder, everyday: BankAccount, browser_of: Callable, api_of: Callable
) -> None:
    browser = browser_of(alice)
    why = "We check deposits above €10,000.00 first."
    receipt = browser.get(reverse("receipt", args=[waiting.public_id])).content.decode()
    for shown in ("Deposit, not carried out yet", why, "The money is not on your account until then"):
        assert shown in receipt
    account = browser.get(reverse("account", args=[everyday.public_id])).content.decode()
    for shown in ("Pending", "€10,000.01", "not in the balance yet"):
        assert shown in account
    for untrue in ("set aside", "still in the balance"):
        assert untrue not in account, "of a deposit"
    answer = api_of(alice).get(f"accounts/{everyday.number}").json()
    assert [(line["kind"], line["amount"]) for line in answer["waiting"]] == [("deposit", "10000.01")]
    mail = mails(alice.email)[-1]
    assert mail.subject == "We are checking your deposit of €10,000.01"
    assert why in mail.message
    assert "set aside" not in mail.message


def test_the_review_says_before_one_confirms_that_a_deposit_is_looked_at_first(
    alice: Any, browser_of: Callable, everyday: BankAccount, settings: Any, books: Callable
) -> None:
    settings.CASH_IN_DAILY_LIMIT = Decimal(50_000)
    browser, before = browser_of(alice), books()
    url = browser.post(reverse("deposit", args=[everyday.public_id]), {"amount": "10000.01"})["Location"]
    text = browser.get(url).content.decode()
    for shown in ("We need to check this first.", "We check deposits above €10,000.00 first.", "€100.00"):
        assert shown in text
    assert books() == before
    assert "not carried out yet" in browser.post(url, follow=True).content.decode()


def test_a_program_gets_202_for_a_deposit_that_waits(
    alice: Any, everyday: BankAccount, api_of: Callable, settings: Any
) -> None:
    settings.CASH_IN_DAILY_LIMIT = Decimal(50_000)
    api, key = api_of(alice), "a-deposit-that-waits"
    answers = [
        api.post(f"accounts/{everyday.number}/deposit", {"amount": "10000.01"}, Idempotency_Key=key) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["state"] == "held"


def test_released_it_is_on_the_account_and_the_customer_is_told(
    alice: Any, sam: Any, waiting: TransferOrder, everyday: BankAccount, balance_of: Callable
) -> None:
    order = holds.release_order(actor=sam, order=waiting, reason=REASON)
    assert balance_of(everyday) == Decimal("10100.01")
    assert order.state == OrderState.RELEASED
    mail = mails(alice.email)[-1]
    assert mail.subject == "Your deposit of €10,000.01 is on your account"
    assert order.transaction is not None
    assert order.transaction.reference in mail.message
    assert entry_of("TRANSFER_RELEASED").concerns_id == alice.pk
    assert not FraudAlert.objects.filter(state="open").exists()
    assert list(verification.faults()) == []


def test_rejected_it_leaves_nothing_and_gives_the_days_ceiling_back(
    alice: Any, sam: Any, waiting: TransferOrder, everyday: BankAccount, browser_of: Callable, books: Callable
) -> None:
    assert history.cash_in_use(alice).used == Decimal("10000.01")
    balances = books().balances
    holds.reject_order(actor=sam, order=waiting, reason="Please tell us where it comes from.")
    assert books().balances == balances
    assert history.cash_in_use(alice).used == 0
    receipt = browser_of(alice).get(reverse("receipt", args=[waiting.public_id])).content.decode()
    assert "nothing was paid in. The reason: Please tell us where it comes from." in receipt
    mail = mails(alice.email)[-1]
    assert mail.subject == "Your deposit of €10,000.01 was rejected"
    assert "spend again" not in mail.message
    assert list(verification.faults()) == []


def test_the_next_day_a_rejection_gives_nothing_back_of_that_day(
    alice: Any, sam: Any, pay_in: Callable, settings: Any
) -> None:
    settings.CASH_IN_DAILY_LIMIT = Decimal(20_000)
    later = NOON + timedelta(days=30)
    order = pay_in("10000.01", at=later)
    pay_in("20000.00", at=later + timedelta(days=1))
    holds.reject_order(actor=sam, order=order, reason=REASON, at=later + timedelta(days=1))
    with pytest.raises(CashInLimitReached):
        pay_in("0.01", at=later + timedelta(days=1))


def test_nothing_is_released_to_a_locked_customer_who_made_it_themselves(
    alice: Any, sam: Any, waiting: TransferOrder, everyday: BankAccount, balance_of: Callable
) -> None:
    # R1.5: the person who ordered it may be the reason for the lock.
    User.objects.filter(pk=alice.pk).update(locked_at=NOON)
    with pytest.raises(CustomerCannotSignIn):
        holds.release_order(actor=sam, order=waiting, reason=REASON)
    assert balance_of(everyday) == 100


def test_an_opening_deposit_that_is_held_opens_an_empty_account_and_says_so(
    alice: Any, sam: Any, browser_of: Callable, settings: Any, balance_of: Callable
) -> None:
    settings.CASH_IN_DAILY_LIMIT = Decimal(50_000)
    fields = {"key": "5b1f0f0e-0000-4000-8000-000000000001", "kind": "checking", "opening_deposit": "10000.01"}
    browser: Client = browser_of(alice)
    pages = [browser.post(reverse("account_open"), fields, follow=True).content.decode() for _ in range(2)]
    assert "Your opening deposit waits until a member of staff has looked at it." in pages[0]
    account = BankAccount.objects.get(owner=alice)
    order = TransferOrder.objects.get()
    assert (account.balance, order.state) == (Decimal(0), OrderState.HELD.value)
    holds.release_order(actor=sam, order=order, reason=REASON)
    assert balance_of(account) == Decimal("10000.01")


def test_an_account_is_not_closed_under_a_deposit_that_waits(
    alice: Any, sam: Any, savings: BankAccount, pay_in: Callable, settings: Any
) -> None:
    """R2.3: to a closed account nothing could be released."""
    settings.CASH_IN_DAILY_LIMIT = Decimal(50_000)
    order = pay_in("10000.01", account=savings)
    with pytest.raises(closing.DepositWaits, match="A deposit to this account waits"):
        closing.close_account(actor=alice, account=savings)
    holds.reject_order(actor=sam, order=order, reason=REASON)
    closing.close_account(actor=alice, account=savings)


def test_a_stranger_finds_no_deposit_to_confirm(
    alice: Any, charlie: Any, browser_of: Callable, everyday: BankAccount, waiting: TransferOrder, books: Callable
) -> None:
    """R1.7."""
    url = browser_of(alice).post(reverse("deposit", args=[everyday.public_id]), {"amount": "5.00"})["Location"]
    before = books()
    for method in ("get", "post"):
        assert getattr(browser_of(charlie), method)(url).status_code == 404
    assert browser_of(charlie).get(reverse("receipt", args=[waiting.public_id])).status_code == 404
    # A deposit's draft pays nothing out, and the review of another session does nothing either.
    draft_id = url.rstrip("/").rpartition("/")[2]
    browser = browser_of(alice)
    for name in ("deposit_confirm", "withdraw_confirm"):
        page = browser.post(reverse(name, args=[everyday.public_id, draft_id]), follow=True)
        assert "has expired" in page.content.decode()
    assert books() == before


# --- Where it is off ----------------------------------------------------------------------------------------


def test_where_it_is_off_no_page_offers_it_and_each_refuses_it_truthfully(
    alice: Any, browser_of: Callable, api_of: Callable, everyday: BankAccount, settings: Any, books: Callable,
    new_key: Callable,
) -> None:  # fmt: skip
    """R3.2: also for drafts that were reviewed while it was on."""
    browser, api = browser_of(alice), api_of(alice)
    urls = {name: reverse(name, args=[everyday.public_id]) for name in ("deposit", "withdraw")}
    reviews = [browser.post(url, {"amount": "5.00"})["Location"] for url in urls.values()]
    settings.SELF_SERVICE_CASH = False
    before = books()
    for page in (reverse("dashboard"), reverse("account", args=[everyday.public_id])):
        text = browser.get(page).content.decode()
        assert not any(url in text for url in urls.values())
    for url in urls.values():
        assert "Cash is paid in and out at the counter." in browser.get(url).content.decode()
        assert "Cash is paid in and out at the counter." in browser.post(url, {"amount": "5.00"}).content.decode()
    for review in reviews:
        for answer in (browser.get(review, follow=True), browser.post(review, follow=True)):
            assert "Cash is paid in and out at the counter." in answer.content.decode()
    assert "opening_deposit" not in browser.get(reverse("account_open")).content.decode()
    for verb in ("deposit", "withdraw"):
        answer = api.post(f"accounts/{everyday.number}/{verb}", {"amount": "5.00"}, Idempotency_Key=new_key())
        assert (answer.status_code, answer.json()["code"]) == (403, "cash_only_at_the_counter")
    assert books() == before


# --- Cancelled or expired -----------------------------------------------------------------------------------


def test_a_customer_cancels_a_deposit_of_their_own_and_may_pay_in_as_much_again(
    alice: Any, waiting: TransferOrder, everyday: BankAccount, browser_of: Callable
) -> None:
    """R3.14: a held one counted when it was ordered, and gives the day's ceiling back."""
    browser, url = browser_of(alice), reverse("order_cancel", args=[waiting.public_id])
    assert url in browser.get(reverse("account", args=[everyday.public_id])).content.decode()
    browser.post(url)
    waiting.refresh_from_db()
    assert (waiting.state, funds(everyday)) == ("cancelled", (Decimal(100), Decimal(100)))
    assert (history.cash_in_use(alice).used, used_by(alice)) == (Decimal(0), Decimal(0))
    assert explanation_of(waiting) == "You cancelled this before we had decided, and nothing was paid in."
    mail = mails(alice.email)[-1]
    assert f"your deposit of {format_money(waiting.amount)}" in mail.subject
    assert "yours to spend again" not in mail.message + mail.html_message
    assert list(verification.faults()) == []


def test_cash_that_a_clerk_took_is_the_counters_to_give_back(
    alice: Any, sam: Any, everyday: BankAccount, browser_of: Callable
) -> None:
    """R3.14: no mail and no page offers to cancel it, and nothing of the customer's own ceiling is given back."""
    order = cash.deposit_at_counter(
        actor=sam, account=everyday, amount=Decimal("1000.01"), idempotency_key="brought to us"
    )
    cash.deposit(actor=alice, account=everyday, amount=Decimal(400), idempotency_key="by herself")
    page = browser_of(alice).get(reverse("account", args=[everyday.public_id])).content.decode()
    assert "€1,000.01" in page
    assert reverse("order_cancel", args=[order.public_id]) not in page
    assert "cancel it" not in mails(alice.email)[-1].message
    with pytest.raises(holds.NotYourOrder):
        holds.cancel_order(actor=alice, order=order)
    holds.expire_order(order=order, at=order.expires_at)
    order.refresh_from_db()
    mail = mails(alice.email)[-1]
    for written in (mail.message, mail.html_message, explanation_of(order)):
        assert "Cash that you handed in at the counter is yours: ask for it there." in written
        assert "yours to spend again" not in written
    assert (history.cash_in_use(alice).used, used_by(alice)) == (Decimal(400), Decimal(0))


def test_nobody_is_sent_to_the_counter_for_their_own_expired_deposit(
    alice: Any, waiting: TransferOrder, balance_of: Callable, everyday: BankAccount
) -> None:
    holds.expire_order(order=waiting, at=waiting.expires_at)
    waiting.refresh_from_db()
    assert explanation_of(waiting) == (
        "We did not decide on this in time, so it was not carried out, and nothing was paid in."
    )
    assert "counter" not in mails(alice.email)[-1].message
    assert balance_of(everyday) == 100
