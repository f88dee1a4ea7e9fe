"""The progress of a long command, shown on a terminal. On the ground floor, since every app has commands."""

from types import TracebackType
from typing import Self

from django.core.management.base import BaseCommand


class ProgressLine:
    """One line of a terminal that is written over while the command runs: `with ProgressLine(self, verbosity) as line:`

    It goes to standard error, so that the command's answer can be kept in a file; nothing is shown where that is not a
    terminal, or with `--verbosity 0`. The line ends with the block, however it ends.
    """

    def __init__(self, command: BaseCommand, verbosity: int) -> None:
        self._out = command.stderr
        self._shows = verbosity > 0 and self._out.isatty()
        self._is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_open:
            self._out.write("")

    def say(self, text: str) -> None:
        if self._shows:
            self._out.write(f"\r{text} ", ending="")
            self._is_open = True
