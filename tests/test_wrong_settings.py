"""Every setting refuses wrong values: in one line that names it, says what it takes, and gives no secret away (R8.7,
R9.8).

The table is the one that the settings declare (`bankproject/environment.py`). tests/slow/test_wrong_starts.py sees the
programs end.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured

from bankproject.environment import Setting
from bankproject.web_server import read_settings
from tests.asvs import proves
from tests.settings_document import table
from tests.settings_run import REQUIRED, run_settings
from tests.tables import in_one_world

NOWHERE = "/nowhere/at/all/file"
KEY = REQUIRED["FIELD_KEYS"].partition(":")[2]
RING = (
    "",
    KEY,
    "k1:",
    f"k1:{KEY[:-4]}",
    f"k1:{KEY[:-3]}ä=",
    f"k1={KEY}",
    f"k-1:{KEY}",
    f"k1:{KEY},K1:{KEY}",
    "changeme",
)
HOSTS = (
    "https://bank.test",
    "bank.test:8000",
    "bank .test",
    "bänk.test",
    "bank.test/",
    "1.2.3",
    "u:p@bank.test",
    "::1",
)
DATABASE = (
    *("foo", "postgres://u:p#a/ss@h/db", "postgres://u:p/ss@h/db", "postgres://u:p?a@h/db", "postgres://u:p ss@h/db"),
    *("postgres://u:pw@h:x/db", "postgres://u:pw@h:99999/db", "postgres://u:pw@h", "mssql://u:pw@/db", "mssql://h"),
    *(
        "mysql://u:pw@h/db",
        "postgres:/u:pw@h/db",
        "postgres://u:pw@h/db/x",
        "postgres://u:p[w@h/db",
        "sqlite://u:pw/db",
    ),
    *("postgres://u:12/pw@h/db", "postgres://u:pw@h/db?sslmode", "db.sqlite3", "postgres://u:pwä@h/db"),
)
# What each kind of value is not, and what the settings of one kind are not.
WRONG_OF_KIND = {
    "on/off": ("flase", "", "2", "yes please", "o n"),
    "amount": ("25,000", "NaN", "Infinity", "0", "0.99", "-5", "1e3", "1000000000000", "٢٥", "", "1_000", "ten"),
    "≥1": ("0", "-1", "5m", "1.5", "1e3", "٥", "", "1_000", "1000000000", "9" * 40),
    "rate": ("", "1.5", "-0.01", "1.5 %", "NaN", "2026-02-30:0.01", "2026-01-02:0.01,2026-01-01:0.02"),
    "currency": ("EURO", "", "eur", "XAU", "€"),
    "language": ("", "english", "xx", "en_GB", "de_DE.UTF-8", "../de"),
    "time zone": ("", "Vienna", "CEST+2", "Europe", "../UTC", "Europe/Vienna "),
    "key ring": RING,
}
WRONG = {
    "ENV_FILE": (NOWHERE, "/", ""),
    "BANK_NAME": ("", "x" * 61, "Alder\nBank", " Alder", "Alder\udcffBank"),
    "SITE_URL": (
        *("bank.test", "ftp://bank.test", "https://", "https://bank.test/path", "https://bank.test:0"),
        *("https://bank.test:x", "https://u:pw@bank.test", "https://bank.test?x", "https://bank.test#x"),
        *("https://bänk.test", ""),
    ),
    "SECURITY_CONTACT": (
        *("security@bank.test", "http://bank.test", "mailto:", "mailto:a@b.test\nExpires: x", "mailto:a b", "ftp://x.test"),
    ),
    "SECRET_KEY": ("", "changeme", "x" * 60),
    "SECRET_KEY_FALLBACKS": ("changeme", f"{REQUIRED['SECRET_KEY'][::-1]},short"),
    "ADMIN_KEY": ("fifteen letters",),
    "METRICS_TOKEN": ("x" * 19,),
    "DATABASE_URL": ("", *DATABASE),
    "DATABASE_REPLICA_URL": DATABASE,
    "CACHE_URL": (
        *("foo", "memcache://h", "redis://", "redis://u:p#w@h", "redis://u:p/w@h:6379/0", "redis://h:x", "redis://h/db"),
        *("redis://h?nonsense", "redis://h/0?db=x", "http://u:pw@h"),
    ),
    "EMAIL_URL": ("", "foo", "smtp://", "smtp://u:p#w@h:25", "smtp://u:p/w@h", "smtp://h:x", "mail://u:pw@h", "smtp://h/x"),
    "MSSQL_DRIVER": ("", "pymssql"),
    "MSSQL_EXTRA_PARAMS": ("Encrypt", "Encrypt yes", "A=1;B", "A={1"),
    "ALLOWED_HOSTS": ("", " , ", *HOSTS),
    "DEMO_HOSTS": HOSTS,
    "CLEAR_HOSTS": HOSTS[:-1],
    "CSRF_TRUSTED_ORIGINS": ("bank.test", "https://bank.test/x", "https://*", "*"),
    "TRUSTED_PROXIES": ("nginx", "127.0.0.1/8", "10.0.0.0/33", "10.0.0.1:80", "10.0.0.1 10.0.0.2", "*"),
    "DEFAULT_FROM_EMAIL": ("", "Bank", "Bank <bank>", "a@b.test\nBcc: c@d.test", "Bank <a@b.test", "<>"),
    "BREACHED_PASSWORDS_FILE": (NOWHERE, "/"),
    "LOG_LEVEL": ("", "info", "LOUD", "NOTSET"),
    "LOG_FORMAT": ("", "xml", "JSON"),
    "LOG_FILE": (NOWHERE, "/"),
}  # fmt: skip
WRONG_OF_THE_WEB_SERVER = {
    "WEB_BIND": ("", "8000", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "bank test:80", "http://127.0.0.1:80"),
    "WEB_CERTIFICATE": (NOWHERE, "/"),
    "WEB_CERTIFICATE_KEY": (NOWHERE, "/"),
}


def wrong_values(setting: Setting) -> tuple[str, ...]:
    """Return values that the setting is not to take.

    Raises:
        KeyError: nobody has said any for it.
    """
    if bounds := re.fullmatch(r"(\d+)–(\d+)", setting.takes):
        least, most = map(int, bounds.groups())
        return (str(least - 1), str(most + 1), "5m", "", "1.5", "٥", "NaN")
    wrong = WRONG | WRONG_OF_THE_WEB_SERVER
    return wrong[setting.name] if setting.name in wrong else WRONG_OF_KIND[setting.takes]


def walk(of: dict[str, Setting]) -> Iterator[tuple[Setting, str]]:
    for setting in of.values():
        yield from ((setting, value) for value in wrong_values(setting))


def refusal(read: object = run_settings, **environment: str) -> str:
    """Return the line that the bank ends with in this environment."""
    with (
        mock.patch.dict(os.environ, REQUIRED | environment, clear=True),
        pytest.raises(ImproperlyConfigured) as refused,
    ):
        read()  # type: ignore[operator] # a function without arguments
    return str(refused.value)


def assert_tells(line: str, setting: Setting, value: str) -> None:
    assert re.match(rf"{setting.name}\b", line), "it begins with the name"
    assert "\n" not in line
    assert len(line) < 250
    told = line.removeprefix(setting.name).strip(" :.")
    assert len(told) > 15, f"what {setting.name} takes"
    secrets = [*(REQUIRED[name] for name in ("SECRET_KEY", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS")), KEY]
    assert not any(secret in line for secret in secrets)
    if setting.is_secret and value:
        pieces = [piece for piece in re.split(r"[:,;=@/?#]+", value) if len(piece) > 3]
        shown = [piece for piece in pieces if piece in line and piece not in setting.must_be]
        assert shown == [], line


@proves("V13.4.2", "V16.5.1")
def test_every_setting_refuses_wrong_values_in_one_line_that_names_it_and_says_what_it_takes() -> None:
    """R8.7, R9.8: a typo ended in a traceback, in a password on the screen, or was taken for a value."""
    walked = set()
    for setting, value in walk(table()):
        if setting.name == "ENV_FILE" and value == "":
            continue
        with mock.patch.dict(os.environ):
            line = refusal(**{setting.name: value})
        assert_tells(line, setting, value)
        walked.add(setting.name)
    assert walked == table().keys()


def test_the_settings_of_the_web_server_refuse_wrong_values_too() -> None:
    for setting, value in walk(read_settings()):
        assert_tells(refusal(read_settings, **{setting.name: value}), setting, value)


@in_one_world(
    ("name", "value", "line"),
    [
        ("SESSION_IDLE_SECONDS", "5m", "SESSION_IDLE_SECONDS must be a whole number from 1 to 86400."),
        (
            *("DAILY_TRANSFER_LIMIT", "25,000"),
            "DAILY_TRANSFER_LIMIT must be an amount from 1 on, such as 25000 or 2500.50, without commas, below 10 to"
            " the 12th.",
        ),
        ("SITE_URL", "bank.test", "SITE_URL must be http:// or https:// with a host, without a path."),
        (
            *("CURRENCY", "EURO"),
            "CURRENCY: 'EURO' is no currency of ISO 4217: write three capital letters, like EUR.",
        ),
        ("TOKEN_KEYS", f"k1:{KEY[:-3]}ä=", "TOKEN_KEYS: the key 'k1' must be 32 random bytes in base64url."),
        ("DEBUG", "flase", "DEBUG must be on or off: 1, true, yes, on, or 0, false, no, off."),
        (
            *("DATABASE_URL", "foo"),
            "DATABASE_URL must be an address: postgres://user:password@host:5432/name, or the same with mssql://, or"
            " sqlite:////path; in the password write # as %23, / as %2F, ? as %3F and @ as %40.",
        ),
        (
            *("TRUSTED_PROXIES", "127.0.0.1/8"),
            "TRUSTED_PROXIES must be networks or addresses, separated by commas, such as 10.0.0.0/8 or 10.0.0.7.",
        ),
    ],
)
def test_the_line(name: str, value: str, line: str) -> None:
    assert refusal(**{name: value}) == line


def test_right_values_are_taken() -> None:
    """So that the walk above does not pass since everything is refused."""
    right = {
        "SITE_URL": "https://bank.example:8443/", "ALLOWED_HOSTS": "bank.example, .bank.example,[::1],10.0.0.7",
        "CSRF_TRUSTED_ORIGINS": "https://*.bank.example", "DEFAULT_FROM_EMAIL": "Alder Bank <no-reply@bank.example>",
        "DATABASE_URL": "postgres://u:p%23a%2Fss@h:5433/db?sslmode=verify-full", "SESSION_IDLE_SECONDS": "86400",
        "CACHE_URL": "rediss://:p%40w@h:6379/1", "EMAIL_URL": "smtp+tls://u%40b.test:p%2Fw@h:587",
        "TIME_ZONE": "Asia/Tokyo", "LANGUAGE_CODE": "de-at", "DEBUG": "NO", "DEMO": "Off",
        "DAILY_TRANSFER_LIMIT": "2500.50",
        "LOG_LEVEL": "WARNING",
        "MSSQL_EXTRA_PARAMS": "Encrypt=strict;HostnameInCertificate=db", "TRUSTED_PROXIES": "10.0.0.0/8, ::1",
    }  # fmt: skip
    with mock.patch.dict(os.environ, REQUIRED | right, clear=True):
        made = run_settings()
    assert made["SITE_URL"] == "https://bank.example:8443"
    assert made["ALLOWED_HOSTS"] == ["bank.example", ".bank.example", "[::1]", "10.0.0.7"]
    assert made["DATABASES"]["default"]["PASSWORD"] == "p#a/ss"
    assert (made["EMAIL_HOST_USER"], made["EMAIL_HOST_PASSWORD"]) == ("u@b.test", "p/w")
    assert [str(network) for network in made["TRUSTED_PROXIES"]] == ["10.0.0.0/8", "::1/128"]
    assert (made["DEBUG"], made["DEMO"], made["LANGUAGE_CODE"]) == (False, False, "de-at")


# --- The file of settings, and secrets in files of their own ------------------------------------------------------


def test_a_line_of_the_file_that_sets_nothing_is_named_by_its_number(tmp_path: Path) -> None:
    """A blank around "=" left the bank without the key, and put the line with it on the screen."""
    path = tmp_path / "env"
    path.write_text(f"# keys\nexport BANK_NAME=Birch\n\nFIELD_KEYS = k1:{KEY}\n", encoding="utf-8")
    line = refusal(ENV_FILE=str(path))
    assert line == f"ENV_FILE: line 4 of {path} must be NAME=value, without blanks around the name and the =."
    path.write_bytes(b"BANK_NAME=\xff\n")
    assert refusal(ENV_FILE=str(path)) == f"ENV_FILE: {path} must be a text in UTF-8."
    assert refusal(ENV_FILE=NOWHERE) == f"ENV_FILE: {NOWHERE} can't be read: No such file or directory."
    path.write_bytes(b"BANK_NAME=A\0B\n")
    assert refusal(ENV_FILE=str(path)).startswith("ENV_FILE: line 1 of ")


@proves("V13.3.1")
def test_every_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    """As Docker and systemd hand them over; the environment of a process is read by more than its owner."""
    secret = {name for name, setting in table().items() if setting.is_secret}
    assert secret == {
        *("SECRET_KEY", "SECRET_KEY_FALLBACKS", "FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS", "ADMIN_KEY"),
        *("METRICS_TOKEN", "DATABASE_URL", "DATABASE_REPLICA_URL", "CACHE_URL", "EMAIL_URL", "MSSQL_EXTRA_PARAMS"),
    }
    files = {}
    for name in ("SECRET_KEY", "FIELD_KEYS"):
        files[f"{name}_FILE"] = str(tmp_path / name)
        (tmp_path / name).write_text(REQUIRED[name] + "\n", encoding="utf-8")
    rest = {name: value for name, value in REQUIRED.items() if f"{name}_FILE" not in files}
    with mock.patch.dict(os.environ, rest | files, clear=True):
        made = run_settings()
    assert (made["SECRET_KEY"], list(made["FIELD_KEYS"])) == (REQUIRED["SECRET_KEY"], ["k1"])
    both = refusal(SECRET_KEY_FILE=files["SECRET_KEY_FILE"])
    assert both == "SECRET_KEY and SECRET_KEY_FILE are both set; keep one of them."
    line = refusal(ADMIN_KEY_FILE=NOWHERE)
    assert line == "ADMIN_KEY_FILE must be the path of a text file that can be read."
    (tmp_path / "short").write_text("hunter2", encoding="utf-8")
    assert refusal(ADMIN_KEY_FILE=str(tmp_path / "short")) == "ADMIN_KEY must be empty or have at least 16 characters."


@in_one_world(
    ("of_the_process", "in_the_file"), [("DATABASE_URL", "DATABASE_URL_FILE"), ("DATABASE_URL_FILE", "DATABASE_URL")]
)
def test_a_value_before_a_command_wins_over_the_file_of_settings(
    tmp_path: Path, of_the_process: str, in_the_file: str
) -> None:
    """As in docs/deployment.md, `DATABASE_URL=… manage.py migrate`; it was refused, since both were set."""
    values = {}
    for name, login in ((of_the_process, "bank_migrate"), (in_the_file, "bank_app")):
        address = f"postgres://{login}@localhost/bank"
        path = tmp_path / login
        path.write_text(address, encoding="utf-8")
        values[name] = str(path) if name.endswith("_FILE") else address
    env = tmp_path / "env"
    env.write_text(f"{in_the_file}={values[in_the_file]}\n", encoding="utf-8")
    given = REQUIRED | {"ENV_FILE": str(env), of_the_process: values[of_the_process]}
    with mock.patch.dict(os.environ, given, clear=True):
        assert run_settings()["DATABASES"]["default"]["USER"] == "bank_migrate"
        # A child of this process starts with what is left, and reads the file once more.
        assert run_settings()["DATABASES"]["default"]["USER"] == "bank_migrate"
    env.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    assert "are both set" in refusal(ENV_FILE=str(env))


# --- The web server's certificate ---------------------------------------------------------------------------------


def test_a_certificate_that_could_not_be_served_is_refused_at_the_start(tmp_path: Path, repository: Path) -> None:
    """The web server started, and every handshake failed."""
    for each in ("ours", "other"):
        make = [str(repository / "deploy/firewall/make_certificate"), str(tmp_path / each), "localhost"]
        subprocess.run(make, check=True, capture_output=True)
    certificate, key = (str(tmp_path / "ours" / name) for name in ("certificate.pem", "key.pem"))
    no_pem = str(tmp_path / "text")
    Path(no_pem).write_text("hunter2", encoding="utf-8")
    told = "WEB_CERTIFICATE and WEB_CERTIFICATE_KEY must be a certificate and its key in PEM, without a password."
    for wrong_key in ("", no_pem, str(tmp_path / "other" / "key.pem")):
        assert refusal(read_settings, WEB_CERTIFICATE=certificate, WEB_CERTIFICATE_KEY=wrong_key) == told
    assert refusal(read_settings, WEB_CERTIFICATE=no_pem, WEB_CERTIFICATE_KEY=key) == told
    alone = refusal(read_settings, WEB_CERTIFICATE_KEY=key)
    assert alone == "WEB_CERTIFICATE_KEY needs WEB_CERTIFICATE; set both or none."
    both = {"WEB_CERTIFICATE": certificate, "WEB_CERTIFICATE_KEY": key}
    with mock.patch.dict(os.environ, both):
        assert read_settings().keys() > both.keys()


# --- A demo in public ---------------------------------------------------------------------------------------------

PUBLIC = [
    {"SITE_URL": "https://bank.example"},
    {"SITE_URL": "https://203.0.113.7"},
    {"SITE_URL": "http://192.168.1.5:8000"},
    {"SITE_URL": "http://[2001:db8::1]:8000"},
    {"SITE_URL": "http://0.0.0.0:8000"},
    {"SITE_URL": "http://localhost.example"},
    {"SITE_URL": "http://127.0.0.1.example"},
    {"ALLOWED_HOSTS": "localhost,bank.example"},
    {"ALLOWED_HOSTS": "*"},
    {"ALLOWED_HOSTS": ".bank.example"},
    {"ALLOWED_HOSTS": "mytest"},
    {"SITE_URL": "https://bank.example", "DEMO_HOSTS": "other.example"},
    {"ALLOWED_HOSTS": "*", "DEMO_HOSTS": "bank.example"},
    {"SITE_URL": "https://bank.example", "DEBUG": "1"},
]


@proves("V13.4.2")
@in_one_world("environment", PUBLIC)
def test_a_demo_does_not_start_under_a_name_that_others_reach(environment: dict[str, str]) -> None:
    """R9.8, B2: it showed everybody's mails and codes, and no check saw it."""
    line = refusal(DEMO="1", **environment)
    assert re.fullmatch(
        r"DEMO shows codes and mails to anyone, and (SITE_URL|ALLOWED_HOSTS) has \S+, which is not only of this"
        r" machine: turn DEMO off, or name that host in DEMO_HOSTS\.",
        line,
    )


@in_one_world(
    "environment",
    [
        {},
        {"SITE_URL": "https://localhost:8443", "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]"},
        {"SITE_URL": "https://127.8.9.10", "ALLOWED_HOSTS": "bank.localhost,.localhost"},
        {"SITE_URL": "https://bank.test", "ALLOWED_HOSTS": "bank.test,.bank.test"},
        {"SITE_URL": "https://[::1]:8443"},
        {"SITE_URL": "https://Bank.Example", "ALLOWED_HOSTS": "bank.example", "DEMO_HOSTS": "bank.example"},
        {"SITE_URL": "http://[2001:db8::1]", "ALLOWED_HOSTS": "[2001:db8::1]", "DEMO_HOSTS": "[2001:db8::1]"},
        {"SITE_URL": "https://bank.example", "DEMO_HOSTS": "bank.example."},
        {"ALLOWED_HOSTS": "*", "DEMO_HOSTS": "*"},
    ],
)
def test_a_demo_starts_on_this_machine_and_where_it_is_told_to(environment: dict[str, str]) -> None:
    """R9.8."""
    with mock.patch.dict(os.environ, REQUIRED | environment | {"DEMO": "1"}, clear=True):
        assert run_settings()["DEMO"] is True


# --- Connections in clear -----------------------------------------------------------------------------------------


@proves("V12.3.1", "V12.3.2")
@in_one_world(
    ("environment", "told"),
    [
        ({"DATABASE_URL": "postgres://u:pw@db/bank"}, "DATABASE_URL leads to db without TLS"),
        ({"DATABASE_URL": "postgres://u:pw@db/bank?sslmode=require"}, "DATABASE_URL leads to db without TLS"),
        ({"DATABASE_URL": "postgres://u:pw@localhost,db2/bank"}, "DATABASE_URL leads to db2 without TLS"),
        ({"DATABASE_URL": "postgres:///bank?host=db"}, "DATABASE_URL leads to db without TLS"),
        ({"DATABASE_URL": "postgres://localhost/bank?hostaddr=10.0.0.9"}, "DATABASE_URL leads to 10.0.0.9 without TLS"),
        (
            {"DATABASE_URL": "mssql://u:pw@db:1433/bank", "MSSQL_EXTRA_PARAMS": "TrustServerCertificate=yes"},
            "DATABASE_URL leads to db without TLS that verifies its certificate: leave out TrustServerCertificate=yes",
        ),
        (
            {
                "DATABASE_URL": "postgres://u:pw@db/bank?sslmode=verify-full",
                "DATABASE_REPLICA_URL": "postgres://u:pw@standby/bank",
            },
            "DATABASE_REPLICA_URL leads to standby without TLS",
        ),
        ({"CACHE_URL": "redis://:pw@cache:6379/0"}, "CACHE_URL leads to cache without TLS"),
        ({"CACHE_URL": "rediss://:pw@cache/0?ssl_cert_reqs=none"}, "CACHE_URL leads to cache without TLS"),
        ({"CACHE_URL": "rediss://:pw@cache/0?ssl_check_hostname=False"}, "CACHE_URL leads to cache without TLS"),
        ({"EMAIL_URL": "smtp://u:pw@mail.example:25"}, "EMAIL_URL leads to mail.example without TLS"),
        (
            {"EMAIL_URL": "smtp://u:pw@10.0.0.3:25", "CLEAR_HOSTS": "10.0.0.4"},
            "EMAIL_URL leads to 10.0.0.3 without TLS",
        ),
    ],
)
def test_nothing_leaves_this_machine_in_clear_unless_its_host_is_named(environment: dict[str, str], told: str) -> None:
    """R8.2: or encrypted to whoever answers."""
    line = refusal(**environment)
    assert line.startswith(told)
    assert "\n" not in line
    assert "pw" not in line
    host = told.split()[3]
    named = {"CLEAR_HOSTS": f"{host}, other"}
    for more in (named, {"DEBUG": "1"}):
        with mock.patch.dict(os.environ, REQUIRED | environment | more, clear=True):
            assert run_settings()["DATABASES"]


@proves("V12.3.1", "V12.3.2")
@in_one_world(
    "environment",
    [
        {},
        {"DATABASE_URL": "postgres://u:pw@db,db2/bank?sslmode=verify-full"},
        {"DATABASE_URL": "postgres://u:pw@127.0.0.1/bank", "CACHE_URL": "redis://localhost/0"},
        {"DATABASE_URL": "postgres:////run/postgresql/bank", "CACHE_URL": "unix:///run/cache.sock"},
        {"DATABASE_URL": "postgres://u:pw@%2Frun%2Fpg,[::1]/bank", "EMAIL_URL": "smtp://[::1]:25"},
        {"DATABASE_URL": "mssql://u:pw@db:1433/bank"},
        {"CACHE_URL": "rediss://:pw@cache:6379/0", "EMAIL_URL": "smtp+tls://u:pw@mail.example:587"},
        {"EMAIL_URL": "smtp+ssl://u:pw@mail.example:465"},
    ],
)
def test_what_is_verified_or_stays_on_this_machine_starts(environment: dict[str, str]) -> None:
    with mock.patch.dict(os.environ, REQUIRED | environment, clear=True):
        assert run_settings()["DATABASES"]
