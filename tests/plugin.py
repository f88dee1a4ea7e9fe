"""What every test of the project shares: settings, a real database, and the cast.

Alice and Bob bank here, Charlie is a stranger (a customer too, but nothing is his), Sam is support, Audrey
audits, Ada administers.
"""

import base64
import fcntl
import gc
import os
import secrets
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from _pytest import runner

from tests import migrated_database
from tests.setting_names import variables_read_by_settings

PASSWORD = "correct horse battery staple"


_RINGS = ("FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS")
_SET_HERE = {
    *("ENV_FILE", "DEBUG", "DEMO", "DATABASE_URL", "SITE_URL", "EMAIL_URL", "SELF_SERVICE_CASH", "SECRET_KEY"),
    *_RINGS,
}
# The options of TEST_DATABASE_URL.
_OF_THE_TEST_DATABASE = {"MSSQL_DRIVER", "MSSQL_EXTRA_PARAMS", "CLEAR_HOSTS"}


def _set_environment() -> None:
    """Set the tests' own settings: a developer's .env or shell is ignored."""
    run = os.environ.get("TEST_RUN_FOLDER") or tempfile.mkdtemp(prefix="bank-tests-")
    os.environ.update(
        TEST_RUN_FOLDER=run,
        ENV_FILE=os.devnull,
        # For settings that depend on it while they load (no HTTPS, plain static files); tests run with DEBUG off.
        DEBUG="1",
        DEMO="0",
        DATABASE_URL=os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{run}/bank.sqlite3",
        SITE_URL="http://testserver",
        EMAIL_URL="dummymail://",
        # In most tests customers get money by themselves, as in the demo.
        SELF_SERVICE_CASH="1",
    )
    kept = _SET_HERE | (_OF_THE_TEST_DATABASE if "TEST_DATABASE_URL" in os.environ else set())
    for name in variables_read_by_settings() - kept:
        os.environ.pop(name, None)
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(48))
    for ring in _RINGS:
        os.environ.setdefault(ring, "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())


_set_environment()
# Imported and collected objects stay: searching them for garbage is useless.
gc.disable()


def pytest_configure(config: pytest.Config) -> None:
    from django.conf import LazySettings, settings
    from django.contrib.auth.hashers import Argon2PasswordHasher
    from django.db import connections
    from qrcode.main import QRCode

    # The real hasher at its cheapest: tests check its input and how often it runs.
    Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost, Argon2PasswordHasher.parallelism = 1, 8, 1

    # The duration of an example means nothing where several runs share a machine.
    hypothesis.settings.register_profile("bank", deadline=None)
    hypothesis.settings.load_profile("bank")

    # Any mask makes a readable code. Finding the best one for a camera takes longer than making a page.
    QRCode.find_best_mask_pattern, QRCode.best_mask_pattern = QRCode.best_mask_pattern, lambda self: 0

    # Django checks on each use whether a setting is a method that replaces another; none is.
    LazySettings.__getattribute__ = object.__getattribute__  # type: ignore[method-assign]

    # Where a thread keeps its connections. Django's own place first looks for an event loop: several times for each
    # statement, at ten times the price, and no test uses the database from within one.
    connections._connections = threading.local()  # type: ignore[attr-defined]

    _load_middleware_once()

    # Static files are looked for when one is requested, not all of them again for each test client.
    settings.WHITENOISE_AUTOREFRESH = True

    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        # A file, not memory: threads and processes then meet as they would in the bank.
        database.setdefault("TEST", {})["NAME"] = f"{os.environ['TEST_RUN_FOLDER']}/test.sqlite3"
        # It need not survive a power cut: nobody waits for the disk.
        options = database["OPTIONS"]
        options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
        # A process of the tests runs more different statements than one of the bank.
        options["cached_statements"] = 1000
        migrated_database.use_migrated_database(Path(config.cache.mkdir("migrated")))


def _load_middleware_once() -> None:
    """Build the middleware once for all test clients, as for all requests of the bank; again where a test has settings
    of its own."""
    from django.conf import Settings, settings
    from django.test.client import ClientHandler

    load = ClientHandler.load_middleware
    loaded: dict[str, Any] = {}

    def load_once(handler: ClientHandler, *args: Any, **kwargs: Any) -> None:
        if not isinstance(settings._wrapped, Settings):  # type: ignore[misc]
            load(handler, *args, **kwargs)
            return
        if not loaded:
            load(handler, *args, **kwargs)
            loaded.update(vars(handler))
        own = handler.enforce_csrf_checks
        vars(handler).update(loaded, enforce_csrf_checks=own)

    ClientHandler.load_middleware = load_once  # type: ignore[assignment, method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, Any, Any]:
    """Let one process compile all tests and their imports, in a clone where no test ran yet; the others wait for it."""
    folder = session.config.cache.mkdir("compiled")
    compiled = folder / sys.implementation.cache_tag
    if compiled.exists() or not hasattr(session.config, "workerinput"):
        return (yield)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        collected = yield
        compiled.touch()
        return collected


def pytest_collection_finish() -> None:
    """Keep imported and collected objects out of the garbage collector, since they stay to the end. And a test leaves
    little behind: a collection every 700 new objects was a twentieth of all processor time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


def _with_room(call: Callable[..., Any], *args: Any) -> Any:
    return call(*args)


# Python 3.11 keeps frames in chunks of 16 KiB, and maps and unmaps the next one with each call across a chunk's end:
# deep in a request thousands of times, a tenth of all processor time. A frame that claims more gets a chunk of 1 MiB,
# and those above it use the rest.
_with_room.__code__ = _with_room.__code__.replace(co_stacksize=70_000)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Any:
    return _with_room(runner.pytest_runtest_protocol, item, nextitem)


# The marks of the tests in a folder of this name; no test has them by hand.
MARKS_OF_FOLDERS = {
    "slow": ["slow"],
    "browser": ["browser"],
    "firewall": ["firewall"],
    "fuzz": ["slow"],
    "stack": ["slow", "firewall"],
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for folder in item.nodeid.partition("::")[0].split("/")[:-1]:
            for mark in MARKS_OF_FOLDERS.get(folder, ()):
                item.add_marker(mark)
    _flush_where_a_refusal_takes_all(items)


def _flush_where_a_refusal_takes_all(items: list[pytest.Item]) -> None:
    """Flush after such tests: on SQL Server a refusing trigger ends the whole transaction, and not back to a savepoint,
    so the test's own rows would be lost."""
    from django.conf import settings

    if settings.DATABASES["default"]["ENGINE"] == "mssql":
        for item in items:
            if item.get_closest_marker("trips_triggers"):
                item.add_marker(pytest.mark.django_db(transaction=True))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name the folders and files that the run was told to leave out."""
    if config.option.ignore:
        terminalreporter.write_line(f"Not run here: {' '.join(config.option.ignore)}")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["TEST_RUN_FOLDER"], ignore_errors=True)


class SubtestsThatFail:
    """Runs a row, and reports it as a subtest unless it passes. A subtest captures and reports from its start, which
    costs more than most rows do."""

    def __init__(self, subtests: pytest.Subtests) -> None:
        self._subtests = subtests

    @contextmanager
    def test(self, msg: str | None = None, **values: Any) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with self._subtests.test(msg, **values):
                raise


@pytest.fixture
def subtests(subtests: pytest.Subtests) -> SubtestsThatFail:
    return SubtestsThatFail(subtests)


# --- The database between tests ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Set the database up as in production. Each process compares its keys and its currency once; here, so that no test
    counts those statements among its own."""
    from foundation import currency_record
    from foundation.keys import records as key_records

    with django_db_blocker.unblock():
        _keep_row_versions()
        key_records.verify_once()
        currency_record.verify_once()
        migrated_database.remember()


def _keep_row_versions() -> None:
    """Keep row versions on SQL Server, where a new database has none until it is told (docs/sql-server.md)."""
    from django.db import connection

    if connection.vendor == "microsoft":
        with connection.cursor() as cursor:
            cursor.execute("SELECT is_read_committed_snapshot_on FROM sys.databases WHERE database_id = DB_ID()")
            if not cursor.fetchone()[0]:
                cursor.execute("ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE")


@pytest.fixture(autouse=True)
def _kinds_of_hash_are_looked_up_anew() -> Iterator[None]:
    """Look the kinds of hash up again: those of one test's users must not cost the next one's work."""
    yield
    from accounts.sign_in.passwords import hashing

    hashing.forget_kinds()


@pytest.fixture(autouse=True)
def _an_hour_of_its_own() -> Iterator[None]:
    """Begin with nothing taken of the bounds that a process keeps for an hour."""
    yield
    from foundation import hourly

    hourly.forget_all()


@contextmanager
def triggers_off(*models: Any) -> Iterator[None]:
    """Drop the append-only triggers for a while: to flush, or to tamper as an intruder would."""
    from django.db import connection

    from foundation.append_only import append_only_models, create_sql, drop_sql

    tables = [model._meta.db_table for model in models or append_only_models()]

    def run(make: Callable[[str, str], list[str]]) -> None:
        with connection.cursor() as cursor:
            for table in tables:
                for statement in make(connection.vendor, table):
                    cursor.execute(statement)

    run(drop_sql)
    try:
        yield
    finally:
        run(create_sql)


@pytest.fixture(scope="session", autouse=True)
def _flush_goes_on_working() -> Iterator[None]:
    """Keep flush working: tests with real transactions end with a flush, which the triggers refuse and which also
    deletes the rows that migrations made. On SQLite the whole file is restored instead, which costs a hundredth of
    that."""
    from django.apps import apps
    from django.db import connection
    from django.test import TransactionTestCase

    from accounts import roles
    from support import roles as support_roles
    from transfers.ledger.bank_books import make_bank_accounts
    from transfers.roles import GRANTS

    original = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def teardown(self: Any) -> None:
        if migrated_database.put_back():
            return
        assert connection.vendor != "sqlite", "what the database held at first was not remembered"
        with triggers_off():
            original(self)
        roles.grant(apps, roles.GRANTS)
        roles.grant(apps, GRANTS)
        roles.grant(apps, support_roles.GRANTS)
        make_bank_accounts(apps)

    TransactionTestCase._fixture_teardown = teardown  # type: ignore[attr-defined]
    yield
    TransactionTestCase._fixture_teardown = original  # type: ignore[attr-defined]


# --- The cast ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def password_hash() -> str:
    from django.contrib.auth.hashers import make_password

    return make_password(PASSWORD)


@pytest.fixture
def make_user(db: Any, password_hash: str) -> Callable[..., Any]:
    """Make a user of a role, two-factor on; all have the same password."""
    from accounts.people.registration import create_user
    from accounts.roles import Role
    from tests.cast import add_device

    def make(first_name: str, role: Role = Role.CUSTOMER, *, two_factor: bool = True, **kwargs: Any) -> Any:
        kwargs.setdefault("last_name", "Example")
        kwargs.setdefault("email", f"{first_name.lower()}@example.com")
        user = create_user(password_hash=password_hash, role=role, first_name=first_name, **kwargs)
        if two_factor:
            add_device(user, secrets.token_hex(20))
        return user

    return make


@pytest.fixture
def alice(make_user: Callable[..., Any]) -> Any:
    return make_user("Alice", last_name="Archer", phone="+49 30 5550101", address="Lindenallee 4\nBerlin")


@pytest.fixture
def bob(make_user: Callable[..., Any]) -> Any:
    return make_user("Bob", last_name="Brandt")


@pytest.fixture
def charlie(make_user: Callable[..., Any]) -> Any:
    """The stranger: for him, things of Alice's or Bob's must look like things that do not exist."""
    return make_user("Charlie")


@pytest.fixture
def sam(make_user: Callable[..., Any]) -> Any:
    from accounts.roles import Role

    return make_user("Sam", Role.SUPPORT)


@pytest.fixture
def audrey(make_user: Callable[..., Any]) -> Any:
    from accounts.roles import Role

    return make_user("Audrey", Role.AUDITOR)


@pytest.fixture
def ada(make_user: Callable[..., Any]) -> Any:
    from accounts.roles import Role

    return make_user("Ada", Role.ADMIN)


@pytest.fixture
def code_of() -> Callable[[Any], str]:
    """The code that a user's authenticator app shows now."""
    from accounts.models import TotpDevice

    def code(user: Any) -> str:
        device = TotpDevice.objects.get(user=user)
        return f"{device.totp().token():06d}"

    return code


@pytest.fixture
def browser_of() -> Callable[[Any], Any]:
    """A test client in which a user is signed in with both factors."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.test import Client
    from django.utils import timezone
    from django_otp import DEVICE_ID_SESSION_KEY

    from accounts.sign_in.sessions.engine import SessionStore
    from tests.cast import add_session, device_of

    def browser(user: Any) -> Client:
        session, now = SessionStore(), int(timezone.now().timestamp())
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "accounts.sign_in.axes.CountedPasswordBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        row = add_session(user=user, code_at=timezone.now())
        session.update({"auth_at": now, "user_session": str(row.public_id)})
        device = device_of(user)
        if device is not None:
            session[DEVICE_ID_SESSION_KEY] = device.persistent_id
        session.save()
        client = Client()
        client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
        return client

    return browser


@pytest.fixture
def api_of() -> Callable[..., Any]:
    """The API as a user's program sees it, signed in with both factors; `api_of(None)` has no token."""
    from accounts.models import TotpDevice
    from accounts.programs import sessions as api_sessions
    from accounts.sign_in.origin import Origin
    from tests.api_client import ApiClient

    def api(user: Any, **extra: Any) -> ApiClient:
        if user is None:
            return ApiClient(**extra)
        device = TotpDevice.objects.get(user=user, confirmed=True)
        return ApiClient(api_sessions.begin(user=user, device=device, origin=Origin(ip="127.0.0.1")), **extra)

    return api


@pytest.fixture
def open_account(db: Any) -> Callable[..., Any]:
    """Open an account through the service: `open_account(alice, "100.00")`. Its money was paid in long ago."""
    from accounts.models import AccountKind
    from tests.acts import any_cash
    from transfers.accounts import opening

    def make(owner: Any, deposit: str = "0", kind: AccountKind = AccountKind.CHECKING, **kwargs: Any) -> Any:
        kwargs.setdefault("idempotency_key", f"open-{secrets.token_hex(8)}")
        # An account that opens empty needs no cash limit lifted.
        with any_cash(owner) if Decimal(deposit) else nullcontext():
            return opening.open_account(actor=owner, kind=kind, opening_deposit=Decimal(deposit), **kwargs)

    return make


@pytest.fixture
def new_key() -> Callable[[], str]:
    """A fresh idempotency key."""
    return lambda: f"key-{secrets.token_hex(12)}"


@pytest.fixture
def repository() -> Path:
    return Path(__file__).resolve().parent.parent


# --- The shared cache -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def cache_url() -> Iterator[str]:
    from tests.shared_cache import cache_server

    with cache_server() as url:
        yield url


@pytest.fixture
def shared_cache(cache_url: str, settings: Any) -> Any:
    """Let the bank count in the shared cache, which is empty; the fixture is the client, to look behind the scenes."""
    from foundation.limiter.redis import client_for

    settings.CACHE_URL = cache_url
    client = client_for(cache_url)
    client.flushall()
    return client
