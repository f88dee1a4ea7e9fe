"""Whether an account can have been too poor for what it was refused, by the times at which its customers asked and were
told.

Its balance is least where all that may have left it had left, and only that had come which somebody was told of: an
account that had more even so was refused money that it had.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import itemgetter

from tests.faults.journal import Outcome, Transfer
from tests.faults.people import Account

# The only reason for which a customer of a round may be told no.
REFUSAL = "insufficient_funds"
_time_of = itemgetter(0)


@dataclass
class _Purse:
    """What came to an account and what left it, each with its time, in minor units."""

    opening: int
    came: list[tuple[float, int]] = field(default_factory=list)  # by when it was there
    left: list[tuple[float, int]] = field(default_factory=list)  # from when on it may be gone

    def __post_init__(self) -> None:
        self.sort()

    def sort(self) -> None:
        """Once all is there."""
        self.came.sort()
        self.left.sort()
        self._came = [0, *accumulate(minor for _, minor in self.came)]
        self._left = [0, *accumulate(minor for _, minor in self.left)]

    def least(self, begun: float, end: float) -> int:
        """The least that it can have had at some moment between these two."""
        came = self._came[bisect_left(self.came, begun, key=_time_of)]
        left = self._left[bisect_right(self.left, end, key=_time_of)]
        return self.opening + came - left


def refused_without_need(accounts: Sequence[Account], transfers: Iterable[Transfer]) -> Iterator[str]:
    """Each refusal for want of funds, by its transfer's key, for which the account had enough all the while."""
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
                # What it took itself, by another try, is no reason to refuse it.
                own = one.minor if one.outcome != Outcome.REFUSED else 0
                if least + own >= one.minor:
                    yield f"{one.key}: refused {one.minor}, and its account had {least + own} at least"
