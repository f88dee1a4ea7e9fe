"""Every query that any test runs, compiled for SQL Server as well and checked against the rules (R9.4).

It listens to Django's compilers: queries for another engine are compiled once more for a pretended server of each
version, go through the backend's own cursor, and are checked as the driver would get them. So all queries of pages,
API, staff's lists, commands and tests are checked, without a list to maintain. Each text is checked once in a run of
the tests. Nothing is run twice: there is no server.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models.sql import compiler as compilers
from django.db.models.sql import subqueries

from tests.mssql.pretended import VERSIONS, PretendedServer, Sent, as_default, connection_to
from tests.mssql.rules import faults

_LISTENED = (
    compilers.SQLCompiler,
    compilers.SQLInsertCompiler,
    compilers.SQLDeleteCompiler,
    compilers.SQLUpdateCompiler,
    compilers.SQLAggregateCompiler,
)


class LookedAt:
    """Which texts any process of this run has checked, as digests at the end of one file."""

    _BYTES = 16

    def __init__(self, file: Path) -> None:
        self._file = file.open("a+b", buffering=0)
        self._digests: set[bytes] = set()
        self._read_bytes = 0

    def __contains__(self, text: str) -> bool:
        self._file.seek(self._read_bytes)
        read = self._file.read()
        whole = len(read) // self._BYTES * self._BYTES
        self._digests.update(read[at : at + self._BYTES] for at in range(0, whole, self._BYTES))
        self._read_bytes += whole
        return self._digest(text) in self._digests

    def add(self, text: str) -> None:
        self._file.write(self._digest(text))

    def _digest(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode(), digest_size=self._BYTES).digest()


class Listener:
    """Statements compiled since it began to listen, and the findings in them."""

    def __init__(self, looked_at: LookedAt | None = None) -> None:
        self.texts: set[str] = set()
        self._looked_at = looked_at
        self.statements: set[str] = set()
        self.allowed: frozenset[str] = frozenset()  # rules that the current test may break
        self._found: list[str] = []
        self._lock = threading.Lock()
        self._inside = threading.local()
        self._connections = {version: connection_to(PretendedServer(), version) for version in VERSIONS}

    def take(self) -> list[str]:
        """Return the findings since the last call."""
        with self._lock:
            found, self._found = self._found, []
        return found

    @contextmanager
    def listening(self) -> Iterator["Listener"]:
        originals = {kind: kind.__dict__["as_sql"] for kind in _LISTENED if "as_sql" in kind.__dict__}
        for kind, original in originals.items():
            setattr(kind, "as_sql", self._heard(original))  # noqa: B010 - a method, put in another's place
        try:
            yield self
        finally:
            for kind, original in originals.items():
                setattr(kind, "as_sql", original)  # noqa: B010

    def _heard(self, original: Any) -> Any:
        def as_sql(compiler: Any, *args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "now", False) or compiler.connection.vendor == "microsoft":
                return original(compiler, *args, **kwargs)
            self._inside.now = True
            try:
                compiled = original(compiler, *args, **kwargs)
                self.look_at(compiler, compiled[0][0] if isinstance(compiled, list) else compiled[0])
            finally:
                self._inside.now = False
            return compiled

        return as_sql

    def look_at(self, compiler: Any, text: str) -> None:
        """Compile the query of a compiler for another engine, which made `text` of it."""
        with self._lock:
            if not text or text in self.texts:
                return
            if self._looked_at is not None and text in self._looked_at:
                self.texts.add(text)
                return
            for version in VERSIONS:
                self._found += self._faults(compiler, version)
            if not self.allowed:
                self.texts.add(text)
                if self._looked_at is not None:
                    self._looked_at.add(text)

    def _faults(self, compiler: Any, version: int) -> Iterator[str]:
        connection = self._connections[version]
        try:
            sent = for_server(compiler, connection)
        except Exception as error:  # noqa: BLE001 - whatever it is, it would be one on SQL Server
            yield f"{type(error).__name__}: {error} (SQL Server {version}), compiling {compiler.query.model}"
            return
        for text, values in sent:
            if text not in self.statements:
                broken = faults(text, values, version)
                if self.allowed.isdisjoint(broken):
                    self.statements.add(text)
                yield from (
                    f"{name} (SQL Server {version}): {text} {values!r:.300}"
                    for name in broken
                    if name not in self.allowed
                )


def for_server(compiler: Any, connection: Any) -> list[Sent]:
    """Return what the backend would send to `connection` for the query of a compiler for another engine."""
    query = compiler.query.clone()
    is_insert = isinstance(query, subqueries.InsertQuery)
    if is_insert:
        # Django adds to many-to-many relations in this way only where the engine can; elsewhere it looks first.
        if query.on_conflict is not None and not query.get_meta().auto_created:
            raise NotImplementedError("bulk_create() with conflicts")
        query.on_conflict = None
        # Copies, since saving sets the time again in some fields; and no more than go into one statement there.
        size = max(1, connection.ops.bulk_batch_size(query.fields, query.objs))
        query.objs = [_copied(one) for one in query.objs[:size]]
    connection.get_autocommit = compiler.connection.get_autocommit
    with as_default(connection):
        mine = query.get_compiler(using=DEFAULT_DB_ALIAS)
        if is_insert:
            mine.returning_fields = getattr(compiler, "returning_fields", None) if len(query.objs) == 1 else None
        compiled = mine.as_sql()
        connection.server.sent.clear()
        with connection.cursor() as cursor:
            for text, values in compiled if is_insert else [compiled]:
                cursor.execute(text, values)
    return list(connection.server.sent)


def _copied(row: Any) -> Any:
    """Copy it by its attributes, since `copy` would look for the model among the installed ones."""
    other = row.__class__.__new__(row.__class__)
    other.__dict__.update(row.__dict__)
    return other
