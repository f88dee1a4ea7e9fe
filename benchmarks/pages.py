"""What does a page cost? Processor time from the request to the last byte of its answer.

    python benchmarks/pages.py [--rounds 15] [--repeats 4] [--base FOLDER] [--quick]

A demo bank on a SQLite file of its own is asked through its whole WSGI application, without a web server: by a customer
who has three accounts, and by an auditor, both signed in with two factors.

  dashboard                 three accounts, five movements each, and the picture of their balance
  live part                 what the open dashboard fetches when something has moved
  live part, unchanged      what it asks every few seconds, while nothing has
  history                   the first 25 movements of one account
  history, filtered         the same with an amount and a text
  history of all accounts   the first 25 of three accounts
  account                   the page of one account
  staff's transactions      the auditor's list, 50 rows

With `--base` the same program asks the bank in another folder too (a checkout of another commit, with its own `.venv`),
in turns, and prints this one's time as a share of that one's: within each round, and of the rounds the median, with its
quarters. Milliseconds are of this machine; only the shares mean something.
"""

import argparse
import contextlib
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

# After the path of the other tree: its bank is set up by its own `scratch_bank`.
sys.path.append(str(Path(__file__).resolve().parent))

from figures import Figure, figure, program, ratios, tell

ROOT = Path(__file__).resolve().parent.parent
HOST = "localhost"
# The password of the demo's people, shown on its sign-in page.
PASSWORD = "alder-demo-2026"  # noqa: S105 - told to everybody # pragma: allowlist secret
Look = Callable[[], None]
Times = dict[str, float]


# --- A bank that is asked -----------------------------------------------------------------------------------


def make_bank(folder: str) -> None:
    """Make a demo bank in `folder`, whose pages name their files as in production."""
    from scratch_bank import set_up

    set_up(folder)
    from django.conf import settings
    from django.core.management import call_command

    # The limits that benchmarks of payments lift, the demo's history needs.
    settings.DEMO, settings.DAILY_TRANSFER_LIMIT, settings.STEP_UP_AMOUNT = True, 25_000, 1_000
    settings.STATIC_ROOT = f"{folder}/static"
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("seed_demo")


def sign_in(email: str) -> str:
    """Return the cookies of a user who has signed in with both factors."""
    from django.core.management import call_command
    from django.test import Client

    client, code = Client(), io.StringIO()
    call_command("demo_code", email, stdout=code)
    for path, fields in (
        ("/sign-in/", {"email": email, "password": PASSWORD}),
        ("/sign-in/code/", {"code": code.getvalue().strip()}),
    ):
        answer = client.post(path, fields, secure=True, headers={"host": HOST})
        if answer.status_code != 302:
            raise SystemExit(f"{email} cannot sign in: {path} answered {answer.status_code}.")
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


@cache
def application() -> Callable[..., Any]:
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def ask(cookies: str, address: str, version: str = "") -> tuple[int, bytes]:
    """Return status and body of the answer to GET; `version` is what the client has already."""
    path, _, query = address.partition("?")
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": HOST,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": HOST,
        "HTTP_COOKIE": cookies,
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        **({"HTTP_IF_NONE_MATCH": f'"{version}"'} if version else {}),
    }
    status: list[str] = []
    answer: Any = application()(environ, lambda line, headers: status.append(line))
    body = b"".join(answer)
    answer.close()
    return int(status[0][:3]), body


def looks() -> dict[str, Look]:
    """Return every page by name, as a function that asks for it."""
    from accounts.models import User

    alice, audrey = sign_in("alice@example.com"), sign_in("audrey@example.com")
    account = User.objects.get(email="alice@example.com").bank_accounts.order_by("pk")[0].public_id
    _, dashboard = ask(alice, "/dashboard/")
    version = re.findall(r'data-version="(\w+)"', dashboard.decode())[0]
    # Sent both ways: in the address, as open dashboards once did, and as programs on the web do.
    unchanged = f"/dashboard/live/?version={version}"
    return {
        "dashboard": _look(alice, "/dashboard/"),
        "live part": _look(alice, "/dashboard/live/"),
        "live part, unchanged": _look(alice, unchanged, version),
        "history": _look(alice, f"/history/?account={account}"),
        "history, filtered": _look(alice, f"/history/?account={account}&min_amount=1&text=a"),
        "history of all accounts": _look(alice, "/history/"),
        "account": _look(alice, f"/accounts/{account}/"),
        "staff's transactions": _look(audrey, "/admin/transfers/transaction/"),
    }


def _look(cookies: str, address: str, version: str = "") -> Look:
    expected = {204, 304} if version else {200}

    def look() -> None:
        status, _ = ask(cookies, address, version)
        if status not in expected:
            raise SystemExit(f"{address} answered {status}.")

    return look


def answer_rounds(repeats: int) -> None:
    """Be the bank of one tree: for each line of input, ask for every page and print the milliseconds."""
    out = sys.stdout
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder, contextlib.redirect_stdout(io.StringIO()):
        make_bank(folder)
        pages = looks()
        for look in pages.values():
            look()
        print("ready", file=out, flush=True)
        for _ in sys.stdin:
            print(
                json.dumps({name: _milliseconds(look, repeats) for name, look in pages.items()}), file=out, flush=True
            )


def _milliseconds(look: Look, repeats: int) -> float:
    """Return milliseconds of processor time for one look: the median of some."""
    taken = []
    for _ in range(repeats):
        begin = time.process_time()
        look()
        taken.append((time.process_time() - begin) * 1000)
    return statistics.median(taken)


# --- Measuring ----------------------------------------------------------------------------------------------


class Bank:
    """A process with the bank of one tree."""

    def __init__(self, tree: Path, repeats: int) -> None:
        # Its own benchmarks come first in the path, so that it is set up as it does that itself.
        environ = os.environ | {"PYTHONPATH": f"{tree / 'benchmarks'}"}
        program = [str(_python_of(tree)), "-P", __file__, "--answer", "--repeats", str(repeats)]
        self._process: Any = subprocess.Popen(  # noqa: S603 - a Python of ours, told on the command line
            program, cwd=tree, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait(self) -> None:
        if self._process.stdout.readline() != "ready\n":
            raise SystemExit("The bank could not be made.")

    def round(self) -> Times:
        """Return milliseconds of processor time for each page."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def _python_of(tree: Path) -> Path:
    own = tree / ".venv" / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


@contextlib.contextmanager
def banks_of(trees: list[Path], repeats: int) -> Iterator[list[Bank]]:
    banks = [Bank(tree, repeats) for tree in trees]
    try:
        for bank in banks:
            bank.wait()
        yield banks
    finally:
        for bank in banks:
            bank.end()


def measure(trees: list[Path], rounds: int, repeats: int) -> list[list[Times]]:
    """Return, for each round, what each tree took; they take turns in who begins."""
    found = []
    with banks_of(trees, repeats) as banks:
        for number in range(rounds):
            turn = banks if number % 2 else banks[::-1]
            taken = {id(bank): bank.round() for bank in turn}
            found.append([taken[id(bank)] for bank in banks])
    return found


def figures_of(rounds: list[list[Times]]) -> Iterator[Figure]:
    """Return, by page, what this tree took and, with another one, what that took and this one's share of it."""
    table = "Pages: processor time from the request to the last byte"
    for name in rounds[0][0]:
        ours = [taken[0][name] for taken in rounds]
        yield figure(table, name, "ms", ours)
        if len(rounds[0]) > 1:
            base = [taken[1][name] for taken in rounds]
            yield figure(table, f"{name}, 11100bd", "ms", base)
            yield figure(table, f"{name}: of that at 11100bd", "×", ratios(ours, base))


def main() -> None:
    parser = program(__doc__ or "", rounds=15)
    parser.add_argument("--repeats", type=int, default=4, help="looks at each page in a round")
    parser.add_argument("--base", type=Path, help="a checkout of commit 11100bd, with its own .venv, to compare with")
    parser.add_argument("--answer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer:
        answer_rounds(options.repeats)
        return
    trees = [ROOT, *([options.base.resolve()] if options.base else [])]
    rounds, repeats = (1, 1) if options.quick else (options.rounds, options.repeats)
    tell(list(figures_of(measure(trees, rounds, repeats))), options.json)


if __name__ == "__main__":
    main()
