"""What a check of the security audit says, and what all of them together come to (R8.5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    NOT_REACHABLE = "not reachable"  # it could not be looked at: never the same as clean
    INFORMATION = "information"


class Verdict(StrEnum):
    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    NOT_REACHABLE = "NOT REACHABLE"


@dataclass(frozen=True)
class Result:
    """One sentence for people, and a line for each single thing found."""

    state: State
    sentence: str
    details: tuple[str, ...] = ()


def passed(sentence: str) -> Result:
    return Result(State.PASS, sentence)


def failed(sentence: str, details: Sequence[str] = ()) -> Result:
    return Result(State.FAIL, sentence, tuple(details))


def not_reachable(sentence: str, details: Sequence[str] = ()) -> Result:
    return Result(State.NOT_REACHABLE, sentence, tuple(details))


def information(sentence: str, details: Sequence[str] = ()) -> Result:
    return Result(State.INFORMATION, sentence, tuple(details))


def verdict_of(results: Sequence[Result]) -> Verdict:
    """FAIL if one failed, else NOT REACHABLE if one could not look, else PASS; nothing looked at is no PASS."""
    states = {result.state for result in results}
    if State.FAIL in states:
        return Verdict.FAIL
    if State.NOT_REACHABLE in states or not states:
        return Verdict.NOT_REACHABLE
    return Verdict.PASS


def exit_status(verdict: Verdict, *, strict: bool) -> int:
    """0, or 1 for FAIL, or 2 for NOT REACHABLE where that is not good enough."""
    if verdict == Verdict.FAIL:
        return 1
    return 2 if strict and verdict == Verdict.NOT_REACHABLE else 0
