"""What a month did to an account."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from accounts.models import BankAccount, User
from foundation import replica
from foundation.refusals import NotFound, Refusal
from foundation.replica import may_be_behind
from transfers.history.filters import HistoryFilters
from transfers.history.pictures import SIGNED_AMOUNT
from transfers.history.rows import EntryRow
from transfers.history.search import filtered_rows
from transfers.models import Entry
from transfers.periods import Month

STATEMENT_ROWS = 2_000  # some seconds of work


class NoSuchMonth(NotFound):
    """A month in the future, or in which the account did not exist."""


class StatementTooLong(Refusal):
    """More movements than a document to read and print can hold."""

    code = "statement_too_long"
    text = f"This month has more than {STATEMENT_ROWS} movements. Download them as CSV from the history instead."
    detail = "This month has more movements than a statement holds: read them in pages."


@dataclass(frozen=True)
class Statement:
    """An account's month, oldest movement first; amounts in major units, in and out both positive."""

    account: BankAccount
    holder: str
    month: Month
    made_at: datetime
    is_so_far: bool
    opening: Decimal
    money_in: Decimal
    money_out: Decimal
    rows: list[EntryRow]

    @property
    def closing(self) -> Decimal:
        return self.opening + self.money_in - self.money_out


def statement_months(account: BankAccount, *, at: datetime) -> list[Month]:
    """Return the months that have a statement, latest first."""
    first = Entry.objects.filter(account=account, sequence=1).values_list("posted_at", flat=True).first()
    begins_at = min(account.opened_at, first or account.opened_at)
    return list(Month.of(min(account.closed_at or at, at)).back_to(Month.of(begins_at)))


@may_be_behind
def statement_for(user: User, account: BankAccount, month: Month, *, at: datetime) -> Statement:
    """Return the user's statement of a month; for the current month, up to now.

    Entries count by their time, and the opening balance is the sum of all before: so each month begins with the last
    one's closing balance, whichever of two entries at midnight got its sequence first. A document must not lack a
    movement: a replica that is behind on this account is not asked.

    Args:
        account: as read from the primary.

    Raises:
        BankAccount.DoesNotExist: it belongs to another customer.
        NoSuchMonth
        StatementTooLong
    """
    if account.owner_id != user.pk:
        raise BankAccount.DoesNotExist
    if replica.is_reading() and _last_sequence(account) < account.last_sequence:
        raise replica.Behind
    if month not in statement_months(account, at=at):
        raise NoSuchMonth
    filters = HistoryFilters(account=account, date_from=month.first_day, date_to=month.last_day)
    rows = list(filtered_rows(user, filters, most=STATEMENT_ROWS + 1))[::-1]
    if len(rows) > STATEMENT_ROWS:
        raise StatementTooLong
    return Statement(
        account=account,
        holder=user.get_full_name(),
        month=month,
        made_at=at,
        is_so_far=month == Month.of(at),
        opening=_balance_before(account, month.starts_at),
        money_in=sum((row.amount for row in rows if row.amount > 0), Decimal(0)),
        money_out=-sum((row.amount for row in rows if row.amount < 0), Decimal(0)),
        rows=rows,
    )


def _last_sequence(account: BankAccount) -> int:
    sequences = Entry.objects.filter(account=account).order_by("-sequence").values_list("sequence", flat=True)
    return sequences.first() or 0


def _balance_before(account: BankAccount, moment: datetime) -> Decimal:
    """Return the sum of all entries before `moment`: signed, so that it is never larger than a balance."""
    before = Entry.objects.filter(account=account, posted_at__lt=moment)
    return before.aggregate(total=Sum(SIGNED_AMOUNT))["total"] or Decimal(0)
