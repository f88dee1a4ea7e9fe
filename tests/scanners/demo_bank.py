"""A demo bank for scanners to attack: a database of its own, served on loopback, with a signed-in user."""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

from accounts.demo_people import DEMO_PASSWORD
from tests.keys import environment_with

ROOT = Path(__file__).resolve().parent.parent.parent

# A scan takes longer than an idle session may, and sends more than a person does: unchanged, these limits would refuse
# nearly all of it before it reached the code under test.
RAISED = {
    "SESSION_IDLE_SECONDS": "86400",
    "SESSION_ABSOLUTE_SECONDS": "86400",
    "AXES_FAILURE_LIMIT": "1000000",
    "GUESSES_PER_NETWORK": "1000000",
    "STEP_UP_AMOUNT": "1000000000",
    "DAILY_TRANSFER_LIMIT": "1000000000",
    "CASH_IN_DAILY_LIMIT": "1000000000",
    **dict.fromkeys(
        (
            *("TRANSFERS_PER_MINUTE", "DEPOSITS_PER_MINUTE", "WITHDRAWALS_PER_MINUTE", "PAYEE_LOOKUPS_PER_HOUR"),
            *("REGISTRATIONS_PER_HOUR", "PASSWORD_RESETS_PER_HOUR", "TICKETS_PER_HOUR", "TICKET_REPLIES_PER_HOUR"),
            *("REQUESTS_PER_HOUR", "MAX_OPEN_REQUESTS", "MAX_OPEN_ACCOUNTS"),
        ),
        "1000000",
    ),
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment_of(folder: Path, url: str) -> dict[str, str]:
    """Return our environment, but with settings, keys and a database that are thrown away.

    DEBUG is on: a fault is answered with its whole text, where a scanner finds it.
    """
    changes = {
        "DJANGO_SETTINGS_MODULE": "bankproject.settings",
        "ENV_FILE": os.devnull,
        "DEBUG": "1",
        "DEMO": "1",
        "DATABASE_URL": f"sqlite:///{folder}/bank.sqlite3",
        "SITE_URL": url,
        "EMAIL_URL": "dummymail://",
        "LOG_LEVEL": "ERROR",
        "SECRET_KEY": secrets.token_urlsafe(48),
    }
    return environment_with(**changes)


class CommandFailed(Exception):
    """A command of the bank's ended with an error; the text is what it wrote."""


class DemoBank:
    """A served demo bank: signing in returns a cookie header, and afterwards the bank reports its state."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url, self.folder = f"http://127.0.0.1:{port}", folder
        self.log = folder / "access.log"
        self._environment = environment_of(folder, self.url)
        self._bind = f"127.0.0.1:{port}"

    def manage(self, *arguments: str) -> str:
        run = subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self._environment,
            capture_output=True, text=True,
        )  # fmt: skip
        if run.returncode:
            raise CommandFailed(f"{arguments[0]}: {run.stdout}{run.stderr}".strip())
        return run.stdout.strip()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of everything that works on this bank: a command, a shell."""
        return dict(self._environment)

    @contextmanager
    def served(self, raised: Mapping[str, str] = RAISED) -> Iterator["DemoBank"]:
        """Make it with the ordinary limits, and serve it with the raised ones."""
        self.manage("migrate", "--noinput", "--verbosity", "0")
        self.manage("seed_demo")
        command = [
            *(sys.executable, "-m", "gunicorn", "bankproject.wsgi", "--bind", self._bind, "--workers", "2"),
            *("--no-control-socket", "--timeout", "120", "--log-level", "error"),
            *("--access-logfile", str(self.log), "--access-logformat", "%(s)s %(m)s %(U)s%(q)s"),
        ]
        with (self.folder / "server.log").open("w") as errors:
            limits = {**self._environment, **raised}
            server = subprocess.Popen(command, cwd=ROOT, env=limits, stdout=errors, stderr=errors)
        try:
            self._wait()
            yield self
        finally:
            server.terminate()
            server.wait(timeout=30)

    def _wait(self) -> None:
        for _ in range(300):
            try:
                build_opener().open(f"{self.url}/sign-in/", timeout=5).close()
                return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError("The demo bank does not answer.")

    def sign_in(self, email: str) -> "SignedIn":
        """Take both steps, as a browser does."""
        person = SignedIn(self.url)
        person.send("/sign-in/", email=email, password=DEMO_PASSWORD)
        page = person.send("/sign-in/code/", code=self.manage("demo_code", email))
        if "Sign out" not in page:
            raise RuntimeError(f"{email} could not sign in.")
        return person

    def statuses(self) -> Counter[str]:
        """Return how often the bank answered with each status."""
        return Counter(line.partition(" ")[0] for line in self._answers())

    def faults(self) -> list[str]:
        """Return the requests that were answered with our own fault (5xx)."""
        return sorted({line for line in self._answers() if line.startswith("5")})

    def _answers(self) -> list[str]:
        return self.log.read_text(encoding="utf-8", errors="replace").splitlines()

    def problems(self) -> list[str]:
        """Return the findings of `verify_ledger` and `verify_audit_log` on the bank, if there are any."""
        said = []
        for command in ("verify_ledger", "verify_audit_log"):
            try:
                self.manage(command)
            except CommandFailed as error:
                said.append(str(error))
        return said


class SignedIn:
    """A browser's cookies, and what a scanner has to know about a page."""

    def __init__(self, url: str) -> None:
        self.url, self._jar = url, CookieJar()
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(self._jar))

    def get(self, path: str) -> str:
        with self._opener.open(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def send(self, path: str, **fields: str) -> str:
        token = self.find(r'name="csrfmiddlewaretoken" value="(\w+)"', path)
        body = urlencode(fields | {"csrfmiddlewaretoken": token}).encode()
        with self._opener.open(self.url + path, body, timeout=30) as answer:
            return str(answer.read().decode())

    def find(self, pattern: str, path: str) -> str:
        """Return the first group of the first match on a page."""
        found = re.search(pattern, self.get(path))
        if found is None:
            raise RuntimeError(f"{path} has nothing like {pattern}")
        return found.group(1)

    @property
    def cookies(self) -> str:
        """For a Cookie header."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)
