"""Which fault strikes next: every kind as often as the others, and for the same seed the same order."""

from collections import Counter
from random import Random

from tests.faults.fault import Fault, Site
from tests.faults.turns import Turns


def faults() -> list[Fault]:
    sites = [tuple(Site), (Site.SQLITE,), (Site.POSTGRESQL, Site.PAIR), (Site.PAIR,), tuple(Site)]
    return [Fault(f"kind {number}", lambda bank, random: None, where) for number, where in enumerate(sites)]


def drawn(seed: int, rounds: int) -> list[tuple[str, Site]]:
    """Rounds of at most three faults each, as `make faults` draws them."""
    turns, found = Turns(faults(), Random(seed)), []
    for _ in range(rounds):
        site = turns.next_site()
        for _ in range(3):
            if due := turns.due_at(site):
                turns.note(due[0], site)
                found.append((due[0].name, site))
    return found


def test_each_kind_comes_equally_often_and_each_site_has_its_share() -> None:
    for seed in range(20):
        found = drawn(seed, 60)
        kinds = Counter(name for name, _ in found)
        assert max(kinds.values()) - min(kinds.values()) <= 1
        assert len(kinds) == len(faults())
        of_the_first = Counter(site for name, site in found if name == "kind 0")
        assert max(of_the_first.values()) - min(of_the_first.values()) <= 2, of_the_first


def test_a_seed_draws_the_same_faults_again_and_another_one_others() -> None:
    assert drawn(1, 10) == drawn(1, 10)
    assert any(drawn(1, 10) != drawn(seed, 10) for seed in range(2, 6))


def test_a_fault_strikes_where_it_can() -> None:
    sites = {fault.name: fault.sites for fault in faults()}
    assert all(site in sites[name] for name, site in drawn(3, 40))
