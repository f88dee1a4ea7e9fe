"""A copy of the bank that may be broken, and its tests, run there in a pytest of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
# The parts of the project that the tests need.
_COPIED = (
    *("accounts", "audit", "bankproject", "foundation", "support", "transfers", "tests"),
    *("benchmarks", "templates", "static", "deploy", "docs", "pyproject.toml", "manage.py"),
)
# Variables of the run that we belong to: another run chooses its own.
_OF_THIS_RUN = {"TEST_RUN_FOLDER", "TEST_DATABASE_URL", "PYTEST_ADDOPTS"}
# However slow the machine is, a run that takes longer than this hangs.
_HANGS_SECONDS = 900


@contextmanager
def copied_bank(inside: str | None = None) -> Iterator[Path]:
    """A copy of the bank with its tests and its bytecode, in a folder of its own, gone afterwards.

    Args:
        inside: where that folder is made; the temporary folder, unless it is told.
    """
    with TemporaryDirectory(prefix="bank-mutant-", dir=inside) as folder:
        bank = Path(folder) / "bank"
        bank.mkdir()
        for name in _COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, bank / name, copy_function=_linked)
            else:
                _linked(source, bank / name)
        yield bank


def _linked(source: str | Path, copy: str | Path) -> None:
    """Let the copy be the same file, until one of them is broken; with its times, or bytecode would be made again."""
    try:
        os.link(source, copy)
    except OSError:  # the folder is on another disk
        shutil.copy2(source, copy)


def broken(file: Path, text: str) -> None:
    """Give a file of a copy another text; the original keeps its own."""
    file.unlink()
    file.write_text(text, encoding="utf-8")


def pytest_in(bank: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in the copy, on SQLite, with nothing outside the copy's folder; the result has its output.

    Args:
        environment: of the run, besides ours.

    Raises:
        subprocess.TimeoutExpired: it hangs, and was killed.
    """
    own = {name: value for name, value in os.environ.items() if name not in _OF_THIS_RUN}
    own |= {"TMPDIR": str(bank.parent), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | environment
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.run(
        command, cwd=bank, env=own, capture_output=True, text=True, timeout=_HANGS_SECONDS, check=False
    )
