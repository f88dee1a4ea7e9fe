"""Which fault strikes next: all kinds equally often, in an order that the seed alone decides."""

from collections import Counter
from collections.abc import Sequence
from random import Random

from tests.faults.fault import Fault, Site


class Turns:
    """The kinds that came least so far come first; of those that came equally often, the first of a shuffled list.

    What a site is made for anew each time is its set-up; so a round stays on its site while that has something to do.
    """

    def __init__(self, faults: Sequence[Fault], random: Random) -> None:
        self._faults = random.sample(list(faults), len(faults))
        self.came: Counter[str] = Counter()
        self._at: Counter[tuple[str, Site]] = Counter()

    def next_site(self) -> Site:
        """Of the kind whose turn it is, the site where it came least."""
        fault = self._least(self._faults)
        return min(
            fault.sites, key=lambda site: (self._at[fault.name, site], self._work_at(site), list(Site).index(site))
        )

    def next_fault(self, site: Site) -> Fault:
        """The kind whose turn it is on this site."""
        fault = min(
            (fault for fault in self._faults if site in fault.sites),
            key=lambda fault: (self.came[fault.name], self._at[fault.name, site]),
        )
        self.came[fault.name] += 1
        self._at[fault.name, site] += 1
        return fault

    def has_more_at(self, site: Site) -> bool:
        """Whether a kind whose turn it is can strike there."""
        least = min(self.came[fault.name] for fault in self._faults)
        return any(site in fault.sites and self.came[fault.name] == least for fault in self._faults)

    def _least(self, faults: Sequence[Fault]) -> Fault:
        return min(faults, key=lambda fault: self.came[fault.name])

    def _work_at(self, site: Site) -> int:
        """How often rounds were there already."""
        return sum(times for (_, where), times in self._at.items() if where == site)
