"""A scratch bank for benchmarks, in a folder that is thrown away: settings, keys, a database, and people who pay.

    python benchmarks/scratch_bank.py --customers 1000

prepares the bank that the environment names (`environment()`), and prints its people. It is started with the Python of
the tree that is measured: this one, or another commit's (`BENCHMARK_TREE`).
"""
# ruff: noqa: T201 - a program prints

import argparse
import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hand_sql import Payment

ROOT = Path(__file__).resolve().parent.parent
_MUCH = "100000000"
# No payment raises an alert, and neither does the money that customers begin with.
NO_ALERTS = {"ALERT_AMOUNT": _MUCH, "SUSPICIOUS_AMOUNT": _MUCH}
# As many payments as a customer likes.
UNCOUNTED = {"ALERT_PAYMENTS_PER_HOUR": _MUCH}
# Servers speak plain HTTP.
_PAID_BY_HTTP = {"SECURE_SSL_REDIRECT": "0"} | UNCOUNTED
RICH_MINOR = 100_000_000  # what each customer begins with, in minor units


@dataclass(frozen=True)
class Person:
    """A customer with one account, who has paid `knows` before: that one's place in the list of people."""

    user_id: int
    label: str
    account_id: int
    account_text: str
    number: str
    token: str
    totp_key: str
    name: str
    knows: int


@dataclass(frozen=True)
class Bank:
    """A bank that is ready: the tree of its code, its environment, its people."""

    tree: Path
    environment: dict[str, str]
    people: list[Person]

    @property
    def python(self) -> str:
        """Return the interpreter of the tree, with its installed packages."""
        return sys.executable if self.tree == ROOT else str(self.tree / ".venv" / "bin" / "python")

    def keep(self, folder: Path) -> Path:
        """Write the people down for a program in another process (`bank_of_this_process`)."""
        path = folder / f"people-{secrets.token_hex(4)}.json"
        path.write_text(json.dumps([asdict(one) for one in self.people]), encoding="utf-8")
        return path

    @property
    def database_url(self) -> str:
        return self.environment["DATABASE_URL"]

    def payments(self) -> list[Payment]:
        """Return one payment of each person to the payee whom they know."""
        return [payment_of(one, self.people[one.knows]) for one in self.people]


def bank_of_this_process(people: Path) -> Bank:
    """Return the bank that another program has prepared: its people from a file, the rest from the environment."""
    kept = [Person(**one) for one in json.loads(people.read_text(encoding="utf-8"))]
    return Bank(ROOT, dict(os.environ), kept)


def payment_of(payer: Person, payee: Person) -> Payment:
    return Payment(
        customer_id=payer.user_id,
        label=payer.label,
        source_id=payer.account_id,
        source_text=payer.account_text,
        target_id=payee.account_id,
        target_text=payee.account_text,
        payee_id=payee.user_id,
        payer_name=payer.name,
        payee_name=payee.name,
    )


# --- Made for a benchmark --------------------------------------------------------------------------------------


def environment(folder: str | Path, *, database_url: str = "", email_url: str = "dummymail://") -> dict[str, str]:
    """Return the environment of a bank with its own keys, on a SQLite file in the folder or the named database. Its
    limits let the same people pay again and again."""
    key = lambda: "k1:" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()  # noqa: E731
    return {
        "DJANGO_SETTINGS_MODULE": "bankproject.settings",
        "ENV_FILE": os.devnull,
        "DEBUG": "0",
        "DEMO": "0",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "FIELD_KEYS": key(),
        "LOOKUP_KEYS": key(),
        "AUDIT_KEYS": key(),
        "TOKEN_KEYS": key(),
        "DATABASE_URL": database_url or f"sqlite:///{folder}/bank.sqlite3",
        "EMAIL_URL": email_url,
        "LOG_LEVEL": "ERROR",
        "SELF_SERVICE_CASH": "1",  # how its customers get money
        **NO_ALERTS,
    } | dict.fromkeys(("TRANSFERS_PER_MINUTE", "DAILY_TRANSFER_LIMIT", "CASH_IN_DAILY_LIMIT", "STEP_UP_AMOUNT"), _MUCH)


def set_up(folder: str, *, database_url: str = "", email_url: str = "dummymail://") -> None:
    """Set up an empty bank in this process; nothing outside `folder` and the named database is touched."""
    os.environ.update(environment(folder, database_url=database_url, email_url=email_url))
    begin()


def begin(*, migrate: bool = True) -> None:
    """Load the bank that the environment names, and migrate its database."""
    sys.path.insert(0, os.environ.get("BENCHMARK_TREE", str(ROOT)))
    import django
    from django.core.management import call_command

    # Style sheets are not collected here, and nobody looks at one.
    warnings.filterwarnings("ignore", message="No directory at")
    django.setup()
    if migrate:
        call_command("migrate", verbosity=0)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Return a folder for databases: in TMPDIR, which should be on a disk."""
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder:
        yield Path(folder)


def prepare(folder: Path, *, customers: int, tree: Path = ROOT, server: str = "", hot: int = 0, **more: str) -> Bank:
    """Prepare a bank with this many people, in a new folder below `folder`; on SQLite, or in a new database of
    `server`. All know one of the first `hot`; without that each knows the next one."""
    folder = folder / f"bank-{secrets.token_hex(4)}"
    folder.mkdir()
    url = new_database(server) if server else ""
    variables = environment(folder, database_url=url) | _PAID_BY_HTTP | more
    bank = Bank(tree, variables, [])
    found = subprocess.run(  # noqa: S603
        [bank.python, Path(__file__), "--customers", str(customers), "--hot", str(hot)],
        env=os.environ | variables | {"BENCHMARK_TREE": str(tree)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return Bank(tree, variables, [Person(**one) for one in json.loads(found.splitlines()[-1])])


def copied(bank: Bank) -> Bank:
    """Return the same bank once more, on a copy of its database, which nobody uses meanwhile."""
    url = bank.database_url
    if url.startswith("sqlite:"):
        path = "/" + url.partition("://")[2].lstrip("/")
        copy = f"{path}-{secrets.token_hex(4)}"
        shutil.copyfile(path, copy)
        return Bank(bank.tree, bank.environment | {"DATABASE_URL": f"sqlite:///{copy}"}, bank.people)
    name = urlsplit(url).path.lstrip("/")
    return Bank(bank.tree, bank.environment | {"DATABASE_URL": new_database(url, template=name)}, bank.people)


def new_database(server: str, *, template: str = "template1") -> str:
    """Return the address of a new database on this PostgreSQL server, which belongs to the benchmark and goes with
    it."""
    import psycopg

    name = f"bank_{secrets.token_hex(6)}"
    parts = urlsplit(server)
    with psycopg.connect(parts._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return parts._replace(path=f"/{name}").geturl()


def require_exact(bank: Bank, *, paid: int | None = None) -> None:
    """Check that every balance is the sum of its entries, sequences have no gap, and no money was made or lost.

    Raises:
        SystemExit: it is not so, or other than `paid` payments were made.
    """
    url = bank.database_url
    if url.startswith("sqlite:"):
        import sqlite3

        run: Any = sqlite3.connect("/" + url.partition("://")[2].lstrip("/")).execute
    else:
        import psycopg

        run = psycopg.connect(url).execute
    wrong = run(
        "SELECT count(*) FROM accounts_bankaccount a LEFT JOIN (SELECT account_id, count(*) AS many, "
        "max(sequence) AS last, sum(CASE direction WHEN 'credit' THEN amount ELSE -amount END) AS total "
        "FROM transfers_entry GROUP BY account_id) e ON e.account_id = a.id WHERE a.owner_id IS NOT NULL AND "
        "(coalesce(e.total, 0) <> a.balance OR coalesce(e.many, 0) <> a.last_sequence "
        "OR coalesce(e.last, 0) <> a.last_sequence)"
    ).fetchone()[0]
    total = run("SELECT sum(balance) FROM accounts_bankaccount WHERE owner_id IS NOT NULL").fetchone()[0]
    orders = run("SELECT count(*) FROM transfers_transferorder").fetchone()[0]
    if wrong or total != RICH_MINOR * len(bank.people):
        raise SystemExit(f"The ledger does not add up after the benchmark: {wrong} accounts are wrong.")
    if paid is not None and orders != paid:
        raise SystemExit(f"{paid} payments were answered, and there are {orders}.")


# --- Made in the bank itself -----------------------------------------------------------------------------------


def module_of(*names: str) -> Any:
    """Return the first of these modules that exists: other commits may have it under another name."""
    for name in names[:-1]:
        with suppress(ModuleNotFoundError):
            return import_module(name)
    return import_module(names[-1])


def make_people(count: int, hot: int) -> list[dict[str, Any]]:
    """Make customers at once: each with an account, money, a limit row, an authenticator, a session of the API that
    lasts as long as the benchmark, and one known payee."""
    from datetime import timedelta

    from django.utils import timezone

    from accounts.models import SessionKind, TotpDevice, UserSession
    from transfers.models import CustomerLimit, Payee

    tokens = module_of("accounts.programs.tokens", "accounts.api_tokens")
    now = timezone.now()
    accounts = _open_accounts(count, now)
    owners = [account.owner for account in accounts]
    keys = [secrets.token_hex(20) for _ in owners]
    TotpDevice.objects.bulk_create(
        TotpDevice(user=one, name="phone", confirmed=True, key=key) for one, key in zip(owners, keys, strict=True)
    )
    sessions = [UserSession(user=one, kind=SessionKind.API) for one in owners]
    UserSession.objects.bulk_create(sessions)
    CustomerLimit.objects.bulk_create(CustomerLimit(user=one, day=timezone.localdate(now)) for one in owners)
    knows = [(number + 1) % (hot or count) for number in range(count)]
    Payee.objects.bulk_create(
        Payee(customer=owner, account=accounts[place], first_paid_at=now, last_paid_at=now)
        for owner, place in zip(owners, knows, strict=True)
    )
    lasts, access = timedelta(hours=3), tokens.Use.ACCESS
    return [
        {
            "user_id": owner.pk,
            "label": str(owner),
            "account_id": account.pk,
            "account_text": str(account),
            "number": account.number,
            "token": tokens.sign(
                access, user=owner.public_id, jti=tokens.new_jti(), now=now, lasts=lasts, sid=str(session.public_id)
            ),
            "totp_key": key,
            "name": owner.get_full_name(),
            "knows": place,
        }
        for owner, account, session, key, place in zip(owners, accounts, sessions, keys, knows, strict=True)
    ]


def _open_accounts(count: int, now: Any) -> list[Any]:
    from django.contrib.auth.models import Group
    from django.db import transaction

    from accounts import account_numbers
    from accounts.models import AccountKind, BankAccount, User
    from accounts.roles import Role
    from transfers.models import TransactionKind

    lookup_digest = module_of("foundation.keys.encryption", "accounts.encryption").lookup_digest
    posting = module_of("transfers.ledger.posting", "transfers.ledger")
    names = [f"customer{number}@example.com" for number in range(count)]
    users = [User(email=name, password="!", first_name="Alexandra", last_name="Brandt") for name in names]  # noqa: S106
    users = User.objects.bulk_create(users)
    group, through = Group.objects.get(name=Role.CUSTOMER.value), User.groups.through
    through.objects.bulk_create(through(user_id=user.pk, group_id=group.pk) for user in users)
    numbers: set[str] = set()
    while len(numbers) < count:
        numbers.add(account_numbers.new_number())
    accounts = BankAccount.objects.bulk_create(
        BankAccount(
            owner=user, kind=AccountKind.CHECKING, number=number, number_digest=lookup_digest(number), opened_at=now
        )
        for user, number in zip(users, numbers, strict=True)
    )
    desk, amount = BankAccount.objects.filter(kind=AccountKind.CASH).order_by("pk")[0], Decimal(RICH_MINOR) / 100
    for start in range(0, count, 500):
        with transaction.atomic():
            posting.post_many(
                [
                    posting.Planned(
                        TransactionKind.DEPOSIT,
                        posting.transfer_legs(debit=desk.pk, credit=account.pk, amount=amount),
                        account.owner,
                        now,
                    )
                    for account in accounts[start : start + 500]
                ]
            )
    return accounts


def main() -> None:
    parser = argparse.ArgumentParser(description="Prepare the bank that the environment names; print its people.")
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--hot", type=int, default=0)
    options = parser.parse_args()
    begin()
    print(json.dumps(make_people(options.customers, options.hot)))


if __name__ == "__main__":
    main()
