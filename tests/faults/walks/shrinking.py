"""Reduce the steps of a walk that fails to a few that still fail: delta debugging (Zeller and Hildebrandt, 2002)."""

from collections.abc import Callable, Sequence
from typing import TypeVar

S = TypeVar("S")


def shrunk(steps: Sequence[S], fails_after: Callable[[Sequence[S]], int | None], *, effort: int) -> list[S]:
    """Return the shortest steps that were found to fail: none of them can be left out alone, if `effort` was enough.

    Args:
        fails_after: tries steps on a bank of their own: returns how many of them it took to fail; None if they did not.
        effort: how many steps may be tried, all tries together. It bounds the time, on a machine of any speed.
    """
    kept, parts = list(steps), 2
    while len(kept) > 1:
        size = -(-len(kept) // parts)
        for start in range(0, len(kept), size):
            rest = kept[:start] + kept[start + size :]
            if len(rest) > effort:
                return kept
            effort -= len(rest)
            if count := fails_after(rest):
                kept, parts = rest[:count], max(parts - 1, 2)
                break
        else:
            if size == 1:
                return kept
            parts = min(parts * 2, len(kept))
    return kept
