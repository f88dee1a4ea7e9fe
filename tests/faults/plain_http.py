"""Requests of the clients: sent now, their answers read later, and every failure a plain value.

A new connection for each, as the bank's sync workers need it.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servers import http

from tests.faults.journal import NO_ANSWER, PAGE, PROBLEM

# Longer than a worker may take for one request (`timeout` of deploy/gunicorn.conf.py).
PATIENCE_SECONDS = 45


# What each error of the API has (R7.3).
_PROBLEM_KEYS = {"type", "title", "status", "detail", "code", "request_id"}


class BrokenOff(ValueError):
    """An answer breaks off, or has not begun."""


@dataclass(frozen=True)
class Answer:
    """The answer, or why there was none: then the status is NO_ANSWER."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    why: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case

    @property
    def shape(self) -> str:
        """Return PROBLEM, the API's one shape of errors; PAGE; or "" for all others."""
        kind = self.headers.get("content-type", "").partition(";")[0]
        if (
            kind == "application/problem+json"
            and self.body.keys() >= _PROBLEM_KEYS
            and self.body["status"] == self.status
        ):
            return PROBLEM
        return PAGE if kind == "text/html" else ""

    def told(self) -> dict[str, Any]:
        """Return what a journal keeps of it."""
        code = self.body.get("code") or self.body.get("state") or self.why
        return {
            "status": self.status,
            "code": code,
            "shape": self.shape,
            "retry_after": self.headers.get("retry-after", ""),
        }


class Waiting:
    """A request that is on its way."""

    def __init__(self, connection: socket.socket | None, why: str = "") -> None:
        self._connection, self._why = connection, why

    def answer(self) -> Answer:
        """Read the answer to its end; a broken one is NO_ANSWER."""
        if self._connection is None:
            return Answer(NO_ANSWER, why=self._why)
        try:
            with self._connection as connection:
                parts = []
                while part := connection.recv(65536):
                    parts.append(part)
            return read(b"".join(parts))
        except (OSError, ValueError) as error:
            return Answer(NO_ANSWER, why=type(error).__name__)


def send(port: int, method: str, path: str, body: object = None, **headers: str) -> Waiting:
    """Send a request; header names are written with underscores."""
    request = http(method, path, body, **headers)
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    except OSError as error:
        return Waiting(None, type(error).__name__)
    try:
        connection.sendall(request)
    except OSError as error:
        connection.close()
        return Waiting(None, type(error).__name__)
    return Waiting(connection)


def read(text: bytes) -> Answer:
    """Read an answer.

    Raises:
        BrokenOff: it is not complete.
        ValueError: it is not HTTP.
    """
    head, found, content = text.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines[1:]]
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if not found:
        raise BrokenOff
    if headers.get("transfer-encoding") == "chunked":  # a page made outside of the middleware that counts its bytes
        content = _joined(content)
    elif int(headers.get("content-length", "-1")) != len(content):
        raise BrokenOff
    status = int(lines[0].split(" ")[1])
    try:
        body = json.loads(content)
    except ValueError:
        body = {}  # a page
    return Answer(status, body if isinstance(body, dict) else {}, headers=headers)


def _joined(chunks: bytes) -> bytes:
    """Return the chunks joined.

    Raises:
        BrokenOff: the last one, which is empty, has not come.
        ValueError
    """
    parts: list[bytes] = []
    while True:
        size, found, chunks = chunks.partition(b"\r\n")
        length = int(size, 16) if found else 0
        if not found or len(chunks) < length + 2:
            raise BrokenOff
        if not length:
            return b"".join(parts)
        parts.append(chunks[:length])
        chunks = chunks[length + 2 :]


# States of /proc/net/tcp in which a connection has not been closed by this side: ESTABLISHED, SYN_RECV, CLOSE_WAIT.
_OPEN = {"01", "03", "08"}


def open_connections(port: int) -> int:
    """Return how many connections to this port its server has not closed, including those that it has not accepted
    yet."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    ends = ((fields[1], fields[3]) for fields in map(str.split, lines))
    return sum(int(local.partition(":")[2], 16) == port and state in _OPEN for local, state in ends)


def answers(port: int) -> bool:
    """Return whether a worker of the bank answers there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(http("GET", "/healthz"))
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False
