"""How a program that runs until it is told to stop hears that."""

import os
import select
import signal
from typing import Protocol


class Told(Protocol):
    """Says whether the program is told to stop."""

    def is_set(self) -> bool: ...


class Stop:
    """SIGTERM or SIGINT, once `listen` was called.

    Not a `threading.Event`: its `set` waits for a lock that `wait` holds for a moment, and a signal in that moment
    would wait in its own thread, forever. A handler is not enough either: one that is due a moment before a wait runs
    after it. So the interpreter writes each signal into a pipe at once, and `wait` reads that.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._read, self._written = os.pipe()
        os.set_blocking(self._written, False)

    def __del__(self) -> None:
        os.close(self._read)
        os.close(self._written)

    def listen(self) -> None:
        """Take both signals as a request to stop, instead of ending at once."""
        signal.set_wakeup_fd(self._written, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.set())

    def set(self) -> None:
        self._is_set = True
        os.write(self._written, b".")

    def is_set(self) -> bool:
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait this long, or until told to stop; return whether it was told."""
        if not self._is_set:
            select.select([self._read], [], [], seconds)
        return self._is_set
