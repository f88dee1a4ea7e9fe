"""A Redis or Valkey of the tests' own, on a socket."""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_SECONDS = 60
# It ends with its parent, even if that is killed; Linux knows how.
_DIES_ALONG = ("setpriv", "--pdeathsig", "TERM") if sys.platform == "linux" else ()


class CacheServer:
    """A server at a socket in a folder; it holds only what it was told since its last start."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._socket = home / "cache.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the value of CACHE_URL."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            RuntimeError: none is installed.
        """
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise RuntimeError(
                "No redis-server or valkey-server: as root, apt-get install redis-server (`make cache`)."
            )
        arguments = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [*_DIES_ALONG, program, *arguments, "--dir", str(self._home)],
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # or a Ctrl-C would end it before the bank
        )
        end = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers() and self._process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        assert self._answers(), f"{program} did not start"

    def kill(self) -> None:
        """Kill it (SIGKILL), and wait until it is gone; nothing if it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        """Return whether it answers: the socket exists a moment before the server listens."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0


@contextmanager
def begun_cache(folder: Path | None = None) -> Iterator[CacheServer]:
    """Run a server meanwhile, in a folder of its own if none is given."""
    # Not below the test's own folder: the path of a socket has room for some hundred characters only.
    home = folder or Path(tempfile.mkdtemp(prefix="bank-cache-"))
    server = CacheServer(home)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        if folder is None:
            shutil.rmtree(home, ignore_errors=True)


@contextmanager
def cache_server(folder: Path | None = None) -> Iterator[str]:
    """The address of a server that runs meanwhile."""
    with begun_cache(folder) as server:
        yield server.url
