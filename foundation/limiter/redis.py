"""Places in Redis or Valkey: a list for each key, changed by scripts that the server runs one at a time.

The keys expire by themselves. A command is never sent twice: a place given back twice would be one too many.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from foundation.limiter.window import CLOCKS_DIFFER_SECONDS, Limit, LimitsUnavailable, Place, TooOften, wait_of

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

_PREFIX = "bank:limit:"
_ANSWER_SECONDS = 2

# An item is "seconds since 1970|token", in the order of `window`; the script is asked for a place, at `now`. Returns
# {places left or -1, seconds to wait, whether the place was taken now}.
_TAKE = """
local now, window, lock, times = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local token, kept, clocks_differ = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local function time_of(item) return tonumber(string.match(item, '^[^|]*')) end
local function wait_of(items)
    if #items < times then return 0 end
    local first, last = math.huge, 0
    for _, item in ipairs(items) do first, last = math.min(first, time_of(item)), math.max(last, time_of(item)) end
    return math.max(0, math.ceil(math.max(first + window, last + lock) - now))
end
local items, ahead = {}, {}
for _, item in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    local is_ahead = time_of(item) > now + clocks_differ
    table.insert(is_ahead and ahead or items, item)
end
local wait = wait_of(items)
local counting = {}
for _, item in ipairs(items) do
    if wait > 0 or time_of(item) + window > now then counting[#counting + 1] = item end
end
if token ~= '' then
    for _, item in ipairs(counting) do
        if string.match(item, '|(.*)$') == token then return {times - #counting, 0, 0} end
    end
end
if #counting >= times then return {-1, wait_of(counting), 0} end
counting[#counting + 1] = ARGV[1] .. '|' .. token
redis.call('DEL', KEYS[1])
for index = math.max(1, #ahead - times + 1), #ahead do redis.call('RPUSH', KEYS[1], ahead[index]) end
for _, item in ipairs(counting) do redis.call('RPUSH', KEYS[1], item) end
redis.call('EXPIRE', KEYS[1], kept)
return {times - #counting, 0, 1}
"""

_SPEND = """
for index, item in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    local time, token = string.match(item, '^([^|]*)|(.*)$')
    if token == ARGV[1] then redis.call('LSET', KEYS[1], index - 1, time .. '|') end
end
"""

_GIVE_BACK = """
for _, item in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
    if string.match(item, '|(.*)$') == ARGV[1] then redis.call('LREM', KEYS[1], 1, item) end
end
"""


@lru_cache(maxsize=4)
def client_for(url: str) -> redis.Redis:
    """Return the process's pool of connections; it survives threads, forks and a restart of the cache."""
    return redis.Redis.from_url(
        url,
        decode_responses=True,
        socket_timeout=_ANSWER_SECONDS,
        socket_connect_timeout=_ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def _or_unavailable(call: Callable[P, R]) -> Callable[P, R]:
    """Run it, and refuse if the cache does not answer: counting in rows instead would allow everything a second
    time."""

    @wraps(call)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except redis.RedisError as error:
            logger.error("the shared cache does not count: %s", error)
            raise LimitsUnavailable from error

    return run


class SharedCacheStore:
    def __init__(self, client: redis.Redis) -> None:
        self.client: Any = client

    @_or_unavailable
    def take(self, places: Sequence[Place], *, now: float) -> list[int]:
        lefts: list[int] = []
        taken: list[tuple[str, str]] = []
        for place in places:
            left, wait, is_new = self._take(place, now)
            if left < 0:
                self.give_back(taken)
                raise TooOften(wait, place)
            lefts.append(left)
            if is_new:
                taken.append((place.key, place.token))
        return lefts

    @_or_unavailable
    def spend(self, key: str, token: str) -> None:
        self.client.register_script(_SPEND)(keys=[_PREFIX + key], args=[token])

    @_or_unavailable
    def give_back(self, taken: Sequence[tuple[str, str]]) -> None:
        for key, token in taken:
            if token:
                self.client.register_script(_GIVE_BACK)(keys=[_PREFIX + key], args=[token])
            else:
                self.client.rpop(_PREFIX + key)

    @_or_unavailable
    def seconds_to_wait(self, key: str, limit: Limit, *, now: float) -> int:
        return self._wait(_PREFIX + key, limit, now)

    @_or_unavailable
    def clear(self, key: str) -> None:
        self.client.delete(_PREFIX + key)

    @_or_unavailable
    def clear_all(self, prefix: str) -> None:
        for name in self._names(prefix):
            self.client.delete(name)

    @_or_unavailable
    def is_any_full(self, prefix: str, limit: Limit, *, now: float) -> bool:
        return any(self._wait(name, limit, now) > 0 for name in self._names(prefix))

    def _take(self, place: Place, now: float) -> tuple[int, int, int]:
        limit = place.limit
        # A key must not expire while a machine whose clock is behind still counts it.
        kept = max(limit.window_seconds, limit.lock_seconds) + CLOCKS_DIFFER_SECONDS
        numbers = [repr(now), limit.window_seconds, limit.lock_seconds, limit.times]
        left, wait, is_new = self.client.register_script(_TAKE)(
            keys=[_PREFIX + place.key], args=[*numbers, place.token, kept, CLOCKS_DIFFER_SECONDS]
        )
        return left, wait, is_new

    def _wait(self, name: str, limit: Limit, now: float) -> int:
        items = self.client.lrange(name, 0, -1)
        return wait_of([[float(item.partition("|")[0])] for item in items], limit, now)

    def _names(self, prefix: str) -> Iterator[str]:
        """Walk over all keys: only staff ask for this, to see whether a person is locked out."""
        pattern = "".join(f"\\{char}" if char in r"*?[]^\-" else char for char in _PREFIX + prefix)
        return self.client.scan_iter(match=f"{pattern}*", count=1000)
