"""The bank does not start on a missing, short or default secret, and its defaults are the safe ones (R8.7)."""

import base64
import hashlib
import itertools
import os
import re
import secrets
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ
import pytest
from django.core.exceptions import ImproperlyConfigured

from foundation.request_context import trusted_networks
from tests.asvs import proves
from tests.keys import RINGS
from tests.settings_run import REQUIRED, run_settings
from tests.tables import in_one_world

_serial = itertools.count()


def key(number_of_bytes: int = 32) -> str:
    """Return another key each time, and the same ones in each run: they are part of the names of tests."""
    return base64.urlsafe_b64encode(hashlib.shake_256(b"%d" % next(_serial)).digest(number_of_bytes)).decode()


@pytest.fixture
def settings_with(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what settings.py makes of an environment that holds the secrets and these changes, and nothing else."""

    def load(**changes: str | None) -> dict[str, Any]:
        for name in list(os.environ):
            if name not in ("PATH", "HOME", "TEST_RUN_FOLDER"):
                monkeypatch.delenv(name)
        for name, value in (REQUIRED | changes).items():
            if value is not None:
                monkeypatch.setenv(name, value)
        return run_settings()

    return load


@in_one_world("name", ["SECRET_KEY", *RINGS])
@in_one_world("value", [None, ""])
def test_it_does_not_start_without_a_secret(settings_with: Any, name: str, value: str | None) -> None:
    # R8.7
    with pytest.raises(ImproperlyConfigured, match=name):
        settings_with(**{name: value})


@proves("V13.2.3")
@in_one_world(
    "value",
    ["changeme", "x" * 49, "x" * 60, "ab" * 40, "django-insecure-" + key(48), " " * 80],
)
def test_a_short_or_default_secret_key_is_refused(settings_with: Any, value: str) -> None:
    # R8.7
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY: a key must be at least 50 random characters"):
        settings_with(SECRET_KEY=value)


@proves("V11.5.1")
@in_one_world("name", RINGS)
@in_one_world(
    ("ring", "why"),
    [
        (f"k1:{key(16)}", "32 random bytes"),
        (f"k1:{key(33)}", "32 random bytes"),
        ("k1:" + base64.urlsafe_b64encode(bytes(32)).decode(), "32 random bytes"),
        ("k1:" + base64.urlsafe_b64encode(b"0123" * 8).decode(), "32 random bytes"),
        ("k1:", "32 random bytes"),
        ("k1:abc", "32 random bytes in base64url"),
        (f"k1:{key()[:-2]}ä=", "32 random bytes in base64url"),
        (f"k1:{key()[:-1]}", "32 random bytes in base64url"),
        (key(), "key ids are"),
        (f":{key()}", "key ids are"),
        (f"k-1:{key()}", "key ids are"),
        (f"key234567:{key()}", "key ids are"),
        (f"k1:{key()},k1:{key()}", "each used once"),
        (f"k1:{key()},K1:{key()}", "each used once"),
        (f"ké:{key()}", "key ids are"),
        (f"k2:{(same := key())},k1:{same}", "twice, under two names"),
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


@proves("V11.1.1")
@in_one_world(("one", "other"), list(itertools.combinations(RINGS, 2)))
def test_the_rings_share_no_key(settings_with: Any, one: str, other: str) -> None:
    # R8.7: separate keys for separate purposes.
    with pytest.raises(ImproperlyConfigured, match=f"{one} and {other} must not share a key"):
        settings_with(**{one: REQUIRED[other]})


@proves("V11.1.1")
@in_one_world("ring", RINGS)
@in_one_world("name", ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "ADMIN_KEY"])
@in_one_world("spelling", [bytes.hex, lambda key: base64.b64encode(key).decode()], ids=["hex", "base64"])
def test_no_other_secret_is_made_of_a_key(settings_with: Any, ring: str, name: str, spelling: Any) -> None:
    # R8.7: not hidden in a longer text either.
    held = hashlib.shake_256(f"{ring}{name}".encode()).digest(32)
    text = "Xy7-" + spelling(held).rstrip("=") + "-and more, to be long enough".replace(",", "")
    with pytest.raises(ImproperlyConfigured, match=f"{name}.* and {ring} must not share a key") as refusal:
        settings_with(**{ring: "k1:" + base64.urlsafe_b64encode(held).decode(), name: text})
    assert spelling(held).rstrip("=") not in str(refusal.value)


def test_a_former_secret_key_is_as_strong_as_the_present_one_and_another(settings_with: Any) -> None:
    # R8.7
    assert settings_with()["SECRET_KEY_FALLBACKS"] == []
    old = [secrets.token_urlsafe(48), secrets.token_urlsafe(48)]
    assert settings_with(SECRET_KEY_FALLBACKS=",".join(old))["SECRET_KEY_FALLBACKS"] == old
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY_FALLBACKS: a key must be at least 50 random"):
        settings_with(SECRET_KEY_FALLBACKS=f"{old[0]},changeme")
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY and SECRET_KEY_FALLBACKS\[0\] must not share"):
        settings_with(SECRET_KEY_FALLBACKS=REQUIRED["SECRET_KEY"])
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY and ADMIN_KEY must not share"):
        settings_with(ADMIN_KEY=REQUIRED["SECRET_KEY"])


def test_a_reader_of_the_figures_has_a_secret_of_their_own(settings_with: Any) -> None:
    # R8.7, R9.5
    assert settings_with()["METRICS_TOKEN"] == ""
    with pytest.raises(ImproperlyConfigured, match="METRICS_TOKEN must be empty or have at least 20"):
        settings_with(METRICS_TOKEN="x" * 19)
    with pytest.raises(ImproperlyConfigured, match="SECRET_KEY and METRICS_TOKEN must not share"):
        settings_with(METRICS_TOKEN=REQUIRED["SECRET_KEY"])


def test_the_log_is_told_how_and_where(settings_with: Any, tmp_path: Path) -> None:
    # R9.5
    assert list(settings_with()["LOGGING"]["handlers"]) == ["stderr"]
    made = settings_with(LOG_FORMAT="json", LOG_FILE=str(tmp_path / "bank.log"), LOG_FILES_KEPT="3")["LOGGING"]
    assert (list(made["handlers"]), made["handlers"]["file"]["kept"]) == (["stderr", "file"], 3)
    with pytest.raises(ImproperlyConfigured, match="LOG_FORMAT must be one of line, json"):
        settings_with(LOG_FORMAT="xml")


def test_the_first_key_seals_and_the_others_still_open(settings_with: Any) -> None:
    # R8.1
    ring = settings_with(FIELD_KEYS=f"k2:{key()},k1:{key()}")["FIELD_KEYS"]
    assert list(ring) == ["k2", "k1"]
    assert all(len(value) == 32 for value in ring.values())


@proves("V13.4.2")
def test_the_defaults_are_those_of_a_real_bank(settings_with: Any) -> None:
    # R9.1, R8.2: debug and demo off, cookies over HTTPS only.
    made = settings_with()
    assert (made["DEBUG"], made["DEMO"]) == (False, False)
    assert made["SESSION_COOKIE_SECURE"] is made["CSRF_COOKIE_SECURE"] is made["SECURE_SSL_REDIRECT"] is True
    assert made["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert made["SESSION_ENGINE"] == "accounts.sign_in.sessions.engine"
    assert (made["AXES_FAILURE_LIMIT"], made["GUESSES_PER_NETWORK"]) == (5, 100)
    assert (made["SESSION_IDLE_SECONDS"], made["SESSION_ABSOLUTE_SECONDS"]) == (300, 28_800)
    assert made["SESSION_NOTED_SECONDS"] == 15
    assert made["SESSION_COOKIE_AGE"] > 28_800 + 300, "who comes back too late is told why"
    assert (made["TRANSFERS_PER_MINUTE"], made["DEPOSITS_PER_MINUTE"], made["WITHDRAWALS_PER_MINUTE"]) == (5, 20, 20)
    assert made["DAILY_TRANSFER_LIMIT"] == Decimal(25000)
    assert (made["SELF_SERVICE_CASH"], made["CASH_IN_DAILY_LIMIT"]) == (False, Decimal(10_000))
    assert (made["ALERT_AMOUNT"], made["SUSPICIOUS_AMOUNT"]) == (Decimal(1000), Decimal(10_000))
    assert made["ALERT_PAYMENTS_PER_HOUR"] == 5
    assert made["HOLD_EXPIRES_DAYS"] == 14
    assert (made["SECOND_ADMIN_DAYS"], made["SOLE_ADMIN_DELAY_HOURS"], made["PENDING_ACT_DAYS"]) == (30, 24, 7)
    assert made["STAFF_CODE_SECONDS"] == 300
    assert made["TRUSTED_PROXIES"] == []
    assert "SECURE_PROXY_SSL_HEADER" not in made, "a header is believed from our own proxy only"
    assert made["EMAIL_URL"].startswith("smtp://"), "only the demo keeps its mails to itself"
    assert "ATOMIC_REQUESTS" not in made["DATABASES"]["default"]


COOKIES = ("SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "DEVICE_COOKIE_NAME")


@proves("V3.3.3")
def test_over_https_browsers_keep_cookies_to_exactly_this_host(settings_with: Any) -> None:
    # R8.2: browsers check the promise of the prefix, so the cookies must keep it.
    made = settings_with()
    assert [made[name] for name in COOKIES] == ["__Host-bank-session", "__Host-bank-csrf", "__Host-bank-device"]
    assert made["SESSION_COOKIE_SECURE"] is made["CSRF_COOKIE_SECURE"] is True
    assert not {"SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_DOMAIN", "SESSION_COOKIE_PATH", "CSRF_COOKIE_PATH"} & set(made)


@in_one_world("environment", [{"DEBUG": "1"}, {"SECURE_COOKIES": "0"}])
def test_without_https_they_have_plain_names(settings_with: Any, environment: dict[str, str]) -> None:
    # R8.2: no browser would take the others.
    assert not any(settings_with(**environment)[name].startswith("__Host-") for name in COOKIES)


def test_customers_make_cash_by_themselves_in_the_demo_alone_unless_it_is_set(settings_with: Any) -> None:
    # R3.2
    assert settings_with(DEMO="1")["SELF_SERVICE_CASH"] is True
    assert settings_with(DEMO="1", SELF_SERVICE_CASH="0")["SELF_SERVICE_CASH"] is False
    assert settings_with(SELF_SERVICE_CASH="1")["SELF_SERVICE_CASH"] is True


@in_one_world(
    "name",
    [
        *("SESSION_IDLE_SECONDS", "DAILY_TRANSFER_LIMIT", "TRANSFERS_PER_MINUTE", "SUSPICIOUS_AMOUNT"),
        *("HOLD_EXPIRES_DAYS", "CASH_IN_DAILY_LIMIT"),
        *("SECOND_ADMIN_DAYS", "SOLE_ADMIN_DELAY_HOURS", "PENDING_ACT_DAYS", "STAFF_CODE_SECONDS"),
    ],
)
@in_one_world("value", ["0", "-1", str(10**13)])
def test_a_limit_that_limits_nothing_is_refused(settings_with: Any, name: str, value: str) -> None:
    # R3.9, R1.6
    with pytest.raises(ImproperlyConfigured, match=name):
        settings_with(**{name: value})


@in_one_world(("noted", "idle"), [("0", "300"), ("61", "300"), ("15", "14"), ("3600", "7200")])
def test_a_clock_that_is_hardly_ever_noted_is_refused(settings_with: Any, noted: str, idle: str) -> None:
    # R1.6: a session lives that much longer.
    with pytest.raises(ImproperlyConfigured, match="SESSION_NOTED_SECONDS"):
        settings_with(SESSION_NOTED_SECONDS=noted, SESSION_IDLE_SECONDS=idle)
    made = settings_with(SESSION_NOTED_SECONDS="60", SESSION_IDLE_SECONDS="60")
    assert made["SESSION_NOTED_SECONDS"] == 60


@in_one_world("rate", ["1.5", "-0.01", "1.5 %", "2026-02-30:0.01", "2026-01-02:0.01,2026-01-01:0.02"])
def test_what_savings_earn_is_a_rate_or_rates_with_their_days(settings_with: Any, rate: str) -> None:
    """R9.2: none unless the bank says so; the demo has one."""
    with pytest.raises(ImproperlyConfigured, match="SAVINGS_RATE"):
        settings_with(SAVINGS_RATE=rate)
    assert settings_with()["SAVINGS_RATE"] == "0"
    assert settings_with(DEMO="1")["SAVINGS_RATE"] == "0.015"
    assert settings_with(SAVINGS_RATE="2026-01-01:0.015,2026-11-16:0.02")["SAVINGS_RATE"].endswith("0.02")


def test_the_embedded_database_is_set_up_for_money(settings_with: Any) -> None:
    # R3.4: WAL, writers queue, an answered commit is on the disk, REPLACE fires triggers.
    database = settings_with()["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    pragmas = database["OPTIONS"]["init_command"]
    assert all(p in pragmas for p in ("journal_mode=WAL", "synchronous=FULL", "recursive_triggers=ON"))


def test_another_database_is_left_as_it_is(settings_with: Any) -> None:
    database = settings_with(DATABASE_URL="postgres://bank:secret@localhost/bank")["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert "init_command" not in database["OPTIONS"]


def test_behind_a_trusted_proxy_its_word_on_https_counts(settings_with: Any) -> None:
    # R8.4
    made = settings_with(TRUSTED_PROXIES="10.0.0.0/8,192.168.0.0/16")
    assert made["TRUSTED_PROXIES"] == trusted_networks(["10.0.0.0/8", "192.168.0.0/16"])
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
    return kept | REQUIRED | {"DATABASE_URL": "sqlite:///:memory:", "ALLOWED_HOSTS": "bank.example"} | changes


@proves("V13.2.3")
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
    assert "SECRET_KEY: a key must be at least 50 random characters" in run.stderr


def test_environ_reads_no_file_that_was_not_named(settings_with: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # R8.7: ENV_FILE chooses it, so that production can forbid one.
    read: list[str] = []
    monkeypatch.setattr(environ.Env, "read_env", classmethod(lambda cls, path: read.append(path)))
    settings_with()
    assert read == [os.devnull]


def test_an_administrators_key_is_empty_or_long(settings_with: Any) -> None:
    # R1.5
    assert settings_with()["ADMIN_KEY"] == ""
    assert settings_with(ADMIN_KEY="sixteen letters.")["ADMIN_KEY"] == "sixteen letters."
    with pytest.raises(ImproperlyConfigured, match="ADMIN_KEY"):
        settings_with(ADMIN_KEY="fifteen letters")


def test_passwords_have_twelve_characters_or_more(settings_with: Any) -> None:
    # R1.2
    assert settings_with()["PASSWORD_MIN_CHARS"] == 12
    assert settings_with(PASSWORD_MIN_CHARS="16")["PASSWORD_MIN_CHARS"] == 16
    for value in ("11", "0", "65"):
        with pytest.raises(ImproperlyConfigured, match="PASSWORD_MIN_CHARS must be a whole number from 12 to 64"):
            settings_with(PASSWORD_MIN_CHARS=value)


def test_limits_are_counted_in_rows_unless_an_exact_cache_is_named(settings_with: Any) -> None:
    # R3.9: a store that does not count exactly is refused, not used.
    assert settings_with()["CACHE_URL"] == ""
    for url in ("redis://cache:6379/0", "rediss://:secret@cache:6379/0", "unix:///run/cache.sock?db=1"):
        assert settings_with(CACHE_URL=url, CLEAR_HOSTS="cache")["CACHE_URL"] == url
    for url in ("memcache://127.0.0.1:11211", "locmemcache://", "dummycache://", "cache:6379", "http://cache"):
        with pytest.raises(ImproperlyConfigured, match="CACHE_URL must be empty, or begin with redis"):
            settings_with(CACHE_URL=url)


def test_a_network_may_guess_at_least_as_often_as_one_person_there(settings_with: Any) -> None:
    # R1.4
    assert settings_with(GUESSES_PER_NETWORK="5")["GUESSES_PER_NETWORK"] == 5
    with pytest.raises(ImproperlyConfigured, match="GUESSES_PER_NETWORK must not be below"):
        settings_with(GUESSES_PER_NETWORK="4")


def test_no_ceiling_is_below_what_everybody_may_pay_out(settings_with: Any) -> None:
    # R3.9
    assert settings_with()["DAILY_LIMIT_CEILING"] == Decimal(250_000)
    assert settings_with(DAILY_TRANSFER_LIMIT="500000")["DAILY_LIMIT_CEILING"] == Decimal(5_000_000)
    with pytest.raises(ImproperlyConfigured, match="HOLD_EXPIRES_DAYS must be a whole number from 1 to 365"):
        settings_with(HOLD_EXPIRES_DAYS="366")
    with pytest.raises(ImproperlyConfigured, match="DAILY_LIMIT_CEILING must not be below"):
        settings_with(DAILY_LIMIT_CEILING="24999")


@in_one_world(
    ("name", "value"),
    [
        ("SECOND_ADMIN_DAYS", "366"),
        ("PENDING_ACT_DAYS", "366"),
        ("SOLE_ADMIN_DELAY_HOURS", "8761"),
        ("STAFF_CODE_SECONDS", "3601"),
    ],
)
def test_a_wait_that_nobody_lives_to_see_is_refused(settings_with: Any, name: str, value: str) -> None:
    # R5.8
    with pytest.raises(ImproperlyConfigured, match=name):
        settings_with(**{name: value})
