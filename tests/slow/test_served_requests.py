"""What gunicorn, by its one configuration, makes of requests that are hard to read, and of a database that another
program holds (R7.3, R8.2, R9.3)."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from tests import migrated_database
from tests.asvs import proves
from tests.faults.databases import free_port
from tests.processes import ROOT
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

LOCK_SECONDS = 1
HTTPS = {"X-Forwarded-Proto": "https"}
LOGIN = json.dumps({"email": "nobody@example.com", "password": "not hers at all", "code": "123456"}).encode()


class Served:
    """The bank, behind a proxy on this machine that speaks HTTPS with its clients."""

    def __init__(self, port: int, file: Path, master: "subprocess.Popen[bytes]") -> None:
        self.port, self.file, self.master = port, file, master

    def asked(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[HTTPResponse, str]:
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            told = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request(method, path, body, told, encode_chunked="Transfer-Encoding" in told)
            answer = connection.getresponse()
            return answer, answer.read().decode()

    def sent(self, text: str) -> str:
        """Return the status line of the answer to what is sent as it is."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
            line.sendall(text.replace("\n", "\r\n").encode())
            return line.makefile("r").readline().strip()

    @property
    def workers(self) -> list[str]:
        pid = self.master.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the database as another program, in the middle of a write."""
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    def is_up(self) -> bool:
        try:
            return self.asked("GET", "/healthz")[0].status == 200
        except OSError:
            return False


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("served"), free_port()
    file = folder / "bank.sqlite3"
    migrated_database.lay(file)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.slow.served_settings",
        "DEBUG": "0",
        "DATABASE_URL": f"sqlite:///{file}?timeout={LOCK_SECONDS}",
        "ALLOWED_HOSTS": "bank.example,127.0.0.1",
        "TRUSTED_PROXIES": "127.0.0.1",
        "WEB_BIND": f"127.0.0.1:{port}",
        "WEB_CONCURRENCY": "1",
        "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
    }
    for name in ("WEB_CERTIFICATE", "WEB_CERTIFICATE_KEY", "SECURE_SSL_REDIRECT"):
        environment.pop(name, None)
    manage = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(manage, cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
    served = Served(port, file, subprocess.Popen(command, cwd=ROOT, env=environment))
    try:
        wait_until(served.is_up, "a worker")
        yield served
    finally:
        served.master.terminate()
        served.master.wait(timeout=60)


@proves("V16.5.2")
def test_a_database_that_another_program_holds_ends_in_503_and_kills_no_worker(bank: Served) -> None:
    """R9.3, F5: after 31 s gunicorn answered 500 with a page of its own, and killed its worker."""
    before = bank.workers
    with bank.locked():
        answer, body = bank.asked("POST", "/api/v1/auth/login", LOGIN, Content_Type="application/json", **HTTPS)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5"), body
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert json.loads(body)["code"] == "database_away"
        page, _ = bank.asked("GET", "/register/", **HTTPS)
        token = page.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        cookie = {"Cookie": f"__Host-bank-csrf={token}", "Origin": "https://bank.example", "Host": "bank.example"}
        form = f"csrfmiddlewaretoken={token}&email=new%40example.com&first_name=Nina&last_name=Neu"
        kind = "application/x-www-form-urlencoded"
        answer, body = bank.asked("POST", "/sign-in/", form + "&password=x", Content_Type=kind, **cookie, **HTTPS)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5"), body
        assert "One moment, please" in body
        assert "Traceback" not in body
    assert bank.workers == before != []
    answer, body = bank.asked("POST", "/api/v1/auth/login", LOGIN, Content_Type="application/json", **HTTPS)
    assert (answer.status, json.loads(body)["code"]) == (401, "sign_in_refused"), "the lock is gone"


def test_a_chunked_body_is_411_in_one_shape(bank: Served) -> None:
    """R7.3, F7."""
    chunked = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"} | HTTPS
    answer, body = bank.asked("POST", "/api/v1/auth/login", iter([LOGIN]), **chunked)
    assert (answer.status, json.loads(body)["code"]) == (411, "length_required")
    answer, body = bank.asked("POST", "/sign-in/", iter([b"email=a"]), **chunked)
    assert (answer.status, "We could not take that" in body) == (411, True)
    answer, body = bank.asked("POST", "/api/v1/auth/login", LOGIN, Content_Type="application/json", **HTTPS)
    assert answer.status == 401, "in one piece it is read"


@proves("V15.2.2")
def test_a_long_body_is_413_before_it_has_arrived(bank: Served) -> None:
    """R8.2, B5: nothing of it is sent here, and nothing of it is waited for."""
    for path in ("/sign-in/", "/api/v1/auth/login"):
        head = f"POST {path} HTTP/1.1\nHost: bank.example\nX-Forwarded-Proto: https\nContent-Length: 300000000\n"
        said = bank.sent(f"{head}Content-Type: multipart/form-data; boundary=x\n\n")
        assert said == "HTTP/1.1 413 Request Entity Too Large", path


@proves("V4.1.3")
def test_an_address_with_another_host_is_refused(bank: Served) -> None:
    """R8.2: what stands in front may have let it pass by one name, while the bank goes by the other."""
    ours = "Host: bank.example\nX-Forwarded-Proto: https\nConnection: close\n\n"
    assert " 421 " in bank.sent(f"GET http://other.example/sign-in/ HTTP/1.1\n{ours}")
    assert " 421 " in bank.sent(f"GET http://other.example/api/v1/openapi.json HTTP/1.1\n{ours}")
    assert " 200 " in bank.sent(f"GET http://bank.example/sign-in/ HTTP/1.1\n{ours}")
    assert " 200 " in bank.sent(f"GET /sign-in/ HTTP/1.1\n{ours}")


@proves("V4.1.2")
def test_a_program_in_clear_is_403_and_a_page_redirected(bank: Served) -> None:
    """R8.2, S5."""
    for scheme in ({}, {"X-Forwarded-Proto": "http"}):
        answer, body = bank.asked("POST", "/api/v1/auth/login", LOGIN, Content_Type="application/json", **scheme)
        assert (answer.status, json.loads(body)["code"]) == (403, "https_required")
        answer, _ = bank.asked("GET", "/sign-in/", **scheme)
        assert (answer.status, answer.headers["Location"][:8]) == (301, "https://")
    answer, _ = bank.asked("GET", "/sign-in/", **{"X-Forwarded-Proto": "HTTPS"})
    assert answer.status == 200


def test_the_server_for_development_refuses_chunked_bodies_too(live_server: Any) -> None:
    """R7.3, F7: `make run`; and a foreign address is refused there."""
    with closing(HTTPConnection(live_server.thread.host, live_server.thread.port, timeout=60)) as connection:
        headers = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/auth/login", iter([LOGIN]), headers, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["code"]) == (411, "length_required")
    with closing(HTTPConnection(live_server.thread.host, live_server.thread.port, timeout=60)) as connection:
        connection.request("GET", "http://other.example/sign-in/", headers={"Host": "localhost"})
        assert connection.getresponse().status == 421
