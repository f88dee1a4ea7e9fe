"""The shared cache of a round, which can be killed and started again."""

import pytest
import redis

from tests.faults.cache import Cache


def test_killed_it_does_not_answer_and_started_again_it_is_empty_at_the_same_address() -> None:
    # R1.4: what was counted is lost with it, as docs/adr/0014 says.
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
