"""The operator's list of stolen passwords: a sorted file of SHA-1 digests, searched on disk.

It is the list of Have I Been Pwned: lines `DIGEST:count`, or only digests, in hex. No password leaves the machine, and
the file may have any size: a search reads some forty lines.
"""

import hashlib
import logging
import os
import re
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ValidationError

logger = logging.getLogger(__name__)

_LINE = re.compile(rb"([0-9A-Fa-f]{40})(:[0-9]+)?\r?\n?")
_LONGEST_LINE = 100
_SAMPLES = 64


class MalformedList(Exception):
    """A line is not a digest, so that the list cannot say anything about any password."""


class BreachedPasswordValidator:
    """Refuses passwords on the list. While the list cannot be read it refuses everything: the operator asked for the
    check, and a password that was never looked up would stay for years."""

    def validate(self, password: str, user: Any = None) -> None:
        if not settings.BREACHED_PASSWORDS_FILE:
            return
        try:
            is_breached = is_listed(password, Path(settings.BREACHED_PASSWORDS_FILE))
        except (OSError, MalformedList) as error:
            logger.error("BREACHED_PASSWORDS_FILE cannot be searched: %s", error)
            raise ValidationError(
                "New passwords cannot be checked just now, so none can be set. Please try again later.",
                code="breach_list_unavailable",
            ) from error
        if is_breached:
            raise ValidationError(
                "This password is known from a theft at some other site. Choose one that you use nowhere else.",
                code="password_breached",
            )


def is_listed(password: str, path: Path) -> bool:
    """Return whether the digest of `password` is in the sorted file.

    Raises:
        OSError, MalformedList
    """
    # SHA-1 because the list is: it finds, it protects nothing.
    wanted = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper().encode()
    with path.open("rb") as file:
        low, high = 0, file.seek(0, os.SEEK_END)
        while low < high:  # the line, if there is one, begins at low or after it and before high
            middle = (low + high) // 2
            digest, end = _digest_from(file, middle)
            if digest == wanted:
                return True
            if digest is None or digest > wanted:
                high = middle
            else:
                low = end
    return False


def _digest_from(file: BinaryIO, offset: int) -> tuple[bytes | None, int]:
    """Return the digest in the first line that begins at `offset` or after it, and where that line ends; None at the
    end."""
    file.seek(max(offset - 1, 0))
    if offset:
        file.readline(_LONGEST_LINE)
    line = file.readline(_LONGEST_LINE)
    if not line:
        return None, file.tell()
    found = _LINE.fullmatch(line)
    if found is None:
        raise MalformedList("a line is not a SHA-1 digest with a count")
    return found[1].upper(), file.tell()


def check_breach_list(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Check that the list, if one is named, can be searched: readable, digests, sorted, at samples throughout the
    file."""
    if not settings.BREACHED_PASSWORDS_FILE:
        return []
    try:
        fault = _fault_of(Path(settings.BREACHED_PASSWORDS_FILE))
    except (OSError, MalformedList) as error:
        fault = str(error)
    return [Error(f"BREACHED_PASSWORDS_FILE: {fault}", id="accounts.E010")] if fault else []


def _fault_of(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        found = [_digest_from(file, size * place // _SAMPLES)[0] for place in range(_SAMPLES)]
    digests = [digest for digest in found if digest is not None]
    if not digests:
        return "it is empty"
    return "" if digests == sorted(digests) else "it is not sorted by digest"
