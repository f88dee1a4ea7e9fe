"""The shared cache of a round, which can be killed and started again."""

import os
import subprocess
import sys
import tempfile
import time

import pytest
import redis

from tests.faults.cache import Cache
from tests.processes import ROOT

HOLD = """
import sys
from tests.faults.cache import Cache
with Cache.begun() as cache:
    print(cache.environment["CACHE_URL"], flush=True)
    sys.stdin.read()
"""


def test_killed_it_does_not_answer_and_started_again_it_is_empty_at_the_same_address() -> None:
    # R1.4: its counts are lost with it, as docs/adr/0014 says.
    with Cache.begun() as cache:
        client = redis.Redis.from_url(cache.environment["CACHE_URL"])
        client.set("a", "1")
        cache.kill()
        with pytest.raises(redis.ConnectionError):
            client.ping()
        cache.kill()  # once is enough
        cache.start()
        assert client.get("a") is None
        client.set("a", "2")
        assert client.get("a") == b"2"
        client.close()
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(cache.environment["CACHE_URL"]).ping()


def test_it_ends_with_its_parent_even_if_that_is_killed() -> None:
    with tempfile.TemporaryDirectory() as place:
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD],
            cwd=ROOT,
            env=os.environ | {"TMPDIR": place},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert holder.stdout is not None
            client = redis.Redis.from_url(holder.stdout.readline().strip())
            assert client.ping()
        finally:
            holder.kill()
            holder.communicate()
        end = time.monotonic() + 60
        while answers(client):
            assert time.monotonic() < end, "the cache outlives whoever began it"
            time.sleep(0.05)


def answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()
