"""What a line of the log looks like, what never stands in one, and the file that they may go to (R9.5).

A line is one record, whatever text of a client's is in it: nobody writes a line of their own into the log.
"""

import json
import logging
import os
import re
from datetime import UTC, datetime
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from foundation.request_context import current

HIDDEN = "(masked)"

# The logger of the middleware. Its lines are made of names and numbers of ours alone, so that nothing has to be looked
# for in them: that would cost as much as a tenth of a short request.
REQUESTS = "bank.requests"

# Whatever looks like a secret, an account number, an address or a row of the database, wherever it came from: a path,
# an exception's text, a library. A number too many hidden is no harm, one too few is. Every rule is bounded, or begins
# where no such run was before: a client chooses the text, and must not choose how long it takes.
_RULES = [
    # Of an address with a password in it, as of databases, caches and mail servers.
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
    # Tokens and links: long runs of letters and digits, but no SHA-256, which the head of the audit log is told by.
    (re.compile(r"(?<![\w-])eyJ[\w-]*\.[\w-]+(?:\.[\w-]*)?"), HIDDEN),
    (re.compile(r"(?<![\w-])(?![0-9a-f]{64}(?![\w-]))[\w-]{40,}"), HIDDEN),
    # Twelve digits in any grouping that the bank would read, or that an address can spell (R6.2).
    (re.compile(r"(?<!\d)\d(?:(?:[\s+_-]|%20|%2[dD])?\d){11}(?!\d)"), HIDDEN),
    (re.compile(r"(?<![\w.+-])[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63})+"), HIDDEN),
    # PostgreSQL and SQL Server put the values of the row that they refuse into their errors.
    (re.compile(r"(Key \([^)]{0,200}\)=|Failing row contains |duplicate key value is )\(.*"), rf"\1{HIDDEN}"),
]

# What would begin a new line, move the cursor or turn the direction of writing round.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")

# Of a request's record: route, method, status, ms. Nothing else that somebody hangs onto a record is written.
_FACTS = ("route", "method", "status", "ms")


def masked(text: str) -> str:
    """Return the text without secrets, account numbers, e-mail addresses and values of rows."""
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
        """Return the traceback of the exception that the record tells of, if it does."""
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


class SharedRotatingFile(logging.Handler):
    """A log file that any number of processes write to, and one of them turns over when it is full.

    Python's own rotating handler loses lines where several processes share a file: each renames it for itself. Here
    who holds the lock of the full file renames it, and the others see that the path leads to another one. A line is
    one write to the end of the file, so that lines do not mix. Readable by its owner alone.

    Raises:
        OSError: the file cannot be opened; the bank does not start then.
    """

    def __init__(self, path: str, max_bytes: int, kept: int) -> None:
        self._path, self._max_bytes, self._kept = Path(path), max_bytes, kept
        self._file = self._open()
        super().__init__()  # last: logging closes at the end whatever it knows

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
        """Another process has turned the file over, or somebody has moved it away: go on in the new one."""
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
        """Give the full file a number, unless somebody is faster. Only who holds the lock of the very file that is in
        place renames anything. The lock is taken anew: one that was inherited by a fork would be held by both."""
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


_FORMATTERS = {"line": LineFormatter, "json": JsonFormatter}


def logging_config(
    *, level: str, form: str, file: str, megabytes: int, kept: int, tells_requests: bool
) -> dict[str, Any]:
    """Django's LOGGING: all to standard error, and to `file` besides if that is not "".

    Raises:
        ImproperlyConfigured: no such form, or a size or number below 1.
    """
    if form not in _FORMATTERS:
        raise ImproperlyConfigured(f"LOG_FORMAT must be one of {', '.join(_FORMATTERS)}.")
    if megabytes < 1 or kept < 1:
        raise ImproperlyConfigured("LOG_FILE_MEGABYTES and LOG_FILES_KEPT must be 1 or more.")
    handlers: dict[str, dict[str, Any]] = {"stderr": {"class": "logging.StreamHandler", "formatter": "bank"}}
    if file:
        handlers["file"] = {
            "()": SharedRotatingFile,
            "path": file,
            "max_bytes": megabytes * 1024 * 1024,
            "kept": kept,
            "formatter": "bank",
        }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"bank": {"()": _FORMATTERS[form]}},
        "handlers": handlers,
        # They log each batch and each sign-in, people's addresses included, and axes each failure as a warning with
        # what was typed as the address; what matters is in the audit log.
        "loggers": {
            "post_office": {"handlers": [*handlers], "level": "WARNING", "propagate": False},
            "axes": {"level": "ERROR"},
            "fontTools": {"level": "WARNING"},  # tells which letters a statement has
            # Each 4xx once more, by its path: the request's own line says it by its route. Faults of ours stay.
            "django.request": {"level": "ERROR"},
            REQUESTS: {"level": "NOTSET" if tells_requests else "WARNING"},
        },
        "root": {"handlers": [*handlers], "level": level},
    }
