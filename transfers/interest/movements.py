"""Movements on savings accounts, each with the day from which it counts for interest (R9.2, R3.15).

That is the day of the movement; for a reversal, the day of what it reverses, so that a mistake earns nothing and costs
nothing. The account's interest is left out: it counts from the end of its month on, whenever it was posted.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from accounts.models import BankAccount
from foundation.money import to_minor
from transfers.models import Direction, Entry, TransactionKind
from transfers.periods import day_of, end_of_day


@dataclass(frozen=True)
class Moved:
    """A movement on an account; `amount` in minor units in or out, `reversal` its reference if it is a reversal."""

    sequence: int
    counts_from: date
    amount: int
    reversal: str

    @property
    def as_counted(self) -> tuple[date, int]:
        """Return what `counting` needs."""
        return self.counts_from, self.amount


def moved_after(accounts: Sequence[BankAccount], days: Mapping[int, date]) -> dict[int, list[Moved]]:
    """Return the movements on each account since a day of its own ended, in one statement; a reversal may count from an
    earlier day."""
    begins_at = {pk: end_of_day(day) for pk, day in days.items()}
    found: dict[int, list[Moved]] = {account.pk: [] for account in accounts}
    if found:
        for pk, posted_at, moved in _movements(accounts, since=min(begins_at.values())):
            if posted_at >= begins_at[pk]:
                found[pk].append(moved)
    return found


def all_that_moved(accounts: Sequence[BankAccount]) -> dict[int, list[Moved]]:
    """Return what moved on each account since it was opened."""
    found: dict[int, list[Moved]] = {account.pk: [] for account in accounts}
    for pk, _, moved in _movements(accounts, since=None):
        found[pk].append(moved)
    return found


def _movements(accounts: Sequence[BankAccount], *, since: datetime | None) -> Iterator[tuple[int, datetime, Moved]]:
    read_at = {account.pk: account.last_sequence for account in accounts}
    entries = Entry.objects.filter(account__in=list(read_at)).exclude(transaction__kind=TransactionKind.INTEREST)
    if since is not None:
        entries = entries.filter(posted_at__gte=since)
    columns = ("account_id", "sequence", "posted_at", "direction", "amount")
    of_reversal = ("transaction__reverses__created_at", "transaction__reference")
    for pk, sequence, posted_at, direction, amount, reversed_from, reference in entries.values_list(
        *columns, *of_reversal
    ).iterator():
        # Without a lock, an entry may have come after the balance was read.
        if sequence <= read_at[pk]:
            signed = to_minor(amount) if direction == Direction.CREDIT else -to_minor(amount)
            is_reversal = reversed_from is not None
            moved = Moved(sequence, day_of(reversed_from or posted_at), signed, reference if is_reversal else "")
            yield pk, posted_at, moved
