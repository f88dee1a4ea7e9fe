import contextlib
import io
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bankproject.security_audit import programs
from bankproject.security_audit.programs import Ran


@pytest.fixture(autouse=True)
def _tools_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coverage of the programs that an audit starts would slow them down and tell nothing of the bank."""
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def tools_in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tools' own programs with the same arguments in the same folder, but loaded once: starting them costs more
    than all that they read here."""
    started = programs.run_python

    def run(arguments: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> Ran:
        if arguments[0] != "-m" or arguments[1] == "ruff":  # which only starts a program that is no Python
            return started(arguments, folder=folder, environment=environment)
        return _run_module(arguments[1], arguments[1:], folder)

    monkeypatch.setattr(programs, "run_python", run)


class _Kept(io.StringIO):
    """Outlives its closing: programs close their output when they have written all."""

    def close(self) -> None:
        pass


def _run_module(name: str, arguments: Sequence[str], folder: Path) -> Ran:
    status: Any = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.chdir(folder),
        contextlib.redirect_stdout(_Kept()) as out,
        contextlib.redirect_stderr(_Kept()) as err,
    ):
        patch.setattr(sys, "argv", list(arguments))
        try:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        except SystemExit as end:  # from here on as the interpreter itself ends
            status = end.code
        except Exception:  # noqa: BLE001 - whatever ends the program is told in its own words
            traceback.print_exc()
            status = 1
        if isinstance(status, str):
            sys.stderr.write(status)
            status = 1
    return Ran(status or 0, out.getvalue(), err.getvalue())
