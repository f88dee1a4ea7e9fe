"""Where taken places are kept: in rows of the database, or in the shared cache where the bank has one.

One or the other, never both at once: what is counted in two places is allowed twice (docs/adr/0014).
"""

from typing import Protocol

from django.conf import settings

from accounts.limit_stores.rows import RowStore
from accounts.limit_stores.shared_cache import SharedCacheStore, client_for
from accounts.limit_stores.window import Limit


class Store(Protocol):
    """Each call is exact under any parallelism. Times are seconds since 1970, UTC."""

    def take(self, key: str, limit: Limit, *, token: str, now: float) -> int: ...

    def spend(self, key: str, token: str) -> None: ...

    def give_back(self, key: str, *, token: str) -> None: ...

    def seconds_to_wait(self, key: str, limit: Limit, *, now: float) -> int: ...

    def clear(self, key: str) -> None: ...

    def clear_all(self, prefix: str) -> None: ...

    def is_any_full(self, prefix: str, limit: Limit, *, now: float) -> bool: ...


def present_store() -> Store:
    """The store that the settings name (`CACHE_URL`)."""
    if settings.CACHE_URL:
        return SharedCacheStore(client_for(settings.CACHE_URL))
    return RowStore()
