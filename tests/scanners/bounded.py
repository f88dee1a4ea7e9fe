"""A scanner that runs for a limited time, and its findings."""

import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Result:
    """One tool's result for one target."""

    tool: str
    target: str
    parameters: str
    said: str
    findings: list[str] = field(default_factory=list)


def bounded(command: list[str], folder: Path, seconds: int) -> tuple[str, bool]:
    """Return a program's output, and whether it ended in time."""
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | {"HOME": str(folder)}, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        return process.communicate(timeout=seconds)[0], True
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)  # it says what it has so far
        try:
            return process.communicate(timeout=15)[0], False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return process.communicate()[0], False
