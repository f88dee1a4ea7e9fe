import contextlib
import io
import logging
import os
import runpy
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from bankproject.security_audit import results
from bankproject.security_audit.results import Ran

# Importing these takes longer than their work in a test; ruff is a program of its own.
CALLED_HERE = ("bandit", "detect_secrets", "pip_audit")


@pytest.fixture(autouse=True)
def _tools_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage of the programs that an audit starts would slow them down and tell nothing of the bank."""
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def really_started() -> None:
    """The tools run as programs of their own, as in the bank."""


@pytest.fixture(autouse=True)
def _tools_are_called_here(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The tools that are Python are called in this process, unless a test asks for a real start of them."""
    if "really_started" in request.fixturenames:
        return
    start = results._run

    def run(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None) -> Ran:
        if command[:2] == [sys.executable, "-m"] and command[2] in CALLED_HERE and environment is None:
            return call(command[2], command[3:], folder)
        return start(command, folder, environment)

    monkeypatch.setattr(results, "_run", run)


def call(module: str, arguments: Sequence[str], folder: Path) -> Ran:
    """Run `python -m module` here; return its status and what it wrote, and leave nothing behind."""
    errors = io.StringIO()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        out = Path(scratch) / "out"
        stack.enter_context(_as_it_was())
        stack.enter_context(contextlib.chdir(folder))
        # A real file: bandit looks at its name, and closes it.
        stack.enter_context(contextlib.redirect_stdout(stack.enter_context(out.open("w"))))
        stack.enter_context(contextlib.redirect_stderr(errors))
        status = _status_of(module, arguments)
        if not sys.stdout.closed:
            sys.stdout.flush()
        return Ran(status, out.read_text(), errors.getvalue())


def _status_of(module: str, arguments: Sequence[str]) -> int:
    before, sys.argv = sys.argv, [module, *arguments]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(end.code)
            return 1
        return int(end.code or 0)
    except Exception:  # noqa: BLE001 - whatever ends a program ends it with a traceback and this status
        traceback.print_exc()
        return 1
    finally:
        sys.argv = before
    return 0


@contextlib.contextmanager
def _as_it_was() -> Iterator[None]:
    """Restore what the tools set for their whole process: loggers, warnings, and settings that they keep."""
    from detect_secrets.settings import cache_bust

    root = logging.getLogger()
    before = root.handlers[:], root.level
    environment = dict(os.environ)
    with warnings.catch_warnings():
        try:
            yield
        finally:
            root.handlers[:] = before[0]
            root.setLevel(before[1])
            logging.captureWarnings(False)
            os.environ.clear()
            os.environ.update(environment)
            cache_bust()
