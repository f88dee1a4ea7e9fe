"""Mutants: patches of the bank, each with a fault that the tests must notice. Read and applied here.

A mutant is a unified diff with a head in plain English. `patch -p1` takes it too; this is stricter. The lines of a hunk
are in their file exactly once, wherever they have moved to, or the patch must be mended.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tests.faults.copies import broken

MUTANTS = Path(__file__).parent / "mutants"
# Which tests notice which mutant.
TABLE = MUTANTS / "caught.md"


class StalePatch(AssertionError):
    """The code that the patch was made for has changed."""


@dataclass(frozen=True)
class Hunk:
    """Lines of a file, and the mutant's lines instead."""

    file: str  # below the project
    before: str
    after: str


@dataclass(frozen=True)
class Mutant:
    """One fault: what it does and breaks, and its hunks."""

    name: str
    head: str
    hunks: tuple[Hunk, ...]

    def apply(self, project: Path) -> None:
        """Put the fault into the bank in this folder.

        Raises:
            StalePatch: a hunk finds its lines nowhere, or twice; nothing was written.
        """
        texts: dict[Path, str] = {}
        for hunk in self.hunks:
            file = project / hunk.file
            text = texts.get(file) or (file.read_text(encoding="utf-8") if file.is_file() else "")
            if (times := text.count(hunk.before)) != 1:
                raise StalePatch(
                    f"Mend the patch tests/faults/mutants/{self.name}.patch: these lines stand {times} times in "
                    f"{hunk.file}, not once:\n{hunk.before}"
                )
            texts[file] = text.replace(hunk.before, hunk.after)
        for file, text in texts.items():
            broken(file, text)


def mutants() -> list[Mutant]:
    """Return all that there are, by name."""
    return [parsed(file.stem, file.read_text(encoding="utf-8")) for file in sorted(MUTANTS.glob("*.patch"))]


def parsed(name: str, patch: str) -> Mutant:
    """Return the mutant that a patch describes.

    Raises:
        ValueError: it has no head or no hunk.
    """
    head, *files = re.split(r"^--- a/", patch, flags=re.MULTILINE)
    hunks = tuple(hunk for file in files for hunk in _hunks_of(file))
    if not head.strip() or not hunks:
        raise ValueError(f"{name}.patch has no head or no hunk.")
    return Mutant(name, " ".join(head.split()), hunks)


def _hunks_of(text: str) -> list[Hunk]:
    """Yield the hunks of a patch's part about one file, from its name on."""
    names, *bodies = re.split(r"^@@.*@@.*\n", text, flags=re.MULTILINE)
    lines = [body.splitlines(keepends=True) for body in bodies]
    return [Hunk(names.split()[0], _side(body, " -"), _side(body, " +")) for body in lines]


def _side(lines: list[str], marks: str) -> str:
    return "".join(line[1:] for line in lines if line[0] in marks)


def caught_by() -> dict[str, list[str]]:
    """Return the tests that notice each mutant, as pytest names them, by the mutant's name: the rows of the table."""
    rows = re.findall(r"^\| (\w+) \| `(\S+)` \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    caught: dict[str, list[str]] = {}
    for mutant, test in rows:
        caught.setdefault(mutant, []).append(test)
    return caught
