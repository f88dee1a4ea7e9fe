"""Interest on savings (R9.2): counted for each day that is over, posted when its month is. How much it is, is in
`transfers.interest.counting`.

The row of what an account has earned is guarded by the lock of the account. So a batch of accounts is counted and
posted whole or not at all, and a run that was stopped goes on where it was: a day is counted once.
"""

import calendar
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, Q, QuerySet
from django.utils import timezone

from accounts.models import AccountKind, AccountStatus, BankAccount, User
from accounts.people.the_bank import the_bank
from audit.actions import Action
from audit.services import Report, record_many
from foundation import currency_record
from foundation.compiled import Update
from foundation.money import from_minor, to_minor
from foundation.transactions import own_transaction
from transfers.interest import counting as interest
from transfers.interest.counting import MICRO, Accrual, MonthOfInterest
from transfers.interest.rates import parse_rates
from transfers.ledger import posting as ledger
from transfers.ledger.posting import MAX_BALANCE_MINOR, Planned, Posting
from transfers.models import Direction, Entry, SavingsInterest, Transaction, TransactionKind
from transfers.periods import day_of, end_of_day

BATCH = 500
# A movement has the time at which it was asked for, and is committed some seconds later at most.
_SETTLES_WITHIN = timedelta(hours=1)

Progress = Callable[[int, int], None]

_set_accrued = Update(
    lambda account, whole, micro, due: (
        SavingsInterest.objects.filter(account_id=account),
        {"accrued": whole, "accrued_micro": micro, "due": due},
    ),
    *(BankAccount._meta.pk, BigIntegerField(), BigIntegerField(), BigIntegerField()),
)


class NowhereToPay(LookupError):
    """The owner of a savings account that is owed interest has no active checking account."""


class NotOverYet(ValueError):
    """Interest is counted for days that are over, with all that moved on them."""


@dataclass
class Run:
    """What a run did, or would do: days of all accounts together, and what was posted (major units)."""

    accounts: int = 0
    days: int = 0
    postings: int = 0
    posted: Decimal = field(default_factory=Decimal)


@dataclass(frozen=True)
class _Payment:
    amount: int
    description: str


@dataclass(frozen=True)
class _Plan:
    """What becomes of one account: how it was, how it is `after`, and the months that ended meanwhile."""

    account: BankAccount
    is_new: bool
    before: Accrual
    after: Accrual
    months: Sequence[MonthOfInterest]

    @property
    def days(self) -> int:
        return (self.after.through - self.before.through).days

    @cached_property
    def can_be_paid(self) -> bool:
        """No money moves into a frozen account (R2.3), nor into one that is full: what is due waits."""
        owed = self.after.due + sum(month.amount for month in self.months)
        return self.account.is_active and to_minor(self.account.balance) + owed <= MAX_BALANCE_MINOR

    @cached_property
    def payments(self) -> list[_Payment]:
        if not self.can_be_paid:
            return []
        last_due = (self.before.through + timedelta(days=1)).replace(day=1) - timedelta(days=1)
        waited = _Payment(self.before.due, f"Up to {_name(last_due)}")
        each = [_Payment(month.amount, f"For {_name(month.last_day)}") for month in self.months]
        return [payment for payment in (waited, *each) if payment.amount]

    @cached_property
    def left(self) -> Accrual:
        """What stays to be paid after the payments."""
        due = 0 if self.can_be_paid else self.after.due + sum(month.amount for month in self.months)
        return Accrual(self.after.through, self.after.micro, due)


def _name(day: date) -> str:
    return f"{calendar.month_name[day.month]} {day.year}"


def last_countable_day(at: datetime) -> date:
    """The last day of which nothing can come in any more."""
    return day_of(at - _SETTLES_WITHIN) - timedelta(days=1)


def accrue_interest(
    *,
    until: date | None = None,
    at: datetime | None = None,
    dry_run: bool = False,
    progress: Progress = lambda done, total: None,
) -> Run:
    """Count the interest of every savings account up to and including the day `until`, and post each month that is
    over, a short transaction for each batch of accounts.

    What was missed is made up for, what is done is not done again, and several at once do each account once. By the
    bank itself, so it takes no actor: from the terminal or the scheduler only.

    Args:
        until: the last countable day, if not given.
        dry_run: write nothing, lock nothing.

    Raises:
        NotOverYet: of `until`; nothing was counted.
        AnotherCurrency: what was earned so far is at another scale (R2.7).
    """
    currency_record.verify_once()
    now = at or timezone.now()
    last = until or last_countable_day(now)
    if last > last_countable_day(now):
        raise NotOverYet(f"{last} is not over yet, or was not an hour ago.")
    run = Run()
    total = _behind(last).count()
    for ids in _batches(_behind(last)):
        plans = _planned(_read(ids), last) if dry_run else _accrue_batch(ids, last, now)
        _add(run, plans)
        progress(run.accounts, max(total, run.accounts))
    return run


def _behind(until: date) -> QuerySet[BankAccount]:
    """Accounts with days to count, or with interest due that can be posted by now."""
    waits = Q(savings_interest__isnull=True) | Q(savings_interest__accrued_through__lt=until)
    waits |= Q(savings_interest__due__gt=Decimal(0), status=AccountStatus.ACTIVE)
    return BankAccount.objects.filter(waits, kind=AccountKind.SAVINGS).exclude(status=AccountStatus.CLOSED)


def _batches(accounts: QuerySet[BankAccount]) -> Iterator[list[int]]:
    after = 0
    while ids := list(accounts.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        yield ids
        after = ids[-1]


@own_transaction
def _accrue_batch(ids: Sequence[int], until: date, at: datetime) -> list[_Plan]:
    # The bank's own account with them, since locks are taken in order of id.
    locked = _locked({*ids, _interest_account_id()})
    open_ones = [account for account in locked if account.pk in set(ids) and account.status != AccountStatus.CLOSED]
    plans = _planned(open_ones, until)
    _pay(plans, at)
    _save(plans)
    return plans


def _read(ids: Iterable[int]) -> list[BankAccount]:
    return list(BankAccount.objects.filter(pk__in=ids).order_by("pk"))


def _locked(ids: Iterable[int]) -> list[BankAccount]:
    return list(BankAccount.objects.select_for_update().filter(pk__in=ids).order_by("pk"))


def _interest_account_id() -> int:
    return BankAccount.objects.values_list("pk", flat=True).get(ledger_code="interest")


def _planned(accounts: Sequence[BankAccount], until: date) -> list[_Plan]:
    """What is to be done with each account that is not up to date; three statements for any number of them."""
    before = _counted_before(accounts)
    moved = _movements(accounts, before)
    rates = parse_rates(str(settings.SAVINGS_RATE))
    plans = []
    for account in accounts:
        accrual, is_new = before[account.pk]
        balance = to_minor(account.balance)
        after, months = interest.accrue(accrual, until=until, balance=balance, movements=moved[account.pk], rates=rates)
        plans.append(_Plan(account, is_new, accrual, after, months))
    return [plan for plan in plans if plan.days or plan.payments]


def _counted_before(accounts: Sequence[BankAccount]) -> dict[int, tuple[Accrual, bool]]:
    """What each account has earned so far, and whether it is counted for the first time: from the day on which it was
    opened, or something first moved on it."""
    rows = SavingsInterest.objects.in_bulk([account.pk for account in accounts])
    new = [account.pk for account in accounts if account.pk not in rows]
    firsts = Entry.objects.filter(account__in=new, sequence=1).values_list("account_id", "posted_at") if new else []
    begun = dict(firsts)
    found = {}
    for account in accounts:
        if account.pk in rows:
            accrual = rows[account.pk].accrual
        else:
            first_day = day_of(min(account.opened_at, begun.get(account.pk, account.opened_at)))
            accrual = Accrual(first_day - timedelta(days=1))
        found[account.pk] = (accrual, account.pk not in rows)
    return found


def _movements(
    accounts: Sequence[BankAccount], before: Mapping[int, tuple[Accrual, bool]]
) -> dict[int, list[tuple[date, int]]]:
    """What has moved on each account since its last day was counted; but its interest, which counts from the end of
    its month on, whenever it was posted."""
    found: dict[int, list[tuple[date, int]]] = {account.pk: [] for account in accounts}
    if not found:
        return found
    begins_at = {pk: end_of_day(accrual.through) for pk, (accrual, _) in before.items()}
    read_at = {account.pk: account.last_sequence for account in accounts}
    entries = Entry.objects.filter(account__in=list(found), posted_at__gte=min(begins_at.values()))
    entries = entries.exclude(transaction__kind=TransactionKind.INTEREST)
    columns = ("account_id", "sequence", "posted_at", "direction", "amount")
    for pk, sequence, posted_at, direction, amount in entries.values_list(*columns):
        # Without a lock, an entry may have come after the balance was read.
        if posted_at >= begins_at[pk] and sequence <= read_at[pk]:
            signed = to_minor(amount) if direction == Direction.CREDIT else -to_minor(amount)
            found[pk].append((day_of(posted_at), signed))
    return found


def _pay(plans: Iterable[_Plan], at: datetime) -> None:
    payments = [(plan.account, payment) for plan in plans for payment in plan.payments]
    if payments:
        _post([(account, account, payment) for account, payment in payments], at)


def _post(payments: Sequence[tuple[BankAccount, BankAccount, _Payment]], at: datetime) -> None:
    """Post interest of the first account to the second, and report each with its evidence (R6.3)."""
    bank, source = the_bank(), _interest_account_id()
    postings = ledger.post_many(
        [
            Planned(
                TransactionKind.INTEREST,
                ledger.transfer_legs(debit=source, credit=target.pk, amount=from_minor(payment.amount)),
                bank,
                at,
                payment.description,
            )
            for _, target, payment in payments
        ]
    )
    record_many(
        _report(account, target, posting, bank)
        for (account, target, _), posting in zip(payments, postings, strict=True)
    )


def _report(account: BankAccount, target: BankAccount, posting: Posting, bank: User) -> Report:
    return Report(
        action=Action.INTEREST_POSTED,
        actor=bank,
        subject=Transaction(pk=posting.transaction_id),
        concerns=User(pk=account.owner_id),
        details={
            "amount": str(from_minor(posting.amount)),
            "account": account.masked_number,
            "target": target.masked_number,
            "reference": posting.reference,
            "description": posting.description,
        },
        evidence_digest=posting.digest,
        at=posting.created_at,
    )


def _save(plans: Sequence[_Plan]) -> None:
    """Write the rows; those that were there all go to the same day, so two statements do."""
    SavingsInterest.objects.bulk_create(
        SavingsInterest(account=plan.account, accrued_through=plan.left.through, **_columns(plan.left))
        for plan in plans
        if plan.is_new
    )
    known = [plan for plan in plans if not plan.is_new]
    for through in {plan.left.through for plan in known}:
        those = [plan.account.pk for plan in known if plan.left.through == through and plan.days]
        SavingsInterest.objects.filter(pk__in=those).update(accrued_through=through)
    changes = [plan for plan in known if plan.left != replace(plan.before, through=plan.left.through)]
    if changes:
        _set_accrued.execute_many([(plan.account.pk, *_minor_columns(plan.left)) for plan in changes])


def _minor_columns(accrual: Accrual) -> tuple[int, int, int]:
    whole, micro = divmod(accrual.micro, MICRO)
    return whole, micro, accrual.due


def _columns(accrual: Accrual) -> dict[str, Any]:
    whole, micro, due = _minor_columns(accrual)
    return {"accrued": from_minor(whole), "accrued_micro": micro, "due": from_minor(due)}


def _add(run: Run, plans: Iterable[_Plan]) -> None:
    for plan in plans:
        run.accounts += 1
        run.days += plan.days
        run.postings += len(plan.payments)
        run.posted += from_minor(sum(payment.amount for payment in plan.payments))


# --- Closing an account -------------------------------------------------------------------------------------


def owed_at_closing(account: BankAccount, *, at: datetime) -> Decimal:
    """What an account has earned by the end of yesterday and has not been paid (major units).

    Of an account whose row is locked and empty it is exact: nothing comes in any more.
    """
    if account.kind != AccountKind.SAVINGS:
        return Decimal(0)
    (before, _) = _counted_before([account])[account.pk]
    yesterday = day_of(at) - timedelta(days=1)
    plans = _planned([account], yesterday)
    months = sum(month.amount for plan in plans for month in plan.months)
    return from_minor(months + (plans[0].after if plans else before).payable)


def payout_account(account: BankAccount) -> BankAccount | None:
    """Where the interest of a savings account goes when that is closed: its owner's oldest active checking account.

    Not to other savings: interest on them would be taken for their own.
    """
    rows = BankAccount.objects.filter(owner=account.owner_id, kind=AccountKind.CHECKING, status=AccountStatus.ACTIVE)
    return rows.order_by("opened_at", "pk").first()


def lock_for_closing(account: BankAccount) -> BankAccount:
    """The account's row, locked; where interest may have to be paid, with the accounts that this takes, in their
    order."""
    ids = {account.pk}
    target = payout_account(account) if account.kind == AccountKind.SAVINGS else None
    if target is not None:
        ids |= {target.pk, _interest_account_id()}
    return next(row for row in _locked(ids) if row.pk == account.pk)


def pay_at_closing(account: BankAccount, *, at: datetime) -> Decimal:
    """Post what a locked, empty account is owed to its owner's checking account; returns how much (major units).

    Runs inside the caller's transaction. What rounding leaves ends with the account.

    Raises:
        NowhereToPay: nothing was written.
    """
    owed = owed_at_closing(account, at=at)
    target = payout_account(account)
    if owed:
        if target is None:
            raise NowhereToPay
        payment = _Payment(to_minor(owed), f"Of savings account {account.masked_number}, now closed")
        _post([(account, target, payment)], at)
    SavingsInterest.objects.filter(pk=account.pk).update(accrued=Decimal(0), accrued_micro=0, due=Decimal(0))
    return owed
