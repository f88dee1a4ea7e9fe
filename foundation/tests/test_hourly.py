"""A bound that a process keeps for an hour: for one key and for all (R9.5)."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from foundation.hourly import HourlyBound, Room, forget_all
from foundation.limiter.window import TooOften

NOON = datetime(2026, 11, 3, 12, 30, tzinfo=UTC)


def test_each_key_has_its_own_and_all_have_one_together() -> None:
    bound = HourlyBound(each=2, in_all=3)
    assert [bound.take("a") for _ in range(4)] == [Room.ENOUGH, Room.LAST, Room.NONE, Room.NONE]
    assert [bound.take(key) for key in "bcd"] == [Room.LAST, Room.NONE, Room.NONE]


def test_the_next_hour_begins_anew_and_so_does_a_clock_that_was_set_back() -> None:
    bound = HourlyBound(each=1, in_all=1)
    with time_machine.travel(NOON, tick=False) as clock:
        assert (bound.take(), bound.take()) == (Room.LAST, Room.NONE)
        with pytest.raises(TooOften) as refused:
            bound.require()
        assert refused.value.retry_after == 1800
        for moment in (NOON + timedelta(minutes=30), NOON - timedelta(hours=3)):
            clock.move_to(moment)
            assert (bound.take(), bound.take()) == (Room.LAST, Room.NONE)
        forget_all()
        assert bound.take() is Room.LAST


def test_it_remembers_no_more_keys_than_places() -> None:
    bound = HourlyBound(each=1, in_all=10)
    for number in range(1000):
        bound.take(str(number))
    assert len(bound._taken) == 10
