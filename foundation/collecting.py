"""Collecting what happens further down, for code that stands above: the calls in between hand nothing through."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

T = TypeVar("T")


class Collector(Generic[T]):
    """Collects in each thread and request by itself. What happens while nobody collects is forgotten."""

    def __init__(self, name: str) -> None:
        self._collected: ContextVar[list[T] | None] = ContextVar(name, default=None)

    @contextmanager
    def collecting(self) -> Iterator[list[T]]:
        """Collect in the block; yield the list, which fills meanwhile."""
        collected: list[T] = []
        before = self._collected.set(collected)
        try:
            yield collected
        finally:
            self._collected.reset(before)

    def add(self, one: T) -> None:
        """Add one, if anybody collects."""
        collected = self._collected.get()
        if collected is not None:
            collected.append(one)
