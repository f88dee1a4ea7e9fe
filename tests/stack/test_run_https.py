"""`make run-https` serves the demo bank by HTTPS, with the firewall and without, and ends whole (R9.3)."""

import os
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from tests.firewall.conftest import readable_folder, spare_port
from tests.firewall.tls import client, takes
from tests.firewall.visitor import Answer, Visitor


@contextmanager
def run_https(repository: Path, folder: Path, choice: str) -> Iterator[Visitor]:
    """A browser that accepts any certificate, as people do when asked; after the end, no process is left."""
    port = spare_port()
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    keys = {name: os.environ[name] for name in ("SECRET_KEY", "FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS")}
    environment = inherited | keys | {
        "ENV_FILE": os.devnull,
        "DATABASE_URL": f"sqlite:///{folder}/bank.sqlite3",
        "FIREWALL_FOLDER": str(folder / "firewall"),
        "WEB_CONCURRENCY": "1",
    }  # fmt: skip
    ports = [f"PORT={port}", f"BEHIND={spare_port()}"]
    process = subprocess.Popen(
        ["make", "run-https", f"FIREWALL={choice}", *ports], cwd=repository, env=environment, start_new_session=True
    )
    try:
        browser = Visitor(port, [], tls=trusting_anybody())
        for _ in range(600):
            assert process.poll() is None, "make run-https ended by itself"
            if answers(browser):
                break
            time.sleep(0.5)
        yield browser
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        for _ in range(120):
            if not alive(process.pid):
                break
            time.sleep(0.5)
        assert not alive(process.pid), "a process is left"
    finally:
        if alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def trusting_anybody() -> ssl.SSLContext:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def answers(browser: Visitor) -> Answer | None:
    try:
        answer = browser.get("/healthz")
    except OSError:
        return None
    return answer if answer.status == 200 else None


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.django_db(transaction=True)
def test_the_demo_bank_by_https(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = readable_folder(tmp_path_factory)
    if connection.vendor == "sqlite":  # under the same keys: its own `migrate` has nothing left to do
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [f"{folder}/bank.sqlite3"])
    for choice in ("yes", "no"):
        with run_https(repository, folder, choice) as browser:
            page = browser.get("/sign-in/")
            assert page.status == 200
            browser.read_token(page)
            assert "__Host-bank-csrf" in browser.cookies
            assert "Strict-Transport-Security" not in page.headers, "of localhost, no browser is told so"
            assert browser.get("/static/css/tokens.css").status == 200, "collected"
            attack = browser.get("/history/", {"text": "' UNION SELECT password FROM accounts_user--"})
            assert (attack.status == 403) is (choice == "yes")
            # By the firewall and by gunicorn alike: an ECDSA key, forward secrecy, authenticated encryption.
            tried = ("ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES256-GCM-SHA384")
            taken = [suite for suite in tried if takes(browser.port, client("TLSv1.2", suite))]
            assert taken == ["ECDHE-ECDSA-AES256-GCM-SHA384"]
            assert not takes(browser.port, client("TLSv1.1"))
