"""Interest on savings (R9.2): counted for each day that is over, posted when its month is over.
`transfers.interest.counting` computes it.

The account's lock also guards the row of its earned interest. So a batch of accounts is counted and posted whole or not
at all, and a stopped run goes on where it was: a day is counted once.

The next run corrects wrongly counted days, once: days with money that a reversal has since taken back, or without money
that it brought back; and, if asked to, days whose rate was announced after they were over (R3.15).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import BigIntegerField, Q, QuerySet
from django.utils import timezone

from accounts.models import AccountKind, AccountStatus, BankAccount, User
from accounts.people.the_bank import the_bank
from audit.actions import Action
from audit.services import Report, record_many
from foundation import currency_record, outbox
from foundation.compiled import Update
from foundation.locking import lock
from foundation.money import from_minor
from foundation.transactions import own_transaction
from transfers.interest import counted_rates
from transfers.interest.counting import MICRO, Accrual
from transfers.interest.plans import Payment, Plan, planned
from transfers.ledger import posting as ledger
from transfers.ledger.posting import Planned, Posting
from transfers.models import SavingsInterest, Transaction, TransactionKind
from transfers.orders.ownership import AccountUnreadable, require_untouched
from transfers.periods import day_of

BATCH = 500
# A movement has the time of its request, and is committed some seconds later at most.
_SETTLES_WITHIN = timedelta(hours=1)

Progress = Callable[[int, int], None]

_set_accrued = Update(
    lambda account, whole, micro, due, reversals: (
        SavingsInterest.objects.filter(account_id=account),
        {"accrued": whole, "accrued_micro": micro, "due": due, "reversals_to": reversals},
    ),
    *(BankAccount._meta.pk, BigIntegerField(), BigIntegerField(), BigIntegerField(), BigIntegerField()),
)


class NotOverYet(ValueError):
    """Interest is counted for days that are over, with all their movements."""


@dataclass
class Run:
    """The result of a run, real or dry: days of all accounts together, what was posted, and how much of that corrects
    earlier counts (major units). `left_out` are accounts that were given to another owner in the database."""

    accounts: int = 0
    days: int = 0
    postings: int = 0
    posted: Decimal = field(default_factory=Decimal)
    corrections: int = 0
    corrected: Decimal = field(default_factory=Decimal)
    left_out: list[int] = field(default_factory=list)


def last_countable_day(at: datetime) -> date:
    """Return the last day that can have no new movement."""
    return day_of(at - _SETTLES_WITHIN) - timedelta(days=1)


def accrue_interest(
    *,
    until: date | None = None,
    at: datetime | None = None,
    correct: bool = False,
    dry_run: bool = False,
    progress: Progress = lambda done, total: None,
) -> Run:
    """Count the interest of every savings account up to and including the day `until`, and post each month that is
    over, in a short transaction for each batch of accounts.

    It makes up for missed days, repeats nothing, and several runs at once do each account once. The bank itself acts,
    so it takes no actor: from the terminal or the scheduler only. An account that was given to another owner in the
    database is left out, and the others go on.

    Args:
        until: the last countable day, if not given.
        correct: also post the difference for days whose rate was announced late.
        dry_run: write nothing, lock nothing.

    Raises:
        NotOverYet: of `until`; nothing was counted.
        AnotherCurrency: earlier interest is at another scale (R2.7).
    """
    currency_record.verify_once()
    now = at or timezone.now()
    last = until or last_countable_day(now)
    if last > last_countable_day(now):
        raise NotOverYet(f"{last} is not over yet, or was not an hour ago.")
    run, behind = Run(), _behind(last, correct=correct)
    total = behind.count()
    for ids in _batches(behind):
        if dry_run:
            untouched, tampered = _told_apart(_read(ids))
            plans = planned(untouched, last, correct=correct)
        else:
            plans, tampered = _accrue_batch(ids, last, now, correct=correct)
        _add(run, plans)
        run.left_out += tampered
        progress(run.accounts, max(total, run.accounts))
    return run


def _behind(until: date, *, correct: bool) -> QuerySet[BankAccount]:
    """Return accounts with days to count, or with due interest that can be posted now; with days to correct, if
    asked."""
    waits = Q(savings_interest__isnull=True) | Q(savings_interest__accrued_through__lt=until)
    is_due = Q(savings_interest__due__gt=Decimal(0)) | Q(savings_interest__due__lt=Decimal(0))
    waits |= is_due & Q(status=AccountStatus.ACTIVE)
    if correct:
        waits |= Q(pk__in=counted_rates.accounts_at_late_rates().values("pk"))
    return BankAccount.objects.filter(waits, kind=AccountKind.SAVINGS).exclude(status=AccountStatus.CLOSED)


def _batches(accounts: QuerySet[BankAccount]) -> Iterator[list[int]]:
    after = 0
    while ids := list(accounts.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        yield ids
        after = ids[-1]


@own_transaction
def _accrue_batch(ids: Sequence[int], until: date, at: datetime, *, correct: bool) -> tuple[list[Plan], list[int]]:
    # The bank's own account with them, since locks are taken in order of id.
    rows = locked({*ids, interest_account_id()})
    open_ones = [row for row in rows if row.pk in set(ids) and row.status != AccountStatus.CLOSED]
    untouched, tampered = _told_apart(open_ones)
    plans = planned(untouched, until, correct=correct)
    _pay(plans, at)
    _save(plans)
    _report_corrections(plans, at)
    return plans, tampered


def _told_apart(accounts: Iterable[BankAccount]) -> tuple[list[BankAccount], list[int]]:
    """Return the accounts that are as the bank made them, and the ids of the others: nothing is counted for those."""
    untouched, tampered = [], []
    for account in accounts:
        try:
            require_untouched(account)
            untouched.append(account)
        except AccountUnreadable:
            tampered.append(account.pk)
    return untouched, tampered


def _read(ids: Iterable[int]) -> list[BankAccount]:
    return list(BankAccount.objects.filter(pk__in=ids).order_by("pk"))


def locked(ids: Iterable[int]) -> list[BankAccount]:
    """Return the accounts, locked in order of id."""
    return list(lock(BankAccount.objects).filter(pk__in=ids).order_by("pk"))


def interest_account_id() -> int:
    """Return the bank's own account that interest is paid from."""
    return BankAccount.objects.values_list("pk", flat=True).get(ledger_code="interest")


# --- Doing it ------------------------------------------------------------------------------------------------


def _pay(plans: Iterable[Plan], at: datetime) -> None:
    payments = [(plan.account, payment) for plan in plans for payment in plan.payments]
    if payments:
        post([(account, account, payment) for account, payment in payments], at)


def post(payments: Sequence[tuple[BankAccount, BankAccount, Payment]], at: datetime) -> None:
    """Post interest of the first account to the second, or take back from it what was too much, and report each with
    its evidence (R6.3)."""
    bank, source = the_bank(), interest_account_id()
    postings = ledger.post_many(
        [
            Planned(TransactionKind.INTEREST, _legs(source, target.pk, payment.amount), bank, at, payment.description)
            for _, target, payment in payments
        ]
    )
    record_many(
        _report(account, target, posting, bank, payment)
        for (account, target, payment), posting in zip(payments, postings, strict=True)
    )


def _legs(source: int, target: int, amount: int) -> list[ledger.Leg]:
    debit, credit = (source, target) if amount > 0 else (target, source)
    return ledger.transfer_legs(debit=debit, credit=credit, amount=from_minor(abs(amount)))


def _report(account: BankAccount, target: BankAccount, posting: Posting, bank: User, payment: Payment) -> Report:
    return Report(
        action=Action.INTEREST_POSTED,
        actor=bank,
        subject=Transaction(pk=posting.transaction_id),
        concerns=User(pk=account.owner_id),
        details={
            "amount": str(from_minor(payment.amount)),
            "account": account.masked_number,
            "target": target.masked_number,
            "reference": posting.reference,
            "description": posting.description,
        },
        evidence_digest=posting.digest,
        at=posting.created_at,
    )


def _report_corrections(plans: Iterable[Plan], at: datetime) -> None:
    """Report corrections to the log, and to customers whose rounded months change (R3.15)."""
    corrected = [plan for plan in plans if not plan.correction.is_nothing]
    record_many(_correction_report(plan, at) for plan in corrected)
    for plan in corrected:
        if plan.correction.amount:
            amount = str(from_minor(plan.correction.amount))
            outbox.tell("interest_corrected", account_id=plan.account.pk, amount=amount)


def _correction_report(plan: Plan, at: datetime) -> Report:
    """Return what was wrong and why; the rounded part is posted by a movement of its own, the rest with the month."""
    correction = plan.correction
    return Report(
        action=Action.INTEREST_CORRECTED,
        actor=the_bank(),
        subject=plan.account,
        concerns=User(pk=plan.account.owner_id),
        details={
            "account": plan.account.masked_number,
            "amount": str(from_minor(correction.amount)),
            "not_rounded_yet": f"{Decimal(correction.micro) / MICRO * from_minor(1):f}",
            "through": str(plan.before.through),
            "reason": ", ".join(plan.why),
        },
        at=at,
    )


def _save(plans: Sequence[Plan]) -> None:
    """Write the rows; existing ones mostly go to the same day by the same rates, so two statements do it."""
    counted_by = _counted_by(plans)
    SavingsInterest.objects.bulk_create(
        SavingsInterest(
            account=plan.account,
            accrued_through=plan.left.through,
            counted_by_id=counted_by[plan.rates],
            reversals_to=plan.reversals_to,
            **_columns(plan.left),
        )
        for plan in plans
        if plan.is_new
    )
    known = [plan for plan in plans if not plan.is_new]
    for through, rates in {(plan.left.through, plan.rates) for plan in known}:
        those = [plan.account.pk for plan in known if (plan.left.through, plan.rates) == (through, rates)]
        rows = SavingsInterest.objects.filter(pk__in=those)
        rows.update(accrued_through=through, counted_by=counted_by[rates])
    changes = [plan for plan in known if plan.has_earned or plan.reversals_to != plan.before.reversals_to]
    if changes:
        _set_accrued.execute_many(
            [(plan.account.pk, *_minor_columns(plan.left), plan.reversals_to) for plan in changes]
        )


def _counted_by(plans: Iterable[Plan]) -> dict[str, int]:
    """Return the rows of the rates; on an ordinary night the accounts name them already."""
    ids = {plan.rates: plan.before.counted_by for plan in plans if plan.before.says(plan.rates)}
    return {rates: ids.get(rates) or counted_rates.kept(rates) for rates in {plan.rates for plan in plans}}


def _minor_columns(accrual: Accrual) -> tuple[int, int, int]:
    whole, micro = divmod(accrual.micro, MICRO)
    return whole, micro, accrual.due


def _columns(accrual: Accrual) -> dict[str, Any]:
    whole, micro, due = _minor_columns(accrual)
    return {"accrued": from_minor(whole), "accrued_micro": micro, "due": from_minor(due)}


def _add(run: Run, plans: Iterable[Plan]) -> None:
    for plan in plans:
        run.accounts += 1
        run.days += plan.days
        run.postings += len(plan.payments)
        run.posted += from_minor(sum(payment.amount for payment in plan.payments))
        run.corrections += not plan.correction.is_nothing
        run.corrected += from_minor(plan.correction.amount)
