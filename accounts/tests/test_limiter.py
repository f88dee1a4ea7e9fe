"""At most N times in a sliding window, exact under any parallelism, in rows and in a shared cache (R3.9, R1.4)."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, IntegrityError, OperationalError, transaction

from accounts.sign_in import guesses
from foundation import transactions
from foundation.limiter import limiter
from foundation.limiter.limiter import Limit, TooOften, clear, give_back, seconds_to_wait, take
from foundation.models import RateWindow
from tests.acts import at_once
from tests.asvs import proves

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
THREE_A_MINUTE = Limit(times=3, window_seconds=60)


@pytest.fixture(params=["rows", "shared cache"])
def store(request: pytest.FixtureRequest) -> str:
    """Each test of the limiter's promises runs over both."""
    if request.param == "shared cache":
        request.getfixturevalue("shared_cache")
    return request.param


@pytest.mark.django_db
def test_the_window_slides(store: str) -> None:
    # R3.9: not three at the end of one minute and three at the beginning of the next.
    assert [take("k", THREE_A_MINUTE, at=NOON + timedelta(seconds=s)) for s in (0, 30, 59)] == [2, 1, 0]
    with pytest.raises(TooOften) as refusal:
        take("k", THREE_A_MINUTE, at=NOON + timedelta(seconds=59.5))
    assert refusal.value.retry_after == 1
    assert take("k", THREE_A_MINUTE, at=NOON + timedelta(seconds=60)) == 0
    with pytest.raises(TooOften) as refusal:
        take("k", THREE_A_MINUTE, at=NOON + timedelta(seconds=61))
    assert refusal.value.retry_after == 29
    assert str(refusal.value) == "Try again in 29 seconds."


@pytest.mark.django_db
def test_a_clock_that_is_set_back_keeps_nobody_out(store: str) -> None:
    """R3.9, R1.4: places counted an hour ahead would otherwise count for an hour and a minute. A difference within the
    tolerance counts."""
    ahead, limit = NOON + timedelta(hours=1), Limit(times=3, window_seconds=60, lock_seconds=600)
    for _ in range(3):
        take("k", limit, at=ahead)
    with time_machine.travel(NOON, tick=False):
        assert seconds_to_wait("k", limit) == 0
        assert [take("k", limit) for _ in range(3)] == [2, 1, 0]
        assert seconds_to_wait("k", limit) == 600
    with pytest.raises(TooOften) as refusal:
        take("k", limit, at=NOON - timedelta(seconds=59))
    assert refusal.value.retry_after == 659


@pytest.mark.django_db
def test_a_clock_behind_does_not_forget_what_one_ahead_has_counted(store: str) -> None:
    """R3.9, R1.4: otherwise guesses that are sent to two servers in turn would never use up the places of either."""
    behind, ahead = NOON, NOON + timedelta(seconds=90)
    assert [take("k", THREE_A_MINUTE, at=ahead) for _ in range(3)] == [2, 1, 0]
    assert [take("k", THREE_A_MINUTE, at=behind) for _ in range(3)] == [2, 1, 0]
    for now in (behind, ahead):
        with pytest.raises(TooOften) as refusal:
            take("k", THREE_A_MINUTE, at=now + timedelta(seconds=1))
        assert refusal.value.retry_after == 59
    if store == "rows":
        assert len(RateWindow.objects.get().stamps) == 6
    take("k", THREE_A_MINUTE, at=ahead + timedelta(seconds=60))
    give_back("k")
    assert take("k", THREE_A_MINUTE, at=ahead + timedelta(seconds=60)) == 2, "the last to be taken is given back"


@pytest.mark.django_db
def test_of_clocks_that_were_set_back_no_row_keeps_more_than_one_could_take() -> None:
    # R3.9: whatever clocks say, a key stays one small row.
    for hours in range(10, 0, -1):
        take("k", THREE_A_MINUTE, at=NOON + timedelta(hours=hours))
    assert len(RateWindow.objects.get().stamps) == 4


@pytest.mark.django_db
def test_a_refusal_takes_no_place(store: str) -> None:
    # R3.9: a person who goes on trying is not kept out for longer.
    for _ in range(3):
        take("k", THREE_A_MINUTE, at=NOON)
    for second in range(1, 59, 10):
        with pytest.raises(TooOften):
            take("k", THREE_A_MINUTE, at=NOON + timedelta(seconds=second))
    assert take("k", THREE_A_MINUTE, at=NOON + timedelta(seconds=60)) == 2


@pytest.mark.django_db
def test_keys_do_not_share_places(store: str) -> None:
    # R3.9
    for _ in range(3):
        take("alice", THREE_A_MINUTE, at=NOON)
    assert take("bob", THREE_A_MINUTE, at=NOON) == 2


@pytest.mark.django_db
def test_the_same_token_takes_the_same_place(store: str) -> None:
    # R3.5: a repeated request is not a second one, even when the limit is full.
    assert take("k", THREE_A_MINUTE, token="a", at=NOON) == 2
    assert take("k", THREE_A_MINUTE, token="a", at=NOON) == 2
    take("k", THREE_A_MINUTE, token="b", at=NOON)
    take("k", THREE_A_MINUTE, at=NOON)
    assert take("k", THREE_A_MINUTE, token="a", at=NOON) == 0
    with pytest.raises(TooOften):
        take("k", THREE_A_MINUTE, token="c", at=NOON)
    assert take("k", THREE_A_MINUTE, token="a", at=NOON + timedelta(seconds=61)) == 2, "forgotten with its place"


@pytest.mark.django_db
def test_a_token_whose_try_failed_takes_a_place_again(store: str) -> None:
    # R3.9: refused submits count, each of them.
    limiter.spend("k", "a")
    take("k", THREE_A_MINUTE, token="a", at=NOON)
    take("k", THREE_A_MINUTE, token="b", at=NOON)
    limiter.spend("k", "a")
    assert take("k", THREE_A_MINUTE, token="b", at=NOON) == 1, "another's place is left alone"
    assert take("k", THREE_A_MINUTE, token="a", at=NOON) == 0
    limiter.spend("k", "a")
    with pytest.raises(TooOften):
        take("k", THREE_A_MINUTE, token="a", at=NOON)


@pytest.mark.django_db
def test_a_lock_lasts_from_the_last_place(store: str) -> None:
    # R1.4
    limit = Limit(times=3, window_seconds=600, lock_seconds=600)
    with time_machine.travel(NOON, tick=False) as clock:
        for minute in (0, 4, 8):
            clock.move_to(NOON + timedelta(minutes=minute))
            take("k", limit)
        assert seconds_to_wait("k", limit) == 600
        clock.move_to(NOON + timedelta(minutes=17, seconds=59))
        assert seconds_to_wait("k", limit) == 1
        with pytest.raises(TooOften):
            take("k", limit)
        clock.move_to(NOON + timedelta(minutes=18))
        assert seconds_to_wait("k", limit) == 0
        assert take("k", limit) == 2


@pytest.mark.django_db
def test_a_place_can_be_given_back_and_all_forgotten(store: str) -> None:
    # R1.4
    assert seconds_to_wait("k", THREE_A_MINUTE) == 0
    give_back("k")
    for _ in range(3):
        take("k", THREE_A_MINUTE)
    assert 0 < seconds_to_wait("k", THREE_A_MINUTE) <= 60
    give_back("k")
    assert seconds_to_wait("k", THREE_A_MINUTE) == 0
    assert take("k", THREE_A_MINUTE) == 0
    clear("k")
    assert take("k", THREE_A_MINUTE) == 2
    limiter.clear_all("")
    assert take("k", THREE_A_MINUTE) == 2


@pytest.mark.django_db
def test_a_place_is_given_back_by_what_it_was_taken_for(store: str) -> None:
    # R1.4
    take("k", THREE_A_MINUTE, token="first")
    take("k", THREE_A_MINUTE, token="second")
    assert take("k", THREE_A_MINUTE, token="first") == 1
    give_back("k", token="first")
    give_back("k", token="first")
    give_back("k", token="unknown")
    assert take("k", THREE_A_MINUTE, token="second") == 2
    assert take("k", THREE_A_MINUTE, token="first") == 1


@pytest.mark.django_db(transaction=True)
def test_the_very_same_guess_many_times_at_once_is_one(store: str) -> None:
    """R1.4: eight clicks with one right code lock nobody out, even if all are checked at the same moment; a wrong one
    counts each time, and so do other guesses beside it."""

    def click(more: int, tokens: list[str], answer: bool) -> bool:
        with guesses.counted(email="a@example.com", ip=None, token=tokens[0]) as guess:
            guess.was_right = click(more - 1, tokens[1:] + tokens[:1], answer) if more else answer
        return guess.was_right

    def seconds_locked() -> int:
        return guesses.seconds_locked(email="a@example.com", ip=None)

    assert click(8, ["the code"], True)
    with pytest.raises(TooOften):
        click(8, list("abcdef"), True)
    assert seconds_locked() == 0
    for _ in range(5):
        assert seconds_locked() == 0
        assert not click(0, ["the code"], False)
    assert seconds_locked() > 0
    with pytest.raises(TooOften):
        click(0, ["the code"], True)


@pytest.mark.django_db
def test_all_keys_with_one_beginning_are_looked_at_and_forgotten_together(store: str) -> None:
    # R1.4: staff see whether a person is locked out from anywhere, and let them in again.
    keys = ["guess:a:1", "guess:a:2", "guess:ab:1", "guess:*:1", "guess:[a]:1", "other"]
    for key in keys:
        for _ in range(3):
            take(key, THREE_A_MINUTE)
    limiter.clear("guess:a:1")
    assert limiter.is_any_full("guess:a:", THREE_A_MINUTE)
    limiter.clear_all("guess:a:")
    assert not limiter.is_any_full("guess:a:", THREE_A_MINUTE)
    limiter.clear_all("guess:*")
    limiter.clear_all("guess:[a]:")
    assert [seconds_to_wait(key, THREE_A_MINUTE) > 0 for key in keys] == [False, False, True, False, False, True]
    assert limiter.is_any_full("guess", THREE_A_MINUTE)
    assert not limiter.is_any_full("guess", Limit(times=4, window_seconds=60))


@pytest.mark.django_db
def test_another_limit_for_the_same_key_counts_what_was_taken(store: str) -> None:
    # R3.9: a setting that changes while the bank is open.
    for second in range(3):
        take("k", THREE_A_MINUTE, at=NOON + timedelta(seconds=second))
    assert take("k", Limit(times=5, window_seconds=60), at=NOON + timedelta(seconds=3)) == 1
    with pytest.raises(TooOften) as refusal:
        take("k", Limit(times=2, window_seconds=60), at=NOON + timedelta(seconds=3))
    assert refusal.value.retry_after == 57


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["a|b", "|", "a b\nc", "*", "ключ", "x" * 200])
def test_a_token_is_any_text(store: str, token: str) -> None:
    # R3.5
    assert take("k", THREE_A_MINUTE, token=token, at=NOON) == 2
    assert take("k", THREE_A_MINUTE, token=token, at=NOON) == 2
    assert take("k", THREE_A_MINUTE, token=token + "a", at=NOON) == 1
    limiter.spend("k", token)
    assert take("k", THREE_A_MINUTE, token=token, at=NOON) == 0


@pytest.mark.django_db
def test_no_time_is_lost_between_microseconds(store: str) -> None:
    # R3.9: both stores compute with the same numbers.
    for micro in range(0, 1_000_000, 99_991):
        limiter.clear("k")
        begun = NOON + timedelta(microseconds=micro)
        for _ in range(3):
            take("k", THREE_A_MINUTE, at=begun)
        with pytest.raises(TooOften) as refusal:
            take("k", THREE_A_MINUTE, at=begun + timedelta(seconds=60, microseconds=-1))
        assert refusal.value.retry_after == 1
        assert take("k", THREE_A_MINUTE, at=begun + timedelta(seconds=60)) == 2


@pytest.mark.django_db
def test_a_row_never_holds_more_stamps_than_places() -> None:
    # R3.9: a key that is used for years stays one small row.
    for minute in range(50):
        take("k", THREE_A_MINUTE, at=NOON + timedelta(minutes=minute))
    row = RateWindow.objects.get()
    assert len(row.stamps) == 1
    assert str(row) == "k"


@pytest.mark.django_db
def test_rows_that_nothing_was_counted_in_for_days_are_swept_by_new_ones() -> None:
    # R3.9: an attacker's keys must not pile up, and nothing that still counts may go.
    take("old", THREE_A_MINUTE, at=NOON - timedelta(days=2, seconds=1))
    take("recent", THREE_A_MINUTE, at=NOON - timedelta(days=1))
    take("recent", THREE_A_MINUTE, at=NOON)
    assert RateWindow.objects.count() == 2, "only whoever makes a row sweeps"
    take("new", THREE_A_MINUTE, at=NOON)
    assert {row.key for row in RateWindow.objects.all()} == {"recent", "new"}


@proves("V2.4.1", "V15.4.2")
@pytest.mark.django_db(transaction=True)
def test_thirty_threads_get_exactly_five_places(store: str) -> None:
    # R3.9: a cache's counter lets 20 to 37 of 60 pass.
    limit = Limit(times=5, window_seconds=60)
    results = at_once(*[lambda: limiter.take("k", limit)] * 30)
    assert sorted(result for result in results if isinstance(result, int)) == [0, 1, 2, 3, 4]
    assert [type(result) for result in results].count(TooOften) == 25


@pytest.mark.django_db(transaction=True)
def test_a_place_stays_taken_whether_the_act_succeeds_or_fails() -> None:
    # R3.9: it refuses to hide in a transaction that can be rolled back.
    with pytest.raises(RuntimeError, match="durable"), transaction.atomic():
        take("k", THREE_A_MINUTE)
    assert not RateWindow.objects.exists()


class _DeadlockCause(Exception):
    sqlstate = "40P01"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError("database is locked"), True),
        (DatabaseError("[40001] Transaction was deadlocked on lock resources"), True),
        (OperationalError("(1205, 'deadlock victim')"), True),
        (OperationalError("could not serialize access due to concurrent update"), True),
        (OperationalError("no such table"), False),
        (IntegrityError("UNIQUE constraint failed"), False),
    ],
)
def test_only_a_deadlock_victim_is_tried_again(error: DatabaseError, expected: bool) -> None:
    # R3.4
    assert transactions.is_deadlock_victim(error) is expected


def test_the_drivers_own_code_is_looked_at_too() -> None:
    # R3.4: the text may be in another language.
    error = OperationalError("Verklemmung entdeckt")
    error.__cause__ = _DeadlockCause()
    assert transactions.is_deadlock_victim(error)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("failures", "survives"), [(1, True), (4, True), (5, False)])
def test_a_victim_is_run_again_whole_a_few_times(failures: int, survives: bool, monkeypatch: Any) -> None:
    # R3.4: the fault is injected.
    monkeypatch.setattr(transactions.time, "sleep", lambda seconds: None)
    runs: list[int] = []

    @transactions.own_transaction
    def service() -> str:
        runs.append(RateWindow.objects.count())
        RateWindow.objects.create(key=f"k{len(runs)}", last_at=NOON)
        if len(runs) <= failures:
            raise OperationalError("database is locked") from sqlite3.OperationalError()
        return "done"

    if survives:
        assert service() == "done"
        assert RateWindow.objects.count() == 1
    else:
        with pytest.raises(OperationalError):
            service()
    assert runs == [0] * min(failures + 1, transactions.ATTEMPTS), "each run began from nothing"


@pytest.mark.django_db(transaction=True)
def test_another_error_is_not_repeated() -> None:
    # R3.4
    runs = []

    @transactions.own_transaction
    def service() -> None:
        runs.append(1)
        raise IntegrityError("UNIQUE constraint failed")

    with pytest.raises(IntegrityError):
        service()
    assert len(runs) == 1
