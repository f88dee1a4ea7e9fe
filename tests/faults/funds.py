"""Whether an account can have been too poor for a refused transfer, by the times at which its customers asked and were
told.

Its lowest possible balance is after everything that may have left, and before everything whose arrival nobody was told:
an account with more than that was refused wrongly.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter

from tests.faults.journal import Outcome, Transfer
from tests.faults.people import Account

# The only reason for which a customer of a round may be refused.
REFUSAL = "insufficient_funds"
_time_of = itemgetter(0)


@dataclass
class _Purse:
    """Money that came to an account and left it, each with its time, in minor units."""

    opening: int
    came: list[tuple[float, int]] = field(default_factory=list)  # by when it had arrived
    left: list[tuple[float, int]] = field(default_factory=list)  # when it may have left at the earliest

    def __post_init__(self) -> None:
        self.sort()

    def sort(self) -> None:
        """Sort it, once everything is known."""
        self.came.sort()
        self.left.sort()
        self._came = [0, *accumulate(minor for _, minor in self.came)]
        self._left = [0, *accumulate(minor for _, minor in self.left)]

    def least(self, begun: float, end: float) -> int:
        """Return the least that it can have had at some moment between these two."""
        came = self._came[bisect_left(self.came, begun, key=_time_of)]
        left = self._left[bisect_right(self.left, end, key=_time_of)]
        return self.opening + came - left


def refused_without_need(accounts: Sequence[Account], transfers: Iterable[Transfer]) -> Iterator[str]:
    """Return each refusal for want of funds, by its transfer's key, for which the account had enough all the time."""
    transfers = list(transfers)
    purses = [_Purse(account.balance) for account in accounts]
    for one in transfers:
        if one.outcome != Outcome.REFUSED:
            purses[one.source].left.append((one.begun_at, one.minor))
        if one.outcome == Outcome.ACKNOWLEDGED:
            purses[one.target].came.append((one.done_at, one.minor))
    for purse in purses:
        purse.sort()
    for one in transfers:
        for a_try in one.own_tries:
            if a_try.code == REFUSAL:
                least = purses[one.source].least(a_try.asked_at, a_try.told_at)
                # Its own money, taken by another try, does not justify a refusal.
                own = one.minor if one.outcome != Outcome.REFUSED else 0
                if least + own >= one.minor:
                    yield f"{one.key}: refused {one.minor}, and its account had {least + own} at least"
