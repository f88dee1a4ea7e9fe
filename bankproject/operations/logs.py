"""What a line of the log looks like, what it never contains, and the file that it may go to (R9.5).

A line is one record, whatever client's text is in it: nobody can write a line of their own into the log.
"""

import json
import logging
import os
import re
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from foundation.request_context import current

HIDDEN = "(masked)"

# The middleware's logger. Its lines have only our own names and numbers, so no search for secrets is needed: that would
# cost a tenth of a short request.
REQUESTS = "bank.requests"

# What may stand between the digits of an account number, and what an address writes for a space: all that is neither a
# letter nor a digit, but of ASCII's signs only these. Times (17:54) and decimals stay readable.
_BETWEEN = r"(?:_|[^\w!-*,./:-@\[-`{-~])"

# Everything that looks like a secret, an account number, an address or a row of the database, wherever it came from: a
# path, an exception's text, a library. Hiding one too many does no harm, one too few does. Every rule is bounded, or
# begins where no such run was before: a client chooses the text, and must not choose how long it takes.
_RULES = [
    # Addresses with a password in them, as of databases, caches and mail servers.
    (re.compile(r"(://)[^\s/]*@"), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(bearer|basic)\s{1,3}[^\s,;\"']+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"((?:passwor[dt]|passwd|pwd|secret|token|api[_-]?key|admin_key|authorization|cookie|(?<![a-z])pin|totp)[\w-]{0,40}"
            r"[\"']?\s{0,3}[=:]\s{0,3})(?:\{[^}]{0,2000}\}|\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?<![a-z])(code\W{1,4})\d{6}\b", re.IGNORECASE), rf"\1{HIDDEN}"),
    # Tokens and links: long runs of letters and digits, but not a SHA-256, which identifies the head of the audit log.
    (re.compile(r"(?<![\w-])eyJ[\w-]*\.[\w-]+(?:\.[\w-]*)?"), HIDDEN),
    (re.compile(r"(?<![\w-])(?![0-9a-f]{64}(?![\w-]))[\w-]{40,}"), HIDDEN),
    # Twelve digits in any grouping that the bank would read: spaces, dashes, invisible marks (R6.2).
    (re.compile(rf"(?<!\d)\d(?:{_BETWEEN}{{0,3}}\d){{11}}(?!\d)"), HIDDEN),
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+"), HIDDEN),
    # PostgreSQL and SQL Server quote the values of a refused row in their errors.
    (re.compile(r"(Key \([^)]{0,200}\)=|Failing row contains |duplicate key value is )\(.*"), rf"\1{HIDDEN}"),
]

# How often an address may have been spelled within another one: that of the page to go on to, after signing in.
_SPELLED_AGAIN = 3

# Characters that would begin a new line, move the cursor or reverse the direction of writing.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

# The fields of a request's record: route, method, status, ms. Other attributes of a record are not written.
_FACTS = ("route", "method", "status", "ms")

# The attribute of a request for what Django complains about, shown in the request's line (`OperationsMiddleware`).
COMPLAINT = "complaint"
_LONGEST_COMPLAINT = 200


def masked(text: str) -> str:
    """Return the text without secrets, account numbers, e-mail addresses and values of rows, however an address spells
    them."""
    text = plain = _without_secrets(text)
    for _ in range(_SPELLED_AGAIN):
        if "%" not in plain:
            break
        plain = unquote(plain)
        hidden = _without_secrets(plain)
        if hidden != plain:
            return hidden
    return text


def _without_secrets(text: str) -> str:
    for pattern, instead in _RULES:
        text = pattern.sub(instead, text)
    return text


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape", "surrogatepass").decode(), text)


class BankFormatter(logging.Formatter):
    """What both kinds of lines are made of."""

    def time_of(self, record: logging.LogRecord) -> str:
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def message_of(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        return text if record.name == REQUESTS else masked(text)

    def trace_of(self, record: logging.LogRecord) -> list[str]:
        """Return the traceback of the record's exception, if it has one."""
        if not record.exc_info:
            return []
        return [_escaped(line) for line in masked(self.formatException(record.exc_info)).split("\n")]


class LineFormatter(BankFormatter):
    """For people: `2026-11-21T17:54:10.123Z INFO logger [request id] message`, tracebacks indented below it."""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{self.time_of(record)} {record.levelname} {record.name} [{current().request_id or '-'}]"
        return "\n    ".join([f"{head} {_escaped(self.message_of(record))}", *self.trace_of(record)])


class JsonFormatter(BankFormatter):
    """For programs: one object in a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": self.time_of(record),
            "level": record.levelname,
            "logger": record.name,
            "request_id": current().request_id,
            "message": self.message_of(record),
        }
        line |= {name: vars(record)[name] for name in _FACTS if name in vars(record)}
        if trace := self.trace_of(record):
            line["exception"] = "\n".join(trace)
        return json.dumps(line, default=str)


class Complaints(logging.Filter):
    """Keeps what Django says about a request that it refuses (an unknown Host, too many fields, CSRF) for the line that
    the request has anyway: it is not our fault and takes no traceback, since anybody can cause it at any time."""

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if request is None or not record.name.startswith("django.security."):
            return True
        kind = record.name.rpartition(".")[2]
        # About CSRF the reason is the first argument; the path, which follows, may be a secret.
        text = str(record.args[0]) if kind == "csrf" and isinstance(record.args, tuple) else record.getMessage()
        vars(request)[COMPLAINT] = masked(f"{kind}: {text}"[:_LONGEST_COMPLAINT])
        return False


class SharedRotatingFile(logging.Handler):
    """A log file that any number of processes write to, and that one of them rotates when it is full.

    Python's own rotating handler loses lines where several processes share a file: each renames it for itself. Here the
    process that holds the lock of the full file renames it, and the others see that the path leads to another one. A
    line is one write to the end of the file, so lines do not mix. Readable only by its owner.

    Raises:
        OSError: the file cannot be opened; the bank does not start then.
    """

    def __init__(self, path: str, max_bytes: int, kept: int) -> None:
        self._path, self._max_bytes, self._kept = Path(path), max_bytes, kept
        self._file = self._open()
        super().__init__()  # last: at the end, logging closes every handler that it knows

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._write((self.format(record) + "\n").encode("utf-8", "backslashreplace"))
        except Exception:  # noqa: BLE001 - as all handlers of logging: a full disk must not stop a payment
            self.handleError(record)

    def close(self) -> None:
        super().close()
        os.close(self._file)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _write(self, line: bytes) -> None:
        self._follow()
        while self._is_full(line):
            self._turn_over()
            self._follow()
        os.write(self._file, line)

    def _follow(self) -> None:
        """Reopen the file if another process has rotated it, or a person has moved it away."""
        if not self._is_in_place(self._file):
            former, self._file = self._file, self._open()
            os.close(former)

    def _is_in_place(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(descriptor))
        except FileNotFoundError:
            return False

    def _is_full(self, line: bytes) -> bool:
        size = os.fstat(self._file).st_size
        return size > 0 and size + len(line) > self._max_bytes

    def _turn_over(self) -> None:
        """Give the full file a number, unless another process is faster. Only the holder of the lock of the file that
        is in place renames anything. The lock is taken on a new handle: one inherited by a fork would be held by
        both."""
        full = self._open()
        try:
            flock(full, LOCK_EX)
            if self._is_in_place(full) and os.path.samestat(os.fstat(full), os.fstat(self._file)):
                for number in range(self._kept - 1, 0, -1):
                    if self._numbered(number).exists():
                        self._numbered(number).replace(self._numbered(number + 1))
                self._path.replace(self._numbered(1))
        finally:
            os.close(full)

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


FORMATTERS = {"line": LineFormatter, "json": JsonFormatter}


def logging_config(
    *, level: str, form: str, file: str, megabytes: int, kept: int, tells_requests: bool
) -> dict[str, Any]:
    """Return Django's LOGGING: everything to standard error, and also to `file` if that is not ""."""
    common = {"formatter": "bank", "filters": ["complaints"]}
    handlers: dict[str, dict[str, Any]] = {"stderr": {"class": "logging.StreamHandler", **common}}
    if file:
        handlers["file"] = {
            "()": SharedRotatingFile,
            "path": file,
            "max_bytes": megabytes * 1024 * 1024,
            "kept": kept,
            **common,
        }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"bank": {"()": FORMATTERS[form]}},
        "filters": {"complaints": {"()": Complaints}},
        "handlers": handlers,
        # These libraries log each batch and each sign-in, people's addresses included, and axes logs each failure as a
        # warning with the typed address; the audit log has what matters.
        "loggers": {
            "post_office": {"handlers": [*handlers], "level": "WARNING", "propagate": False},
            "axes": {"level": "ERROR"},
            "fontTools": {"level": "WARNING"},  # tells which letters a statement has
            # Django's own handlers would write beside ours what is not masked: paths with account numbers and links.
            "django": {"handlers": []},
            "django.server": {"handlers": [], "propagate": True},
            # Django logs each 4xx a second time, by its path: the request's own line names its route. Our faults stay.
            "django.request": {"level": "ERROR"},
            REQUESTS: {"level": "NOTSET" if tells_requests else "WARNING"},
        },
        "root": {"handlers": [*handlers], "level": level},
    }
