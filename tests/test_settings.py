"""The bank does not start on a missing, short or default secret, and its defaults are the safe ones (R8.7)."""

import base64
import hashlib
import itertools
import os
import re
import runpy
import secrets
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

READ = {
    "ENV_FILE": os.devnull,
    "SECRET_KEY": secrets.token_urlsafe(48),
    "FIELD_KEYS": "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "LOOKUP_KEYS": "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "AUDIT_KEYS": "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
}


_serial = itertools.count()


def key(number_of_bytes: int = 32) -> str:
    """Another key each time, the same ones in each run: they are part of the names of tests."""
    return base64.urlsafe_b64encode(hashlib.shake_256(b"%d" % next(_serial)).digest(number_of_bytes)).decode()


@pytest.fixture
def settings_with(monkeypatch: pytest.MonkeyPatch, repository: Path) -> Any:
    """What settings.py makes of an environment that holds the secrets and these changes, and nothing else."""

    def load(**changes: str | None) -> dict[str, Any]:
        for name in list(os.environ):
            if name not in ("PATH", "HOME", "TEST_RUN_FOLDER"):
                monkeypatch.delenv(name)
        for name, value in (READ | changes).items():
            if value is not None:
                monkeypatch.setenv(name, value)
        return runpy.run_path(str(repository / "bankproject" / "settings.py"))

    return load


@pytest.mark.parametrize("name", ["SECRET_KEY", "FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS"])
@pytest.mark.parametrize("value", [None, ""])
def test_it_does_not_start_without_a_secret(settings_with: Any, name: str, value: str | None) -> None:
    # R8.7
    with pytest.raises(ImproperlyConfigured, match=name):
        settings_with(**{name: value})


@pytest.mark.parametrize(
    "value",
    ["changeme", "x" * 49, "x" * 60, "ab" * 40, "django-insecure-" + key(48), " " * 80],
)
def test_a_short_or_default_secret_key_is_refused(settings_with: Any, value: str) -> None:
    # R8.7
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY must be at least 50 random characters"):
        settings_with(SECRET_KEY=value)


@pytest.mark.parametrize("name", ["FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS"])
@pytest.mark.parametrize(
    ("ring", "why"),
    [
        (f"k1:{key(16)}", "32 random bytes"),
        (f"k1:{key(33)}", "32 random bytes"),
        ("k1:" + base64.urlsafe_b64encode(bytes(32)).decode(), "32 random bytes"),
        ("k1:" + base64.urlsafe_b64encode(b"0123" * 8).decode(), "32 random bytes"),
        ("k1:", "32 random bytes"),
        ("k1:abc", "not base64"),
        (key(), "key ids are|not base64|32 random bytes"),
        (f":{key()}", "key ids are"),
        (f"k-1:{key()}", "key ids are"),
        (f"key234567:{key()}", "key ids are"),
        (f"k1:{key()},k1:{key()}", "each used once"),
        (f"k2:{key()},k1:short", "k1"),
    ],
)
def test_a_bad_key_ring_is_refused_and_named(settings_with: Any, name: str, ring: str, why: str) -> None:
    # R8.1, R8.7
    with pytest.raises(ImproperlyConfigured, match=why) as refusal:
        settings_with(**{name: ring})
    assert name in str(refusal.value)
    secrets_in_it = [part for part in re.split("[:,]", ring) if len(part) > 20]
    assert not any(part in str(refusal.value) for part in secrets_in_it), "a key must not land in a log"


@pytest.mark.parametrize(
    ("one", "other"), [("FIELD_KEYS", "LOOKUP_KEYS"), ("FIELD_KEYS", "AUDIT_KEYS"), ("LOOKUP_KEYS", "AUDIT_KEYS")]
)
def test_the_rings_share_no_key(settings_with: Any, one: str, other: str) -> None:
    # R8.7: separate keys for separate purposes.
    with pytest.raises(ImproperlyConfigured, match=f"{one} and {other} must not share a key"):
        settings_with(**{one: READ[other]})


def test_the_first_key_seals_and_the_others_still_open(settings_with: Any) -> None:
    # R8.1
    ring = settings_with(FIELD_KEYS=f"k2:{key()},k1:{key()}")["FIELD_KEYS"]
    assert list(ring) == ["k2", "k1"]
    assert all(len(value) == 32 for value in ring.values())


def test_the_defaults_are_those_of_a_real_bank(settings_with: Any) -> None:
    # R9.1, R8.2: debug and demo off, cookies over HTTPS only.
    made = settings_with()
    assert (made["DEBUG"], made["DEMO"]) == (False, False)
    assert made["SESSION_COOKIE_SECURE"] is made["CSRF_COOKIE_SECURE"] is made["SECURE_SSL_REDIRECT"] is True
    assert made["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert made["AXES_FAILURE_LIMIT"] == 5
    assert (made["SESSION_IDLE_SECONDS"], made["SESSION_ABSOLUTE_SECONDS"]) == (300, 28_800)
    assert (made["TRANSFERS_PER_MINUTE"], made["DEPOSITS_PER_MINUTE"], made["WITHDRAWALS_PER_MINUTE"]) == (5, 20, 20)
    assert made["DAILY_TRANSFER_LIMIT"] == Decimal(25000)
    assert (made["ALERT_AMOUNT"], made["SUSPICIOUS_AMOUNT"]) == (Decimal(1000), Decimal(10_000))
    assert made["ALERT_PAYMENTS_PER_HOUR"] == 5
    assert made["TRUSTED_PROXIES"] == []
    assert "SECURE_PROXY_SSL_HEADER" not in made, "a header is believed from our own proxy only"
    assert made["EMAIL_URL"].startswith("smtp://"), "only the demo keeps its mails to itself"
    assert "ATOMIC_REQUESTS" not in made["DATABASES"]["default"]


@pytest.mark.parametrize(
    "name", ["SESSION_IDLE_SECONDS", "DAILY_TRANSFER_LIMIT", "TRANSFERS_PER_MINUTE", "SUSPICIOUS_AMOUNT"]
)
@pytest.mark.parametrize("value", ["0", "-1", str(10**13)])
def test_a_limit_that_limits_nothing_is_refused(settings_with: Any, name: str, value: str) -> None:
    # R3.9, R1.6
    with pytest.raises(ImproperlyConfigured, match=name):
        settings_with(**{name: value})


def test_the_embedded_database_is_set_up_for_money(settings_with: Any) -> None:
    # R3.4: WAL, writers queue, an answered commit is on the disk, REPLACE fires triggers.
    database = settings_with()["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    pragmas = database["OPTIONS"]["init_command"]
    assert all(p in pragmas for p in ("journal_mode=WAL", "synchronous=FULL", "recursive_triggers=ON"))


def test_sql_server_is_spoken_to_encrypted(settings_with: Any) -> None:
    # R8.2
    url = "mssql://bank:secret@db:1433/bank"
    options = settings_with(DATABASE_URL=url)["DATABASES"]["default"]["OPTIONS"]
    assert (options["python_driver"], options["extra_params"]) == ("mssql_python", "Encrypt=yes")
    changed = settings_with(DATABASE_URL=url, MSSQL_EXTRA_PARAMS="Encrypt=yes;TrustServerCertificate=yes")
    assert changed["DATABASES"]["default"]["OPTIONS"]["extra_params"].endswith("TrustServerCertificate=yes")


def test_another_database_is_left_as_it_is(settings_with: Any) -> None:
    database = settings_with(DATABASE_URL="postgres://bank:secret@db/bank")["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert "init_command" not in database["OPTIONS"]


def test_behind_a_trusted_proxy_its_word_on_https_counts(settings_with: Any) -> None:
    # R8.4
    made = settings_with(TRUSTED_PROXIES="10.0.0.0/8,192.168.0.0/16")
    assert made["TRUSTED_PROXIES"] == ["10.0.0.0/8", "192.168.0.0/16"]
    assert made["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")


def test_the_demo_sends_no_mail_to_the_world(settings_with: Any) -> None:
    # R1.1
    made = settings_with(DEMO="1", DEBUG="1")
    assert made["EMAIL_URL"] == "dummymail://"
    assert made["POST_OFFICE"]["BACKENDS"]["default"] == "django.core.mail.backends.dummy.EmailBackend"


def test_the_hashers_are_argon2_and_then_pbkdf2(settings_with: Any) -> None:
    # R1.2
    assert [name.rpartition(".")[2] for name in settings_with()["PASSWORD_HASHERS"]] == [
        "Argon2PasswordHasher",
        "PBKDF2PasswordHasher",
    ]


def production(**changes: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | READ | {"DATABASE_URL": "sqlite:///:memory:", "ALLOWED_HOSTS": "bank.example"} | changes


def test_a_program_started_on_a_bad_secret_ends_at_once(repository: Path) -> None:
    # R8.7: the whole way, as a server would start.
    run = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=repository,
        env=production(SECRET_KEY="changeme"),
        capture_output=True,
        text=True,
    )
    assert run.returncode != 0
    assert "SECRET_KEY must be at least 50 random characters" in run.stderr


def test_the_deployment_check_has_nothing_to_say_about_the_defaults(repository: Path) -> None:
    # R8.5
    run = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=repository,
        env=production(),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_environ_reads_no_file_that_was_not_named(settings_with: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # R8.7: ENV_FILE chooses it, so that production can forbid one.
    read: list[str] = []
    monkeypatch.setattr(environ.Env, "read_env", classmethod(lambda cls, path: read.append(path)))
    settings_with()
    assert read == [os.devnull]


def test_an_administrators_key_is_none_or_long(settings_with: Any) -> None:
    # R1.5
    assert settings_with()["ADMIN_KEY"] == ""
    assert settings_with(ADMIN_KEY="sixteen letters.")["ADMIN_KEY"] == "sixteen letters."
    with pytest.raises(ImproperlyConfigured, match="ADMIN_KEY"):
        settings_with(ADMIN_KEY="fifteen letters")
