"""Programs of the bank in processes of their own, on the database of the tests; and the list of running processes."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


def process_environment() -> dict[str, str]:
    """Return our environment, but with the database of the tests, which the processes then share."""
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "bankproject.settings",
        "DATABASE_URL": _url_of_the_test_database(),
        "TRANSFERS_PER_MINUTE": "1000",
        "LOG_LEVEL": "ERROR",
    }


def _url_of_the_test_database() -> str:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    # With the part after the question mark: the options of the connection.
    return urlsplit(os.environ["TEST_DATABASE_URL"])._replace(path=f"/{name}").geturl()


def run_together(program: str, runs: Sequence[Sequence[Any]], *, begin: Path, environment: dict[str, str]) -> list[Any]:
    """Return what each run of the program prints as JSON in the end, one process for each of `runs`, its arguments.

    The program's first argument is `begin`: it says "ready", and continues when that file exists.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(begin), *map(str, arguments)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for arguments in runs
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    begin.touch()
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return [json.loads(output) for output in outputs]


def processes_of(place: Path) -> list[str]:
    """Return the command lines of the processes that have their temporary folder here; not this one's, which only names
    it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment, line = (folder / "environ").read_bytes(), (folder / "cmdline").read_bytes()
        except OSError:  # it has ended, or belongs to another user
            continue
        if f"TMPDIR={place}".encode() in environment:
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found
