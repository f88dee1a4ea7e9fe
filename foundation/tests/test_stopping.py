"""A program that is told to end hears it whenever it is told (R9.3)."""

import random
import signal
from collections.abc import Iterator

import pytest

from foundation.stopping import Stop


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    former = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT)}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.set_wakeup_fd(-1)
    for number, handler in former.items():
        signal.signal(number, handler)


def test_a_signal_that_comes_at_any_moment_of_a_wait_ends_it() -> None:
    chance = random.Random(1)
    for _ in range(500):
        stop = Stop()
        stop.listen()
        signal.signal(signal.SIGALRM, lambda *_, stop=stop: stop.set())
        signal.setitimer(signal.ITIMER_REAL, chance.uniform(2e-6, 2e-4))
        assert stop.wait(10)
        assert stop.is_set()


def test_without_one_it_waits_for_its_time() -> None:
    stop = Stop()
    assert not stop.wait(0.01)
    assert not stop.is_set()
