"""Interest on savings, as the ledger, the audit log and the customer see it (R9.2)."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import AccountKind, AccountStatus, BankAccount, User
from accounts.people.the_bank import EMAIL
from audit.actions import Action
from audit.models import AuditEntry
from audit.sealing import seal
from audit.services import record
from audit.verification import faults as faults_of_the_log
from foundation.models import OutboxMessage
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.interest import plans
from transfers.interest import posting as interest
from transfers.interest.posting import NotOverYet, accrue_interest
from transfers.ledger import posting as ledger
from transfers.ledger import verification
from transfers.ledger.posting import MAX_BALANCE_MINOR
from transfers.models import Entry, SavingsInterest, Transaction, TransactionKind
from transfers.orders import reversals

OPENED = datetime(2026, 9, 10, 9, 0, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)
SEPTEMBER, OCTOBER = Decimal("2.10"), Decimal("3.10")  # of 1,000.00 at 3.65 %: 10 cents a day


@pytest.fixture(autouse=True)
def rate(settings: Any) -> None:
    settings.SAVINGS_RATE = "0.0365"


@pytest.fixture(autouse=True)
def the_books_are_sound(db: None) -> Iterator[None]:
    """After each test the ledger adds up, and the audit log is what it was sealed as."""
    yield
    seal()
    assert [*verification.faults(), *faults_of_the_log()] == []


@pytest.fixture
def saved(alice: Any, open_account: Callable) -> BankAccount:
    """Alice's savings, opened with 1,000.00 on 10 September."""
    return open_account(alice, "1000.00", AccountKind.SAVINGS, nickname="Holidays", at=OPENED)


def move(account: BankAccount, amount: str, at: datetime) -> None:
    """Move cash in, or out if the amount is negative, at any time: of a kind that needs no order."""
    cash = BankAccount.objects.get(ledger_code="cash-0")
    debit, credit = (cash.pk, account.pk) if Decimal(amount) > 0 else (account.pk, cash.pk)
    with transaction.atomic():
        posting = ledger.post(
            kind=TransactionKind.FEE,
            legs=ledger.transfer_legs(debit=debit, credit=credit, amount=abs(Decimal(amount))),
            initiated_by=User.objects.get(bank_accounts=account),
            at=at,
        )
        moved = Transaction(pk=posting.transaction_id)
        record(Action.TRANSFER_REVERSED, actor=None, subject=moved, evidence_digest=posting.digest)


def paid_on(account: BankAccount) -> list[tuple[str, Decimal]]:
    rows = Entry.objects.filter(transaction__kind=TransactionKind.INTEREST, account=account).order_by("sequence")
    return list(rows.values_list("transaction__description", "amount"))


def state_of(account: BankAccount) -> tuple[Any, ...]:
    row = SavingsInterest.objects.get(account=account)
    return row.accrued_through, row.accrued, row.accrued_micro, row.due


# --- What is paid -----------------------------------------------------------------------------------------


def test_each_month_that_is_over_is_paid(saved: BankAccount, balance_of: Callable) -> None:
    run = accrue_interest(at=NOVEMBER)
    october = OCTOBER + Decimal("0.01")  # on 1,002.10 here: 0.06510 more, with the carried rest
    assert paid_on(saved) == [("For September 2026", SEPTEMBER), ("For October 2026", october)]
    assert balance_of(saved) == 1000 + SEPTEMBER + october
    assert (run.accounts, run.days, run.postings, run.posted) == (1, 52, 2, SEPTEMBER + october)


@proves("V16.2.1")
def test_the_bank_pays_it_and_the_log_has_the_evidence(saved: BankAccount, alice: Any) -> None:
    """R3.1, R6.3."""
    accrue_interest(at=NOVEMBER)
    bank = User.objects.get(email=EMAIL)
    assert (bank.is_active, bank.has_usable_password(), bank.role) == (False, False, None)
    for row in Transaction.objects.filter(kind=TransactionKind.INTEREST):
        assert (row.initiated_by, row.created_at) == (bank, NOVEMBER)
        sides = {entry.direction: str(entry.account) for entry in row.entries.all()}
        assert sides == {"debit": "interest", "credit": saved.masked_number}
    entry = AuditEntry.objects.filter(action="INTEREST_POSTED").earliest("pk")
    assert (entry.actor_id, entry.concerns_id, entry.subject_type) == (bank.pk, alice.pk, "transaction")
    assert entry.details["account"] == entry.details["target"] == saved.masked_number
    assert (entry.details["amount"], entry.details["description"]) == ("2.10", "For September 2026")
    assert str(saved.number) not in str(entry.details)
    assert not OutboxMessage.objects.filter(event__contains="interest").exists()


def test_run_again_it_does_nothing(saved: BankAccount, books: Callable) -> None:
    accrue_interest(at=NOVEMBER)
    before, state = books(), state_of(saved)
    for at in (NOVEMBER, NOVEMBER + timedelta(hours=20)):
        assert accrue_interest(at=at).days == 0
    assert (books(), state_of(saved)) == (before, state)


def test_every_day_or_once_after_months_it_comes_to_the_same(alice: Any, open_account: Callable) -> None:
    """Nobody loses by a job that did not run: interest earns interest from the day after its month on."""
    daily, late = (open_account(alice, "123456.78", AccountKind.SAVINGS, at=OPENED) for _ in range(2))
    BankAccount.objects.filter(pk=late.pk).update(kind=AccountKind.CHECKING)
    for number in range(110):
        accrue_interest(at=OPENED + timedelta(days=number))
    BankAccount.objects.filter(pk=late.pk).update(kind=AccountKind.SAVINGS)
    accrue_interest(until=date(2026, 10, 15), at=OPENED + timedelta(days=109))
    accrue_interest(at=OPENED + timedelta(days=109))
    assert paid_on(late) == paid_on(daily) != []
    assert state_of(late) == state_of(daily)


def test_the_balance_at_the_end_of_the_day_counts(saved: BankAccount, settings: Any) -> None:
    """In the bank's time zone, whatever came in between, and whichever movement got its sequence first."""
    settings.TIME_ZONE = "America/New_York"
    # 9 p.m. and, two hours later, 1 a.m. of the next day in UTC: the tenth, in New York.
    move(saved, "-1000.00", datetime(2026, 9, 12, 1, 0, tzinfo=UTC))
    move(saved, "2000.00", datetime(2026, 9, 12, 3, 59, 59, tzinfo=UTC))
    move(saved, "-2000.00", datetime(2026, 9, 12, 4, 0, tzinfo=UTC))
    move(saved, "500.00", datetime(2026, 9, 12, 3, 59, 58, tzinfo=UTC))
    accrue_interest(until=date(2026, 9, 13), at=NOVEMBER)
    # The tenth 1,000.00; the eleventh 2,500.00; then 500.00 for two days.
    assert state_of(saved) == (date(2026, 9, 13), Decimal("0.45"), 0, 0)


def test_a_rate_that_changes_in_the_middle_of_a_month(saved: BankAccount, settings: Any) -> None:
    settings.SAVINGS_RATE = "2026-09-21:0.0365,2026-09-26:0.0730"
    accrue_interest(until=date(2026, 9, 30), at=NOVEMBER)
    assert paid_on(saved) == [("For September 2026", Decimal("0.50") + Decimal("1.00"))]


def test_days_that_are_counted_stay_as_they_were_counted(saved: BankAccount, settings: Any) -> None:
    accrue_interest(until=date(2026, 9, 20), at=NOVEMBER)
    settings.SAVINGS_RATE = "0"
    accrue_interest(until=date(2026, 9, 30), at=NOVEMBER)
    assert paid_on(saved) == [("For September 2026", Decimal("1.10"))]


def test_what_rounding_took_is_carried_on(alice: Any, open_account: Callable, settings: Any) -> None:
    """A cent in three months is a cent."""
    settings.SAVINGS_RATE = "0.01"
    small = open_account(alice, "4.10", AccountKind.SAVINGS, at=datetime(2026, 7, 31, 22, 30, tzinfo=UTC))
    accrue_interest(at=NOVEMBER)
    assert [amount for _, amount in paid_on(small)] == [Decimal("0.01")]


def test_without_a_rate_days_pass_and_nothing_is_paid(saved: BankAccount, settings: Any) -> None:
    settings.SAVINGS_RATE = "0"
    assert accrue_interest(at=NOVEMBER).postings == 0
    assert state_of(saved) == (date(2026, 10, 31), 0, 0, 0)
    assert not User.objects.filter(email=EMAIL).exists()


def test_only_savings_earn(alice: Any, open_account: Callable) -> None:
    open_account(alice, "1000.00", AccountKind.CHECKING, at=OPENED)
    assert accrue_interest(at=NOVEMBER).accounts == 0


def test_an_account_opened_today_has_no_day_yet(alice: Any, open_account: Callable) -> None:
    account = open_account(alice, "1000.00", AccountKind.SAVINGS, at=NOVEMBER)
    assert accrue_interest(at=NOVEMBER).accounts == 0
    assert not SavingsInterest.objects.filter(account=account).exists()


def test_a_day_is_counted_an_hour_after_it_is_over(saved: BankAccount) -> None:
    midnight = datetime(2026, 11, 1, tzinfo=UTC)
    accrue_interest(at=midnight + timedelta(minutes=59))
    assert state_of(saved)[0] == date(2026, 10, 30)
    with pytest.raises(NotOverYet):
        accrue_interest(until=date(2026, 10, 31), at=midnight + timedelta(minutes=59))
    accrue_interest(until=date(2026, 10, 31), at=midnight + timedelta(minutes=60))
    assert state_of(saved)[0] == date(2026, 10, 31)


# --- Frozen, closed, full -----------------------------------------------------------------------------------


def test_a_frozen_account_is_paid_once_it_is_active_again(saved: BankAccount, freeze: Callable) -> None:
    """R2.3: no money moves in; and it costs the customer nothing."""
    freeze(saved)
    accrue_interest(at=NOVEMBER)
    assert paid_on(saved) == []
    assert state_of(saved)[3] == SEPTEMBER + OCTOBER + Decimal("0.01")
    freeze(saved, AccountStatus.ACTIVE)
    accrue_interest(at=NOVEMBER + timedelta(hours=1))
    assert paid_on(saved) == [("Up to October 2026", Decimal("5.21"))]
    state = state_of(saved)
    accrue_interest(at=NOVEMBER + timedelta(days=1))
    assert (state[3], state_of(saved)[0]) == (0, date(2026, 11, 1))


def test_thawed_between_two_months_it_is_paid_for_each(saved: BankAccount, freeze: Callable) -> None:
    freeze(saved)
    accrue_interest(until=date(2026, 10, 5), at=NOVEMBER)
    freeze(saved, AccountStatus.ACTIVE)
    accrue_interest(at=NOVEMBER)
    assert [description for description, _ in paid_on(saved)] == ["Up to September 2026", "For October 2026"]


def test_a_closed_account_earns_nothing(saved: BankAccount, freeze: Callable) -> None:
    freeze(saved, AccountStatus.CLOSED)
    assert accrue_interest(at=NOVEMBER).accounts == 0


def test_an_account_closed_between_look_and_lock_is_left_alone(
    saved: BankAccount, freeze: Callable, monkeypatch: Any
) -> None:
    locked = interest.locked

    def close_first(ids: Any) -> Any:
        freeze(saved, AccountStatus.CLOSED)
        return locked(ids)

    monkeypatch.setattr(interest, "locked", close_first)
    assert accrue_interest(at=NOVEMBER).accounts == 0


def test_a_full_account_waits_and_holds_nobody_up(saved: BankAccount, alice: Any, open_account: Callable) -> None:
    full = open_account(alice, "10.00", AccountKind.SAVINGS, at=OPENED)
    BankAccount.objects.filter(pk=full.pk).update(balance=Decimal(MAX_BALANCE_MINOR) / 100)
    accrue_interest(at=NOVEMBER)
    assert len(paid_on(saved)) == 2
    assert paid_on(full) == []
    assert state_of(full)[3] > 10**13
    BankAccount.objects.filter(pk=full.pk).update(balance=Decimal("10.00"))


def test_reversed_interest_is_gone(saved: BankAccount, ada: Any) -> None:
    """R3.1: by a movement like any other."""
    accrue_interest(until=date(2026, 9, 30), at=NOVEMBER)
    posted = Transaction.objects.get(kind=TransactionKind.INTEREST)
    reversals.reverse_transaction(actor=ada, transaction=posted, reason="The wrong rate.", at=NOVEMBER)
    accrue_interest(at=NOVEMBER + timedelta(days=1))
    accrue_interest(at=NOVEMBER + timedelta(days=2))
    assert state_of(saved)[0] == date(2026, 11, 2)
    assert [amount for _, amount in paid_on(saved)] == [SEPTEMBER, OCTOBER + Decimal("0.01")]


# --- Many, stopped, at once -------------------------------------------------------------------------------


def test_ten_accounts_cost_as_many_statements_as_one(alice: Any, open_account: Callable) -> None:
    """Except for the balances, which are set one by one."""

    def statements(at: datetime) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            accrue_interest(at=at)
        return [q["sql"] for q in captured.captured_queries if "SAVEPOINT" not in q["sql"]]

    open_account(alice, "1000.00", AccountKind.SAVINGS, at=OPENED)
    accrue_interest(at=NOVEMBER)
    one = len(statements(NOVEMBER + timedelta(days=1)))
    for _ in range(9):
        open_account(alice, "1000.00", AccountKind.SAVINGS, at=OPENED)
    accrue_interest(at=NOVEMBER + timedelta(days=1))
    ten = statements(NOVEMBER + timedelta(days=2))
    assert len(ten) == one <= 9, "\n".join(ten)


def test_stopped_between_two_batches_it_goes_on_where_it_was(
    alice: Any, open_account: Callable, monkeypatch: Any
) -> None:
    monkeypatch.setattr(interest, "BATCH", 2)
    accounts = [open_account(alice, "1000.00", AccountKind.SAVINGS, at=OPENED) for _ in range(5)]
    told: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        told.append((done, total))
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        accrue_interest(at=NOVEMBER, progress=stop)
    assert told == [(2, 5), (4, 5)]
    assert accrue_interest(at=NOVEMBER).accounts == 1
    assert [len(paid_on(account)) for account in accounts] == [2] * 5


def test_a_batch_is_written_whole_or_not_at_all(saved: BankAccount, monkeypatch: Any, books: Callable) -> None:
    before = books()

    def fail(*args: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(interest, "_save", fail)
    with pytest.raises(OSError, match="disk"):
        accrue_interest(at=NOVEMBER)
    assert books() == before
    monkeypatch.undo()
    accrue_interest(at=NOVEMBER)
    assert len(paid_on(saved)) == 2


def test_what_moves_while_nothing_is_locked_is_not_taken_off(saved: BankAccount, monkeypatch: Any) -> None:
    """A look (a dry run, a page) reads the balance first: later movements belong to neither."""
    read = plans.counted_before

    def move_first(accounts: Any) -> Any:
        move(saved, "500.00", OPENED + timedelta(days=1))
        return read(accounts)

    monkeypatch.setattr(plans, "counted_before", move_first)
    assert accrue_interest(at=NOVEMBER, dry_run=True).posted == SEPTEMBER + OCTOBER + Decimal("0.01")


# --- The command ------------------------------------------------------------------------------------------


def command(*args: str) -> str:
    out = StringIO()
    call_command("accrue_interest", *args, stdout=out)
    return out.getvalue()


@time_machine.travel(NOVEMBER, tick=False)
def test_the_command_says_what_it_did(saved: BankAccount) -> None:
    assert "up to 2026-09-20: 11 days of 1 accounts counted, 0 payments posted" in command("--until", "2026-09-20")
    assert "up to 2026-10-31: 41 days of 1 accounts counted, 2 payments posted, €5.21 in all." in command()
    assert "0 days of 0 accounts" in command()


@time_machine.travel(NOVEMBER, tick=False)
def test_a_dry_run_changes_nothing_and_says_the_same(saved: BankAccount, books: Callable) -> None:
    before = books()
    dry = command("--dry-run")
    assert (books(), SavingsInterest.objects.count()) == (before, 0)
    assert dry == command().replace("all.\n", "all. Nothing was changed: this was a dry run.\n")


@time_machine.travel(NOVEMBER, tick=False)
@in_one_world("until", ["2026-11-01", "2099-01-01"])
def test_a_day_that_is_not_over_is_refused(saved: BankAccount, until: str) -> None:
    with pytest.raises(CommandError, match="not over"):
        command("--until", until)


@in_one_world("until", ["yesterday", "31.10.2026", "2026-02-30", ""])
def test_anything_except_a_day_is_refused(until: str) -> None:
    with pytest.raises(CommandError, match="no day"):
        command("--until", until)


@time_machine.travel(NOVEMBER, tick=False)
def test_a_terminal_sees_progress(saved: BankAccount) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    err = Terminal()
    call_command("accrue_interest", stdout=StringIO(), stderr=err)
    assert "accounts: 1 of 1 " in err.getvalue()
