"""A scanner run for so long and no longer, and what it found."""

import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Result:
    """What one run of a tool said of one target."""

    tool: str
    target: str
    parameters: str
    said: str
    findings: list[str] = field(default_factory=list)


def bounded(command: list[str], folder: Path, seconds: int) -> tuple[str, bool]:
    """What a program wrote, and whether it came to its end in time."""
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
