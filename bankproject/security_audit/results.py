"""Results of the security audit's checks, the verdict on all of them, and the tools that checks run (R8.5)."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

_LONGEST_SECONDS = 300


class State(StrEnum):
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    NOT_REACHABLE = "not reachable"  # it could not be checked: never the same as clean
    INFORMATION = "information"


class Verdict(StrEnum):
    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    NOT_REACHABLE = "NOT REACHABLE"


@dataclass(frozen=True)
class Result:
    """One sentence for people, and a line for each finding."""

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
    """Return FAIL if one check failed, otherwise NOT REACHABLE if one could not look, otherwise PASS; no check at all
    is not a PASS."""
    states = {result.state for result in results}
    if State.FAIL in states:
        return Verdict.FAIL
    if State.NOT_REACHABLE in states or not states:
        return Verdict.NOT_REACHABLE
    return Verdict.PASS


def exit_status(verdict: Verdict, *, strict: bool) -> int:
    """Return 0, or 1 for FAIL, or 2 for NOT REACHABLE where that is not good enough."""
    if verdict == Verdict.FAIL:
        return 1
    return 2 if strict and verdict == Verdict.NOT_REACHABLE else 0


class CannotLook(Exception):
    """A tool is not installed, does not end, or answers with something other than its report. Never means clean."""


class Ran(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def last_words(self) -> str:
        """Return the last line of standard error, or of standard output if that is empty."""
        lines = [line.strip() for line in (self.err or self.out).splitlines() if line.strip()]
        return lines[-1][:300] if lines else f"It ended with status {self.status} and said nothing."

    def report(self) -> Any:
        """Return the JSON on its standard output.

        Raises:
            CannotLook: there is none.
        """
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise CannotLook(self.last_words) from error


def run_tool(module: str, arguments: Sequence[str], *, folder: Path) -> Ran:
    """Run `python -m module` with the Python that runs us.

    Raises:
        CannotLook: not installed, as in the production image, or still running after five minutes.
    """
    if importlib.util.find_spec(module) is None:
        raise CannotLook(f"{module} is not installed here; requirements-dev.txt has it.")
    return run_python(["-m", module, *arguments], folder=folder)


def run_python(arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> Ran:
    """Run Python with exactly this environment, or ours if none is given.

    Raises:
        CannotLook: still running after five minutes.
    """
    return _run([sys.executable, *arguments], folder, environment)


def files_known_to_git(folder: Path) -> list[str] | None:
    """Return the paths that git tracks or would track; None without git, or outside a repository."""
    try:
        ran = _run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], folder, None)
    except FileNotFoundError:
        return None
    return [path for path in ran.out.split("\0") if path] if ran.status == 0 else None


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None) -> Ran:
    try:
        # No shell, and no word of the command comes from a request: only this machine's operator starts an audit.
        ran = subprocess.run(  # noqa: S603
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_LONGEST_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise CannotLook(f"It was still running after {_LONGEST_SECONDS} seconds.") from error
    return Ran(ran.returncode, ran.stdout, ran.stderr)
