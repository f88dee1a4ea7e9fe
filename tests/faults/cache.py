"""The shared cache of a round, where sign-ins, codes and look-ups are counted (R1.4, ADR 14)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.shared_cache import CacheServer, begun_cache


class Cache:
    """A Redis or Valkey that can be killed and started again, empty, at the same socket."""

    def __init__(self, server: CacheServer) -> None:
        self._server = server
        self.kill = server.kill
        self.start = server.start

    @classmethod
    @contextmanager
    def begun(cls, folder: Path | None = None) -> Iterator["Cache"]:
        """Start one; it ends with the block. Its socket is not in the folder, since a socket's path must be short."""
        with begun_cache() as server:
            yield cls(server)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of all processes of a bank that counts there."""
        return {"CACHE_URL": self._server.url}
