"""Servers on loopback for benchmarks, what they cost, and their clients.

A server is gunicorn as the bank is served (`deploy/gunicorn.conf.py`: two sync workers). Clients are threads of this
process, which do little but read and write a socket: a new connection for each request, as sync workers need it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from scratch_bank import ROOT, Bank

HERE = Path(__file__).resolve().parent
WORKERS = 2
# On Linux a process gets a signal when its parent dies, even if the parent is killed.
DIES_ALONG = ("setpriv", "--pdeathsig", "TERM") if sys.platform == "linux" else ()
_PATIENCE_SECONDS = 60


# --- Processes -------------------------------------------------------------------------------------------------


@contextmanager
def running(
    command: Sequence[str | Path], *, environment: Mapping[str, str], log: Path | None = None, folder: Path = ROOT
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process that ends with this block, and with this process, whatever ends that. It prints into the log, or
    where this one does."""
    with log.open("ab") if log else nullcontext() as lines:
        process = subprocess.Popen(  # noqa: S603
            [*DIES_ALONG, *command],
            env=os.environ | environment,
            cwd=folder,
            stdout=lines,
            stderr=lines,
            start_new_session=True,  # or a Ctrl-C would end it before its clients
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number, seconds in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=seconds)
            return


@dataclass(frozen=True)
class Server:
    """A server at this port; `pid` is that of the process that started its workers."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes so far, including those that have ended."""
        own = _cpu_ticks(self.pid, with_ended=True)
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return (own + sum(_cpu_ticks(int(pid)) for pid in children)) / os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int, *, with_ended: bool = False) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if with_ended else 13]))


@contextmanager
def served(bank: Bank, log: Path, *, application: str = "") -> Iterator[Server]:
    """Serve the bank, with its own tree's code; or another application, on the bank's database."""
    port = free_port()
    command: list[str | Path] = [bank.python, "-m", "gunicorn", "--config", bank.tree / "deploy" / "gunicorn.conf.py"]
    # A worker that restarts after a number of requests would fall into one round and not into another. Requests at the
    # end of the benchmark need no answer.
    command += ["--max-requests", "0", "--graceful-timeout", "3"]
    if application:
        command += ["--pythonpath", HERE, application]
    more = {"WEB_BIND": f"127.0.0.1:{port}", "WEB_CONCURRENCY": str(WORKERS), "LOG_LEVEL": "INFO"}
    with running(command, environment=bank.environment | more, log=log, folder=bank.tree) as process:
        _wait_for(process, port, log)
        yield Server(port, process.pid)


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(_PATIENCE_SECONDS * 10):
        with socket.socket() as probe:
            if process.poll() is None and probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"No server answers:\n{log.read_text(errors='replace')[-3000:]}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


# --- Clients ---------------------------------------------------------------------------------------------------

Ask = Callable[[int], None]  # what one client does once, at a port; it raises WrongAnswer


class WrongAnswer(Exception):
    """Not the answer that is measured."""


def http(method: str, path: str, body: object = None, **headers: str) -> bytes:
    """Return a whole request; header names are written with underscores."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] * (body is not None)
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


def answer_of(port: int, request: bytes, *, expect: int) -> bytes:
    """Send a request; return the body of its answer.

    Raises:
        WrongAnswer: another status.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_SECONDS) as connection:
        connection.sendall(request)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    head, _, body = b"".join(parts).partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1:2] != [str(expect).encode()]:
        raise WrongAnswer((head[:200] + b" " + body[:400]).decode(errors="replace"))
    return body


def asking(request: bytes, *, expect: int) -> Ask:
    return lambda port: void(answer_of(port, request, expect=expect))


def void(_: object) -> None:
    return None


@dataclass(frozen=True)
class Served:
    """The result of a number of clients: seconds of each request, seconds in all, and of the server's processor."""

    latencies: list[float]
    clock: float
    cpu: float

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.clock

    @property
    def cpu_ms(self) -> float:
        return self.cpu / len(self.latencies) * 1000

    def percentile(self, share: float) -> float:
        """Return, in milliseconds, the request that this many of a hundred are not slower than."""
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000


def drive(server: Server, asks: Iterable[Ask], *, clients: int, seconds: float = 0) -> Served:
    """Let this many clients ask, each the next when it has its answer, until all is asked or the time is over.

    Raises:
        WrongAnswer: of any client.
    """
    waiting, guard = iter(asks), threading.Lock()
    latencies: list[float] = []
    errors: list[BaseException] = []

    def client() -> None:
        while not errors and (not seconds or time.perf_counter() - begun < seconds):
            with guard:
                ask = next(waiting, None)
            if ask is None:
                return
            sent = time.perf_counter()
            try:
                ask(server.port)
            except Exception as error:  # noqa: BLE001 - raised again where all clients are done
                errors.append(error)
                return
            latencies.append(time.perf_counter() - sent)

    threads = [threading.Thread(target=client, daemon=True) for _ in range(clients)]
    cpu, begun = server.cpu_seconds(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock = time.perf_counter() - begun
    if errors:
        raise errors[0]
    return Served(latencies, clock, server.cpu_seconds() - cpu)
