"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from typing import Any


def wait_until(holds: Callable[[], Any], what: str = "it", *, seconds: float = 120) -> None:
    """Look until it holds.

    Raises:
        AssertionError: it never did.
    """
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"In vain waited for {what}"
        time.sleep(0.05)
