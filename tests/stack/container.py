"""A process as an engine would run it from the image: the same command, user, folders and powers, on Debian.

As root it gets a root folder of its own, in which only /tmp, /dev/shm and the volumes can be written; the system's
programs and libraries are the machine's, the Python packages those of this environment. Other users may not mount
folders: for them the same command runs with the same environment, beside the repository.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_MOUNTS = Path(__file__).with_name("run_confined.sh")


@cache
def can_confine() -> bool:
    """Return whether this machine lets us mount folders, as an engine does."""
    if os.geteuid() != 0:
        return False
    tried = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True)
    return tried.returncode == 0


@dataclass
class Image:
    """Where the files of an image are on this machine, and what its Dockerfile says."""

    folder: Path
    inside: str
    user: int
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Container:
    """One container: `volumes` are folders of this machine by their path inside, and can be written to."""

    image: Image
    command: Sequence[str]
    environment: Mapping[str, str]
    volumes: Mapping[str, Path] = field(default_factory=dict)
    scratch: Path = Path("/nonexistent")
    process: "subprocess.Popen[str] | None" = None

    def start(self) -> "Container":
        self.process = self._popen(self.command)
        return self

    def run(self, *command: str, seconds: float = 300) -> "subprocess.CompletedProcess[str]":
        """Run this in a container like it, to the end; like `docker compose run`."""
        process = self._popen(command or self.command, capture=True)
        output, _ = process.communicate(timeout=seconds)
        return subprocess.CompletedProcess(list(command), process.returncode, output)

    def stop(self, number: int = signal.SIGTERM, *, within: float = 30) -> int:
        """Send the signal that an engine sends and return how it ended.

        Raises:
            subprocess.TimeoutExpired: an engine would have killed it.
        """
        assert self.process
        self.process.send_signal(number)
        return self.process.wait(timeout=within)

    def kill(self) -> None:
        """Kill the process and its children, at the end of a test."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def wait_healthy(self, check: Sequence[str], *, seconds: float = 180) -> None:
        """Wait until the health check of its image or service says so."""
        end = time.monotonic() + seconds
        last = ""
        while time.monotonic() < end:
            assert self.process is None or self.process.poll() is None, f"{self.command} ended by itself"
            checked = self.run(*check)
            if checked.returncode == 0:
                return
            last = checked.stdout
            time.sleep(0.3)
        raise AssertionError(f"{self.command} is not healthy: {last}")

    def _popen(self, command: Sequence[str], *, capture: bool = False) -> "subprocess.Popen[str]":
        path = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {"PATH": path, "HOME": "/nonexistent"} | dict(self.image.variables) | dict(self.environment)
        output = subprocess.PIPE if capture else None
        if not can_confine():
            return subprocess.Popen(
                [self._outside(word) for word in command],
                cwd=self.image.folder,
                env={name: self._outside(value) for name, value in environment.items()} | {"PATH": path},
                stdout=output, stderr=subprocess.STDOUT if capture else None, text=True, start_new_session=True,
            )  # fmt: skip
        root = self.scratch
        root.mkdir(exist_ok=True)
        bound = [
            f"{self.image.folder}:{self.image.inside}:ro",
            f"{sys.prefix}:{sys.prefix}:ro",
            f"{sys.prefix}:/opt/venv:ro",
        ]
        if sys.base_prefix not in ("/usr", sys.prefix):
            bound.append(f"{sys.base_prefix}:{sys.base_prefix}:ro")
        bound += [f"{outside}:{inside}:rw" for inside, outside in self.volumes.items()]
        words = [str(root), str(self.image.user), self.image.inside, *bound, "--", *command]
        return subprocess.Popen(
            ["unshare", "--mount", "sh", str(_MOUNTS), *words],
            env=environment, stdout=output, stderr=subprocess.STDOUT if capture else None, text=True,
            start_new_session=True,
        )  # fmt: skip

    def _outside(self, text: str) -> str:
        """Return the path on this machine of a path inside."""
        paths = {**self.volumes, self.image.inside: self.image.folder}
        inside = "|".join(map(re.escape, sorted(paths, key=len, reverse=True)))
        return re.sub(rf"({inside})(?![\w.-])", lambda match: str(paths[match[1]]), text)
