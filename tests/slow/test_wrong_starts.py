"""The programs of the bank end on a wrong setting: status 1, and one line on the screen that names it, without a
traceback and without a secret (R8.7, R9.8)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.asvs import proves
from tests.faults.databases import free_port
from tests.processes import ROOT
from tests.settings_run import REQUIRED
from tests.tables import in_one_world

KEY = REQUIRED["TOKEN_KEYS"].partition(":")[2]
COMMAND = [sys.executable, "manage.py", "check"]
WORKER = [sys.executable, "manage.py", "send_queued_mail", "--watch"]
GUNICORN = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
NAMED = {
    "DATABASE_URL": "postgres://u:hunter2#a/ss@h/db",
    "SESSION_IDLE_SECONDS": "5m",
    "DAILY_TRANSFER_LIMIT": "25,000",
    "ALERT_AMOUNT": "NaN",
    "SITE_URL": "bank.test",
    "ALLOWED_HOSTS": "https://bank.test",
    "CURRENCY": "EURO",
    "DEFAULT_FROM_EMAIL": "Bank",
    "TOKEN_KEYS": f"k1:{KEY[:-3]}ä=",
    "TRUSTED_PROXIES": "nginx",
    "TIME_ZONE": "Vienna",
    "LOG_LEVEL": "LOUD",
    "LOG_FILE": "/nowhere/at/all/bank.log",
    "EMAIL_URL": "smtp://u:hunter2#b@mail.test:25",
    "CACHE_URL": "redis://:hunter2/x@cache.test",
    "DEBUG": "flase",
}


def ended(command: list[str], folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the bank until it ends by itself."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    own = {"DATABASE_URL": f"sqlite:///{folder}/bank.sqlite3", "WEB_BIND": f"127.0.0.1:{free_port()}"}
    environment = kept | REQUIRED | own | changes
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def assert_one_line(run: subprocess.CompletedProcess[str], name: str) -> None:
    assert (run.returncode, run.stdout) == (1, ""), run.stderr
    assert run.stderr.startswith(name)
    assert run.stderr.count("\n") == 1
    assert run.stderr.endswith(".\n")
    assert not any(secret in run.stderr for secret in ("hunter2", KEY[:-3], REQUIRED["SECRET_KEY"]))


@proves("V13.4.2", "V16.5.1")
@in_one_world(("name", "value"), list(NAMED.items()))
def test_a_command_ends_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    """R8.7: `DATABASE_URL=foo` was a traceback, and so were the others."""
    assert_one_line(ended(COMMAND, tmp_path, **{name: value}), name)


@proves("V13.4.2", "V16.5.1")
@in_one_world(
    ("command", "name", "value"),
    [
        (GUNICORN, "DATABASE_URL", NAMED["DATABASE_URL"]),
        (GUNICORN, "SESSION_IDLE_SECONDS", "5m"),
        (GUNICORN, "WEB_CONCURRENCY", "0"),  # a word for it fails in gunicorn itself, before it reads our file
        (GUNICORN, "WEB_BIND", "localhost"),
        (GUNICORN, "WEB_CERTIFICATE", "/nowhere/at/all.pem"),
        (WORKER, "TRUSTED_PROXIES", "127.0.0.1/8"),
    ],
)
def test_the_web_server_and_the_workers_end_in_one_line_and_try_no_second_time(
    tmp_path: Path, command: list[str], name: str, value: str
) -> None:
    """R9.3: no worker is started again and again that cannot start."""
    assert_one_line(ended(command, tmp_path, **{name: value}), name)


@proves("V13.4.2")
@in_one_world("command", [COMMAND, GUNICORN])
def test_a_demo_in_public_ends_in_one_line(tmp_path: Path, command: list[str]) -> None:
    """R9.8, B2."""
    run = ended(command, tmp_path, DEMO="1", SITE_URL="https://bank.example", ALLOWED_HOSTS="bank.example")
    assert_one_line(run, "DEMO shows codes and mails to anyone, and SITE_URL has bank.example")


@proves("V12.3.1")
@in_one_world("command", [COMMAND, GUNICORN])
def test_a_password_that_would_leave_in_clear_ends_in_one_line(tmp_path: Path, command: list[str]) -> None:
    """R8.2."""
    run = ended(command, tmp_path, EMAIL_URL="smtp://u:hunter2@mail.example:25")
    assert_one_line(run, "EMAIL_URL leads to mail.example without TLS")


@pytest.mark.parametrize("name", ["SECRET_KEY", "AUDIT_KEYS"])
def test_a_missing_secret_is_named(tmp_path: Path, name: str) -> None:
    assert_one_line(ended(COMMAND, tmp_path, **{name: ""}), name)
