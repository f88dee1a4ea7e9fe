"""Limits in a shared cache: they expire, hold nothing readable, and stop the bank rather than let pass (R1.4, R3.9)."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.test import Client

from foundation.limiter import limiter
from foundation.limiter.limiter import Limit, LimitsUnavailable, Place, TooOften
from foundation.limiter.redis import client_for
from foundation.models import RateWindow
from tests.acts import WRONG_PASSWORD, give_code, give_password, hashing, is_signed_in
from tests.asvs import proves
from tests.shared_cache import cache_server
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

LIMIT = Limit(times=3, window_seconds=60)
LOCKING = Limit(times=3, window_seconds=60, lock_seconds=600)


@pytest.fixture
def no_cache(settings: Any) -> None:
    settings.CACHE_URL = "unix:///nowhere/cache.sock"


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bank-cache-"))
    yield path
    shutil.rmtree(path)


def names_in(cache: Any) -> list[str]:
    return list(cache.keys())


def test_every_key_expires_by_itself(shared_cache: Any) -> None:
    limiter.take("short", LIMIT, token="a")
    limiter.take("long", LOCKING)
    limiter.spend("short", "a")
    limiter.take("short", LIMIT)
    limiter.give_back("short")
    lives = {name: shared_cache.ttl(name) for name in names_in(shared_cache)}
    assert set(lives) == {"bank:limit:short", "bank:limit:long"}
    assert 60 < lives["bank:limit:short"] <= 120
    assert 600 < lives["bank:limit:long"] <= 660


def test_an_empty_key_is_gone_and_a_full_one_is_small(shared_cache: Any) -> None:
    limiter.take("k", LIMIT)
    limiter.give_back("k")
    assert names_in(shared_cache) == []
    for _ in range(3):
        limiter.take("k", LIMIT)
    for _ in range(10):
        with pytest.raises(TooOften):
            limiter.take("k", LIMIT)
    assert shared_cache.llen("bank:limit:k") == 3


def test_if_not_all_places_are_free_those_taken_before_stay_taken(shared_cache: Any) -> None:
    """The same guess at the same moment finds its own place taken, and a wider limit full: the first one still
    counts."""
    once = Limit(times=1, window_seconds=60)
    limiter.take_all([Place("own", once, "a guess"), Place("wide", once)])
    with pytest.raises(TooOften):
        limiter.take_all([Place("own", once, "a guess"), Place("wide", once)])
    with pytest.raises(TooOften):
        limiter.take("own", once)


def test_what_lies_next_to_it_is_left_alone(shared_cache: Any) -> None:
    shared_cache.set("somebody else's", "1")
    limiter.take("k", LIMIT)
    limiter.clear_all("")
    assert names_in(shared_cache) == ["somebody else's"]


def test_with_a_cache_no_row_is_written(shared_cache: Any, alice: Any, client: Client, code_of: Any) -> None:
    give_password(client, alice.email, WRONG_PASSWORD)
    kinds = sorted(name.split(":")[2] for name in names_in(shared_cache))
    assert kinds == ["guess", "guess-network"]
    assert alice.email not in " ".join(names_in(shared_cache))
    give_password(client, alice.email)
    give_code(client, code_of(alice))
    assert is_signed_in(client)
    assert [name.split(":")[2] for name in names_in(shared_cache)] == ["guess-network"], "others' wrong ones"
    assert not RateWindow.objects.exists()


@proves("V16.5.2", "V16.5.3")
def test_without_its_cache_the_bank_says_so_and_does_nothing_that_is_limited(
    no_cache: None, alice: Any, browser_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # R1.4: no extra guess, and nobody who is told that it was their fault.
    with hashing() as runs:
        answer = give_password(Client(), alice.email)
    assert (answer.status_code, answer["Retry-After"], runs) == (503, "30", [])
    assert "Nothing was changed" in answer.content.decode()
    assert "the shared cache does not count" in caplog.text
    assert browser_of(alice).get("/dashboard/").status_code == 200, "looking goes on"
    assert not RateWindow.objects.exists()


@in_one_world(
    "call",
    [
        lambda: limiter.take("k", LIMIT),
        lambda: limiter.spend("k", "a"),
        lambda: limiter.give_back("k"),
        lambda: limiter.seconds_to_wait("k", LIMIT),
        lambda: limiter.clear("k"),
        lambda: limiter.clear_all("k"),
        lambda: limiter.is_any_full("k", LIMIT),
    ],
)
def test_no_call_passes_without_an_answer(no_cache: None, call: Any) -> None:
    with pytest.raises(LimitsUnavailable):
        call()


def test_after_a_restart_of_the_cache_it_goes_on_at_once(folder: Path, settings: Any) -> None:
    with cache_server(folder) as settings.CACHE_URL:
        limiter.take("k", LIMIT)
    with pytest.raises(LimitsUnavailable):
        limiter.take("k", LIMIT)
    with cache_server(folder) as settings.CACHE_URL:
        assert limiter.take("k", LIMIT) == 2


def test_nothing_is_sent_a_second_time(shared_cache: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place given back twice would be one too many. The fault: the answer is lost on its way."""
    for _ in range(3):
        limiter.take("k", LIMIT)
    original = redis.connection.Connection.read_response

    def lose(self: Any, *args: Any, **kwargs: Any) -> Any:
        original(self, *args, **kwargs)
        raise redis.ConnectionError("lost")

    with monkeypatch.context() as fault:
        fault.setattr(redis.connection.AbstractConnection, "read_response", lose)
        with pytest.raises(LimitsUnavailable):
            limiter.give_back("k")
    assert shared_cache.llen("bank:limit:k") == 2


@proves("V15.4.1")
def test_all_threads_of_a_process_share_one_pool(cache_url: str) -> None:
    assert client_for(cache_url) is client_for(cache_url)
