"""Waiting for other processes, in tests and under fire (`tests/faults/`)."""

import time
from collections.abc import Callable
from typing import Any


def wait_until(
    holds: Callable[[], Any], what: str = "it", *, seconds: float = 120, error: type[Exception] = AssertionError
) -> None:
    """Check until it is true.

    Raises:
        Exception: an `error`; it never did.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise error(f"Waited in vain for {what}, for {seconds:.0f} s.")
        time.sleep(0.05)
