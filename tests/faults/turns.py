"""Which fault strikes next: all kinds equally often, each on all its sites, in an order that only the seed decides."""

from collections import Counter
from collections.abc import Sequence
from random import Random

from tests.faults.fault import Fault, Site


class Turns:
    """The kinds that came least so far come first, each on a site where it came least; if several did, the first of a
    shuffled list. Each round makes a new bank, so a round stays on its site for as long as something is due there."""

    def __init__(self, faults: Sequence[Fault], random: Random) -> None:
        self._faults = random.sample(list(faults), len(faults))
        self._at: Counter[tuple[str, Site]] = Counter()

    def next_site(self) -> Site:
        """Return where the next kind can strike; if there are several such sites, the one where rounds have done
        least."""
        fault = min(self._faults, key=self._came)
        return min((site for site in fault.sites if self._is_due(fault, site)), key=self._done_at)

    def due_at(self, site: Site) -> list[Fault]:
        """Return what may strike there now, the next one first; nothing if another site is next."""
        return [fault for fault in self._faults if site in fault.sites and self._is_due(fault, site)]

    def note(self, fault: Fault, site: Site) -> None:
        """Note that it strikes."""
        self._at[fault.name, site] += 1

    def _is_due(self, fault: Fault, site: Site) -> bool:
        is_its_turn = self._came(fault) == min(map(self._came, self._faults))
        return is_its_turn and self._at[fault.name, site] == min(self._at[fault.name, one] for one in fault.sites)

    def _came(self, fault: Fault) -> int:
        return sum(self._at[fault.name, site] for site in fault.sites)

    def _done_at(self, site: Site) -> int:
        return sum(times for (_, where), times in self._at.items() if where == site)
