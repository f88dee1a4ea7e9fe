"""A rate that is announced late: the bank warns, and posts the difference when it is told to (R3.15)."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core import checks
from django.core.management import call_command
from django.db import DatabaseError

from accounts.models import AccountKind, AccountStatus, BankAccount
from audit.models import AuditEntry
from audit.sealing import seal
from audit.verification import faults as faults_of_the_log
from tests import acts
from transfers.interest import counted_rates
from transfers.interest import posting as interest
from transfers.interest.posting import accrue_interest
from transfers.ledger import verification
from transfers.models import CountedRates, Entry, SavingsInterest, TransactionKind
from transfers.tests.conftest import read_books

OPENED = datetime(2026, 10, 1, 8, 0, tzinfo=UTC)
MID_NOVEMBER = datetime(2026, 11, 16, 2, 0, tzinfo=UTC)
BEFORE, HIGHER, LOWER = (
    "2026-01-01:0.0365",
    "2026-01-01:0.0365,2026-10-22:0.073",
    "2026-01-01:0.0365,2026-10-22:0.01825",
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("the_books_are_sound")]


@pytest.fixture(autouse=True)
def rate(settings: Any) -> None:
    settings.SAVINGS_RATE = BEFORE


@pytest.fixture
def the_books_are_sound(db: None) -> Iterator[None]:
    yield
    seal()
    assert [*verification.faults(), *faults_of_the_log()] == []


@pytest.fixture
def saved(alice: Any, open_account: Callable) -> BankAccount:
    """Alice's savings, opened with 1,000.00 on 1 October and counted up to 15 November: 10 cents a day."""
    account = open_account(alice, "1000.00", AccountKind.SAVINGS, at=OPENED)
    accrue_interest(at=MID_NOVEMBER)
    assert paid_on(account) == [Decimal("3.10")]
    return account


def set_status(account: BankAccount, status: AccountStatus) -> None:
    BankAccount.objects.filter(pk=account.pk).update(status=status)


def paid_on(account: BankAccount) -> list[Decimal]:
    rows = Entry.objects.filter(transaction__kind=TransactionKind.INTEREST, account=account).order_by("sequence")
    return [amount if side == "credit" else -amount for side, amount in rows.values_list("direction", "amount")]


def earned_by(account: BankAccount) -> Decimal:
    """Return all interest in minor units, posted or not, to the millionth."""
    row = SavingsInterest.objects.get(account=account)
    return sum(paid_on(account)) * 100 + row.accrual.due + Decimal(row.accrual.micro) / 1_000_000


def command(*args: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    with time_machine.travel(MID_NOVEMBER, tick=False):
        call_command("accrue_interest", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_job_and_the_check_warn_and_nothing_is_changed(saved: BankAccount, settings: Any) -> None:
    settings.SAVINGS_RATE = HIGHER
    before = read_books()
    _, warning = command()
    assert "SAVINGS_RATE says 0.073 from 2026-10-22 on, but 1 accounts were counted at 0.0365 then." in warning
    assert "accrue_interest --correct" in warning
    found = [one for one in checks.run_checks(tags=["database"], databases=["default"]) if one.id == "transfers.W001"]
    assert len(found) == 1
    assert found[0].level == checks.WARNING
    assert not [one for one in checks.run_checks() if one.id == "transfers.W001"]
    assert read_books() == before


@pytest.mark.parametrize(("late", "correction"), [(HIGHER, "1.00"), (LOWER, "-0.50")])
def test_the_correction_is_posted_and_audited(saved: BankAccount, settings: Any, late: str, correction: str) -> None:
    """Ten days of October are posted, fifteen of November are not: both are corrected, both ways."""
    settings.SAVINGS_RATE = late
    said, _ = command("--correct")
    assert "1 accounts corrected by" in said
    assert paid_on(saved) == [Decimal("3.10"), Decimal(correction)]
    entry = AuditEntry.objects.get(action="INTEREST_CORRECTED")
    assert (entry.details["reason"], entry.details["amount"]) == ("rate", correction)
    assert entry.details["through"] == "2026-11-15"
    assert AuditEntry.objects.filter(action="INTEREST_POSTED").latest("pk").details["amount"] == correction
    words = "too little. We pay you that into" if late == HIGHER else "too much. We take that back"
    assert saved.owner is not None
    assert sum(words in mail.message for mail in acts.mails(saved.owner.email)) == 1


def test_it_comes_to_what_would_have_been_counted_in_the_first_place(
    saved: BankAccount, alice: Any, open_account: Callable, settings: Any
) -> None:
    """To the millionth, interest on interest and all."""
    twin = open_account(alice, "1000.00", AccountKind.SAVINGS, at=OPENED)
    settings.SAVINGS_RATE = HIGHER
    accrue_interest(at=MID_NOVEMBER, correct=True)
    assert earned_by(saved) == earned_by(twin)
    later = datetime(2027, 1, 1, 2, 0, tzinfo=UTC)
    accrue_interest(at=later)
    assert earned_by(saved) == earned_by(twin)


def test_run_again_it_does_nothing(saved: BankAccount, settings: Any) -> None:
    settings.SAVINGS_RATE = HIGHER
    command("--correct")
    before, row = read_books(), SavingsInterest.objects.values().get()
    assert command("--correct") == (
        "Interest up to 2026-11-15: 0 days of 0 accounts counted, 0 payments posted, €0.00 in all.\n",
        "",
    )
    assert (read_books(), SavingsInterest.objects.values().get()) == (before, row)
    assert counted_rates.late_rates() == []


def test_a_dry_run_says_the_same_and_posts_nothing(saved: BankAccount, settings: Any) -> None:
    settings.SAVINGS_RATE = HIGHER
    before = read_books()
    dry, _ = command("--correct", "--dry-run")
    assert read_books() == before
    assert dry == command("--correct")[0].replace(".\n", ". Nothing was changed: this was a dry run.\n")


def test_stopped_in_the_middle_it_goes_on_where_it_was(
    alice: Any, open_account: Callable, settings: Any, monkeypatch: Any
) -> None:
    accounts = [open_account(alice, "1000.00", AccountKind.SAVINGS, at=OPENED) for _ in range(5)]
    accrue_interest(at=MID_NOVEMBER)
    settings.SAVINGS_RATE = HIGHER
    monkeypatch.setattr(interest, "BATCH", 2)

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        accrue_interest(at=MID_NOVEMBER, correct=True, progress=stop)
    assert [late.accounts for late in counted_rates.late_rates()] == [1]
    assert accrue_interest(at=MID_NOVEMBER, correct=True).corrections == 1
    assert [paid_on(account) for account in accounts] == [[Decimal("3.10"), Decimal("1.00")]] * 5


def test_nights_go_on_at_the_new_rate_and_the_past_waits_for_somebody(saved: BankAccount, settings: Any) -> None:
    """Late, the bank pays nothing by itself: a mistyped day would otherwise be posted overnight."""
    settings.SAVINGS_RATE = HIGHER
    accrue_interest(at=MID_NOVEMBER + timedelta(days=1))
    assert paid_on(saved) == [Decimal("3.10")]
    assert [late.first_day for late in counted_rates.late_rates()] == [date(2026, 10, 22)]
    row = SavingsInterest.objects.get(account=saved)
    assert row.counted_by is not None
    assert row.counted_by.text == "2026-01-01:0.036500,2026-11-16:0.073000"
    settings.SAVINGS_RATE = BEFORE + ",2026-11-16:0.073"
    assert counted_rates.late_rates() == []


def test_a_rate_announced_in_time_is_not_late(saved: BankAccount, settings: Any) -> None:
    settings.SAVINGS_RATE = BEFORE + ",2026-11-16:0.073"
    assert counted_rates.late_rates() == []
    assert accrue_interest(at=MID_NOVEMBER, correct=True).accounts == 0


@pytest.mark.parametrize("text", ["0.073", "2026-11-10:0.0365", "2026-11-16:0.01"])
def test_of_days_that_a_text_does_not_name_it_says_nothing(saved: BankAccount, settings: Any, text: str) -> None:
    """One rate without a day, or a list whose beginning was dropped: counted days stay."""
    settings.SAVINGS_RATE = text
    assert counted_rates.late_rates() == []
    assert accrue_interest(at=MID_NOVEMBER, correct=True).corrections == 0
    assert paid_on(saved) == [Decimal("3.10")]


def test_what_was_spent_is_set_against_the_next_interest(saved: BankAccount, settings: Any) -> None:
    settings.SAVINGS_RATE = "2026-01-01:0"
    BankAccount.objects.filter(pk=saved.pk).update(held=Decimal("1001.00"))
    accrue_interest(at=MID_NOVEMBER, correct=True)
    assert SavingsInterest.objects.get(account=saved).due == Decimal("-3.10")
    BankAccount.objects.filter(pk=saved.pk).update(held=Decimal(0))
    accrue_interest(at=MID_NOVEMBER + timedelta(days=1))
    assert sum(paid_on(saved)) == 0


def test_closed_accounts_are_left_as_they_are(saved: BankAccount, settings: Any) -> None:
    set_status(saved, AccountStatus.CLOSED)
    settings.SAVINGS_RATE = HIGHER
    assert counted_rates.late_rates() == []
    assert accrue_interest(at=MID_NOVEMBER, correct=True).accounts == 0
    set_status(saved, AccountStatus.ACTIVE)


def test_days_of_a_bank_that_did_not_keep_its_rates_count_as_announced_now(saved: BankAccount, settings: Any) -> None:
    """After the update it is unknown at which rates earlier days were counted: the first night writes today's down."""
    SavingsInterest.objects.update(counted_by=None)
    CountedRates.objects.all().delete()
    settings.SAVINGS_RATE = HIGHER
    assert counted_rates.late_rates() == []
    accrue_interest(at=MID_NOVEMBER + timedelta(days=1), correct=True)
    assert paid_on(saved) == [Decimal("3.10")]
    assert [book.text for book in CountedRates.objects.all()] == ["2026-01-01:0.036500,2026-10-22:0.073000"]


def test_the_check_says_nothing_of_a_bank_that_was_not_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_table() -> None:
        raise DatabaseError("no such table: transfers_countedrates")

    monkeypatch.setattr(counted_rates, "late_rates", no_table)
    assert counted_rates.check_late_rates(["default"]) == []
