"""What real servers write about a request: no line has an account number or the secret of a link (R6.2, R9.5)."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, build_opener

import pytest

from tests import migrated_database
from tests.asvs import proves
from tests.processes import ROOT
from tests.scanners.demo_bank import environment_of, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

TOKEN = "Zx8_kQ2nV5mB-7tR4yU1wE9pL3sD6fG0hJcA2bN8vXq"  # pragma: allowlist secret
# However an address spells 123456789012: each must be in no line, nor these pieces of it.
SPELLINGS = (
    *("123456789012", "1234%205678%209012", "1234-5678-9012", "1234+5678+9012", "1234%2D5678%2D9012"),
    *("%31%32%33%34%35%36%37%38%39%30%31%32", "1234%C2%A05678%E2%80%939012", "%20".join("123456789012")),
)
# Its second group, and not by chance a piece of a request's id.
SECRET = re.compile(
    rf"345678|(?<![0-9a-f])5678(?![0-9a-f])|%35%36%37%38|5%206%207|5 6 7|{re.escape(TOKEN)}|{re.escape(TOKEN[5:38])}"
)


@contextmanager
def served(folder: Path, command: list[str], **changes: str) -> Iterator[tuple[int, Path]]:
    """Serve a bank of its own by a command, in which PORT stands for its port; yield the port and what it writes."""
    port, log = free_port(), folder / "server.log"
    migrated_database.lay(folder / "bank.sqlite3")
    environment = environment_of(folder, f"http://127.0.0.1:{port}") | {"LOG_LEVEL": "INFO"} | changes
    environment["WEB_BIND"] = f"127.0.0.1:{port}"
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    with log.open("w") as said:
        command = [sys.executable, *(part.replace("PORT", str(port)) for part in command)]
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)
    try:
        wait_until(lambda: _takes(port, server, log), "the server", seconds=60)
        yield port, log
    finally:
        server.terminate()
        server.wait(timeout=60)


def _takes(port: int, server: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert server.poll() is None, log.read_text()
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(port: int, path: str, **headers: str) -> int:
    try:
        request = Request(f"http://127.0.0.1:{port}{path}", headers=headers)
        with build_opener().open(request, timeout=60) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


def ask_for_secrets(port: int) -> int:
    """Ask for addresses with numbers and links in every place, and return how many were asked for."""
    asked = 0
    for spelling in SPELLINGS:
        for path in (
            f"/api/v1/accounts/{spelling}/transactions",
            f"/accounts/{spelling}/",
            f"/admin/accounts/bankaccount/?q={spelling}",
            f"/{spelling}.php?account={spelling}",
        ):
            ask(port, path, Referer=f"http://127.0.0.1:{port}{path}", Authorization=f"Bearer {spelling}")
            asked += 1
    for path in ("/register/confirm/{}/", "/password/reset/{}/", "/two-factor/link/{}/", "/stop/{}/", "/none/{}/?t={}"):
        ask(port, path.replace("{}", TOKEN), Referer=f"http://127.0.0.1:{port}/stop/{TOKEN}/")
        asked += 1
    ask(port, f"/accounts/{SPELLINGS[0]}/", Host=f"{SPELLINGS[0]}.example")
    return asked + 1


def raw(port: int, text: str) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(text.encode())
        connection.recv(4096)


@proves("V14.2.1", "V16.2.5")
def test_the_server_that_make_run_starts_writes_no_account_number_and_no_link(tmp_path: Path) -> None:
    with served(tmp_path, ["manage.py", "runserver", "--noreload", "127.0.0.1:PORT"]) as (port, log):
        asked = ask_for_secrets(port)
        raw(port, f"NONSENSE /{SPELLINGS[0]} {TOKEN}\r\n\r\n")
    said = log.read_text()
    assert [line for line in said.splitlines() if SECRET.search(line)] == []
    assert said.count('" 404 ') + said.count('" 401 ') + said.count('" 302 ') + said.count('" 400 ') >= asked
    assert said.count("(masked)") >= asked
    assert "INFO django.server [" in said, "as all lines are"


@proves("V14.2.1", "V16.2.5")
def test_gunicorn_writes_no_account_number_and_no_link(tmp_path: Path) -> None:
    command = ["-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
    plain = {"DEBUG": "0", "DEMO": "0", "SECURE_SSL_REDIRECT": "0", "WEB_CONCURRENCY": "1"}
    with served(tmp_path, command, **plain) as (port, log):
        asked = ask_for_secrets(port)
        for _ in range(120):
            raw(port, f"GET /{SPELLINGS[0]} {TOKEN} HTTP/1.1\r\n\r\n")
    said = log.read_text()
    assert [line for line in said.splitlines() if SECRET.search(line)] == []
    assert said.count(" INFO bank.requests [") >= asked
    unreadable = [line for line in said.splitlines() if " WARNING gunicorn.error [" in line]
    assert len(unreadable) == 100, "and not without end"
    assert unreadable[-1].endswith("; more like it are left out in this hour")
