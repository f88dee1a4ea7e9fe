"""A Redis or Valkey of the tests' own, on a socket."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def cache_server(folder: Path | None = None) -> Iterator[str]:
    """The address of a server that runs meanwhile. Where none is installed the test fails, and says so."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.fail("No redis-server or valkey-server: as root, apt-get install redis-server (`make cache`).")
    # Not below the test's own folder: the path of a socket has room for some hundred characters only.
    home = folder or Path(tempfile.mkdtemp(prefix="bank-cache-"))
    path = home / "cache.sock"
    arguments = ["--port", "0", "--unixsocket", str(path), "--save", "", "--appendonly", "no", "--dir", str(home)]
    server = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
    try:
        for _ in range(1000):
            if _answers(path) or server.poll() is not None:
                break
            time.sleep(0.01)
        assert _answers(path), f"{program} did not start"
        yield f"unix://{path}"
    finally:
        server.terminate()
        server.wait(timeout=10)
        path.unlink(missing_ok=True)
        if folder is None:
            shutil.rmtree(home, ignore_errors=True)


def _answers(path: Path) -> bool:
    """The socket is there a moment before anybody listens."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _listens(path: Path) -> bool:
    """The socket is there a moment before anybody may speak to it."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
