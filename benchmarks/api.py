"""What does a JSON route with a token cost, compared with a bare Django view under the same server?

    python benchmarks/api.py [--rounds 21] [--requests 600]

Two servers on loopback, gunicorn with two sync workers each: one serves the bank on a SQLite file of its own, the other
a view with nothing around it (`bare_view.py`). They take turns: in each round four clients, processes that do little
but read and write a socket, send each address its requests, a new connection for each, as sync workers have it.

  share   requests in a second, as a share of the bare view's: what a caller sees, the clients' own work included
  CPU     processor time of the server's workers for one request, and the bare view's as a share of it: what it costs

Each share is taken within a round, so that both sides had the same machine, and of the rounds' shares the median; the
quarters beside it say how far the rounds lie apart. Only the shares mean something, and those of an idle machine.
"""
# ruff: noqa: T201 - a program prints

import argparse
import json
import os
import random
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scratch_bank import ROOT, set_up

CLIENTS = 4
BARE = "bare view"
# By name: their paths under /api/v1/. The first is the cheapest that needs a token.
ROUTES = {"GET auth/session": "auth/session", "GET accounts": "accounts", "GET profile": "profile"}


@dataclass(frozen=True)
class Target:
    """Where the requests of one address go: the whole request, and who answers."""

    port: int
    request: bytes
    workers: tuple[int, ...]  # process ids


@dataclass(frozen=True)
class Taken:
    per_second: float
    cpu_ms: float


# --- What is served ------------------------------------------------------------------------------------------


def make_customer() -> str:
    """A customer with two accounts, signed in by the API: their access token."""
    from accounts.models import AccountKind, TotpDevice
    from accounts.people.registration import create_user
    from accounts.programs import sessions as api_sessions
    from accounts.roles import Role
    from accounts.sign_in.origin import Origin
    from transfers.accounts import opening

    alice = create_user(email="alice@example.com", password_hash="!", role=Role.CUSTOMER, first_name="Alice")  # noqa: S106
    device = TotpDevice(user=alice, name="phone", confirmed=True, key=secrets.token_hex(20))
    device.save()
    for number in range(2):
        opening.open_account(actor=alice, kind=AccountKind.CHECKING, idempotency_key=f"benchmark-{number}")
    return api_sessions.begin(user=alice, device=device, origin=Origin()).access_token


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def served(application: str, folder: Path, log: Path) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The port and the workers of a server of this application."""
    port = free_port()
    command = [
        *(sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}", "--workers", "2"),
        *("--no-control-socket", "--log-level", "error", "--chdir", str(folder), "--pythonpath", str(ROOT)),
    ]
    with log.open("ab") as lines:
        server = subprocess.Popen(command, stderr=lines)  # noqa: S603
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0 and len(workers := _children(server.pid)) == 2:
                    break
            time.sleep(0.1)
        else:
            raise SystemExit(f"{application} does not answer.")
        yield port, workers
    finally:
        server.terminate()
        server.wait(timeout=30)


def _children(pid: int) -> tuple[int, ...]:
    return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


# --- Measuring -----------------------------------------------------------------------------------------------


def send(port: int, request: bytes, count: int) -> bytes:
    """Send the request so many times; the last answer."""
    answer = b""
    for _ in range(count):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(request)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        answer = b"".join(parts)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(answer[:300].decode())
    return answer


def cpu_seconds(workers: tuple[int, ...]) -> float:
    """Processor time that these processes have used, in user and kernel."""
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in workers)
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def measure(clients: ProcessPoolExecutor, target: Target, requests: int) -> Taken:
    each = requests // CLIENTS
    cpu, begun = cpu_seconds(target.workers), time.perf_counter()
    for sent in [clients.submit(send, target.port, target.request, each) for _ in range(CLIENTS)]:
        sent.result()
    took = time.perf_counter() - begun
    return Taken(each * CLIENTS / took, (cpu_seconds(target.workers) - cpu) / (each * CLIENTS) * 1000)


def take_turns(targets: dict[str, Target], *, rounds: int, requests: int) -> dict[str, list[Taken]]:
    """What each target took in each round."""
    taken: dict[str, list[Taken]] = {name: [] for name in targets}
    with ProcessPoolExecutor(CLIENTS) as clients:
        for number in range(rounds + 1):
            # Another order each time: whoever comes after a heavy one finds other caches.
            for name in random.Random(number).sample(sorted(targets), len(targets)):  # noqa: S311 - no secret
                one = measure(clients, targets[name], requests)
                if number:  # the first round compiles and warms up
                    taken[name].append(one)
    return taken


@dataclass(frozen=True)
class Result:
    """Medians of the rounds; `quarters` are those of the share."""

    per_second: float
    share: float
    quarters: tuple[float, float]
    cpu_ms: float
    cpu_share: float


def result_of(taken: list[Taken], bare: list[Taken]) -> Result:
    pairs = list(zip(taken, bare, strict=True))
    low, share, high = statistics.quantiles((one.per_second / other.per_second for one, other in pairs), n=4)
    return Result(
        per_second=statistics.median(one.per_second for one in taken),
        share=share,
        quarters=(low, high),
        cpu_ms=statistics.median(one.cpu_ms for one in taken),
        cpu_share=statistics.median(other.cpu_ms / one.cpu_ms for one, other in pairs),
    )


def http(path: str, token: str = "") -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}Connection: close\r\n\r\n".encode()


def run(folder: Path, options: Any) -> dict[str, Result]:
    token = make_customer()
    os.environ["LOG_LEVEL"] = "INFO"  # as in production, where each request of the bank leaves a line in its log
    with ExitStack() as stack:
        log = folder / "log"
        bank_port, bank_workers = stack.enter_context(served("bankproject.wsgi", ROOT, log))
        bare_port, bare_workers = stack.enter_context(served("bare_view:application", Path(__file__).parent, log))
        targets = {BARE: Target(bare_port, http("/bare"), bare_workers)} | {
            name: Target(bank_port, http(f"/api/v1/{path}", token), bank_workers) for name, path in ROUTES.items()
        }
        taken = take_turns(targets, rounds=options.rounds, requests=options.requests)
    return {name: result_of(each, taken[BARE]) for name, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Routes of the API, as shares of a bare Django view.")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of a table")
    options = parser.parse_args()
    os.environ["SECURE_SSL_REDIRECT"] = "0"
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder:
        set_up(folder)
        found = run(Path(folder), options)
    if options.json:
        print(json.dumps({name: vars(each) for name, each in found.items()}))
        return
    print(f"two sync workers of gunicorn each, {CLIENTS} clients, medians of {options.rounds} rounds")
    print(f"{'':18}{'a second':>10}{'share':>8}{'quarters':>14}{'CPU ms':>10}{'share':>8}")
    for name, it in found.items():
        quarters = f"{it.quarters[0]:.2f} to {it.quarters[1]:.2f}"
        print(f"{name:18}{it.per_second:10.0f}{it.share:8.2f}{quarters:>14}{it.cpu_ms:10.2f}{it.cpu_share:8.2f}")


if __name__ == "__main__":
    main()
