"""Run bankproject/settings.py in a given environment, without starting Django."""

import base64
import os
import secrets
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

SETTINGS = Path(__file__).resolve().parent.parent / "bankproject" / "settings.py"


def _new_ring() -> str:
    return "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


# What the bank does not start without, and no file of settings.
REQUIRED = {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": secrets.token_urlsafe(48),
    "FIELD_KEYS": _new_ring(),
    "LOOKUP_KEYS": _new_ring(),
    "AUDIT_KEYS": _new_ring(),
    "TOKEN_KEYS": _new_ring(),
}


@cache
def _program() -> CodeType:
    return compile(SETTINGS.read_bytes(), SETTINGS, "exec")


def run_settings() -> dict[str, Any]:
    """Return all names that settings.py makes of the present environment.

    Raises:
        ImproperlyConfigured: the bank would not start.
    """
    made: dict[str, Any] = {"__name__": "bankproject.settings", "__file__": str(SETTINGS)}
    exec(_program(), made)  # noqa: S102 - compiled once, run for each environment
    return made
