"""What does a customer take in the database, what a payment, and what does a bank of many customers need?

    python benchmarks/sizing.py [--payments 4000] [--database-url postgres://…]

Makes customers with an account each, and payments among them through the service (permission, limits, idempotency,
ledger, audit, outbox), writes their mails, hands them over and seals the audit log; then asks the engine how large each
table has become, indexes included. Counts the processor time of this process meanwhile, for a payment by the API and
for two pages too, which is nearly the same on a busy machine, and the statements and commits of each. On a SQLite file
that is thrown away, which works in this process too, or in an empty PostgreSQL database that is yours to fill.

From these (M, measured) and from what is assumed (A) it works out what a million and a hundred million customers need,
as docs/scaling.md has it.
"""
# ruff: noqa: T201 - a program prints

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from browsing import browser_of, look_at, name_files_as_served
from counted import asked_by, post_transfer
from figures import number_of
from mail import deliver_all, write_all
from scratch_bank import Person, set_up
from smtp_sink import smtp_sink

CUSTOMERS = 400
PAYEES = 10
LOOKS = 100
BY_API = 100
Sizes = dict[str, int]

# Assumptions that nobody has measured here: marked A where they are used.
PAYMENTS_A_MONTH = 10  # of each customer
PAGES_A_PAYMENT = 20  # pages, or requests of programs
BUSIEST_HOUR = 10  # times the average
USED = 0.6  # of each core
SELDOM_NOTED = 0.1  # share of the pages, if people click through: the first in SESSION_NOTED_SECONDS
HAND_OVER_MS = 20  # of each mail to a server elsewhere
MAIL_DAYS = 30
# Kept for MAIL_KEPT_DAYS, not forever.
MAIL_TABLES = ("post_office_email", "foundation_outboxmessage")
CUSTOMERS_PLANNED = (1_000_000, 100_000_000)


def sizes() -> Sizes:
    """Return the bytes of each table with its indexes, as the engine counts its pages."""
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE")
            cursor.execute(
                "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
                "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            )
        else:
            cursor.execute("SELECT tbl_name, sum(pgsize) FROM dbstat JOIN sqlite_schema USING (name) GROUP BY tbl_name")
        return {name: int(size) for name, size in cursor.fetchall()}


def make_customers() -> list[Any]:
    from accounts.models import AccountKind, TotpDevice
    from accounts.people.registration import create_user
    from accounts.roles import Role
    from transfers.accounts import opening

    accounts = []
    for number in range(CUSTOMERS):
        user = create_user(
            email=f"customer.number{number}@example.com",
            password_hash="argon2$" + "x" * 100,  # as long as they are
            role=Role.CUSTOMER,
            first_name="Alexandra",
            last_name=f"Brandt-Archer {number}",
            phone="+49 30 5550101",
            address="Lindenallee 4\n10115 Berlin",
        )
        TotpDevice(user=user, name="phone", confirmed=True, key="00" * 20).save()
        accounts.append(
            opening.open_account(
                actor=user,
                kind=AccountKind.CHECKING,
                opening_deposit=Decimal(100_000),
                idempotency_key=f"benchmark-opening-{number}",
            )
        )
    _make_payees(accounts)
    return accounts


def _make_payees(accounts: list[Any]) -> None:
    """Make ten payees for each customer, whom they have paid before: a first payment would ask for a code."""
    from django.utils import timezone

    from transfers.models import Payee

    now = timezone.now()
    for number, account in enumerate(accounts):
        for step in range(1, PAYEES + 1):
            payee = accounts[(number + step) % CUSTOMERS]
            Payee(customer=account.owner, account=payee, first_paid_at=now, last_paid_at=now).save()


def pay(accounts: list[Any], payments: int) -> None:
    """Let each customer pay their payees, again and again."""
    from transfers.orders import sending

    for number in range(payments):
        source = accounts[number % CUSTOMERS]
        sending.transfer(
            actor=source.owner,
            source=source,
            target=accounts[(number + 1 + number // CUSTOMERS % PAYEES) % CUSTOMERS],
            amount=Decimal(number % 97 + 1),
            description="Rent and heating",
            idempotency_key=f"benchmark-payment-{number}",
        )


def look(accounts: list[Any], path: str) -> None:
    for account in accounts[:5]:
        client = browser_of(account.owner)
        for _ in range(LOOKS // 5):
            look_at(client, path)


def seal() -> None:
    from audit import sealing

    sealing.seal()


# Later work on a payment, by the program that does it.
WRITTEN, HANDED_OVER, SEALED = "its mails, written", "its mails, handed over", "its line in a sealed block"
AFTERWARDS = {WRITTEN: write_all, HANDED_OVER: deliver_all, SEALED: seal}


def milliseconds(act: Callable[[], None], count: int) -> float:
    """Return the milliseconds of processor time, for one of `count`."""
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000 / count


def differences(before: Sizes, after: Sizes, count: int) -> Iterator[tuple[str, float]]:
    """Return what each table grew by, for one of `count`; the largest first, those that hardly grew left out."""
    grown = {name: (size - before.get(name, 0)) / count for name, size in after.items()}
    return iter(sorted(((name, each) for name, each in grown.items() if each >= 1), key=lambda pair: -pair[1]))


# --- From these to a bank --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """The cost of one: processor time in milliseconds, commits and statements by kind; bytes of a customer, of a
    payment forever, and of its mails."""

    milliseconds: dict[str, float]
    asked: dict[str, tuple[float, float]]
    bytes_of: dict[str, float]


Line = tuple[str, str, list[float]]


def plan(found: Measured) -> Iterator[Line]:
    """Return the needs of each number of customers: what it is, where it comes from, and the numbers."""
    ms, asked = found.milliseconds, found.asked
    page_ms = (ms["dashboard"] + ms["history"]) / 2
    page_statements = (asked["dashboard"][0] + asked["history"][0]) / 2
    mail_ms = ms[WRITTEN] + ms[HANDED_OVER]
    month = [one * PAYMENTS_A_MONTH for one in CUSTOMERS_PLANNED]
    busiest = [one / (30 * 86400) * BUSIEST_HOUR for one in month]
    payment_statements, payment_commits = asked["payment by the API"]
    mail_statements, mail_commits = map(sum, zip(*(asked[one] for one in AFTERWARDS), strict=True))

    def line(what: str, marks: str, each: float) -> Line:
        """Return a line: the amount for each payment a second of the busiest hour."""
        return what, marks, [rate * each for rate in busiest]

    web = (PAGES_A_PAYMENT * page_ms + ms["payment by the API"]) / 1000 / USED
    yield "payments a month", "A", list(map(float, month))
    yield "payments a second, busiest hour", "A", busiest
    yield line("pages a second, busiest hour", "A", PAGES_A_PAYMENT)
    yield line("cores for pages and payments", "M × A", web)
    yield line("cores for mail workers", "M × A", mail_ms / 1000 / USED)
    yield line("mail workers", "M × A", (mail_ms + 2 * HAND_OVER_MS) / 1000 / USED)
    statements = payment_statements + mail_statements + PAGES_A_PAYMENT * page_statements
    yield line("statements a second on the databases", "M × A", statements)
    yield line("commits a second: payments", "M × A", payment_commits)
    yield line("commits a second: somebody is there, if each page notes it", "A", PAGES_A_PAYMENT)
    yield line("commits a second: the same, if one page in ten does", "A", PAGES_A_PAYMENT * SELDOM_NOTED)
    yield line("commits a second: mails, and sealing", "M × A", mail_commits)
    sizes_of = found.bytes_of
    yield "GB for customers", "M", [one * sizes_of["customer"] / 1e9 for one in CUSTOMERS_PLANNED]
    yield "GB for a year of payments", "M × A", [12 * one * sizes_of["payment"] / 1e9 for one in month]
    yield (
        f"GB for mails of {MAIL_DAYS} days",
        "M × A",
        [one * sizes_of["mails"] * MAIL_DAYS / 30 / 1e9 for one in month],
    )


def print_tables(vendor: str, found: Measured, tables: dict[str, dict[str, float]]) -> None:
    """Print the tables as docs/scaling.md shows them."""
    for what, sizes_of in tables.items():
        print(f"\n| one {what} on {vendor}, bytes with indexes | {sum(sizes_of.values()):,.0f} |\n| --- | ---: |")
        for name, each in sizes_of.items():
            print(f"| {name} | {each:,.0f} |")
    print("\n| M | processor ms | statements | commits |\n| --- | ---: | ---: | ---: |")
    for name, each in found.milliseconds.items():
        statements, commits = found.asked.get(name, (None, None))
        told = "| |" if statements is None else f"{statements:.1f} | {commits:.2f} |"
        print(f"| {name} | {each:.1f} | {told}")
    print(f"\n| | {' | '.join(f'{customers:,} customers' for customers in CUSTOMERS_PLANNED)} | from |")
    print("| --- | ---: | ---: | --- |")
    for what, marks, numbers in plan(found):
        print(f"| {what} | {' | '.join(number_of(number) for number in numbers)} | {marks} |")


# --- Measuring -------------------------------------------------------------------------------------------------


def pay_by_api(accounts: list[Any]) -> Iterator[Callable[[], object]]:
    """Make one payment more each time, each by another customer to a payee they know."""
    from accounts.models import TotpDevice
    from accounts.programs import sessions
    from accounts.sign_in.origin import Origin

    for number, account in enumerate(accounts[:BY_API]):
        device = TotpDevice.objects.get(user=account.owner)
        token = sessions.begin(user=account.owner, device=device, origin=Origin()).access_token
        payer, payee = _person(account, token), _person(accounts[number + 1], "")
        yield partial(post_transfer, payer, payee, expect=201)


def _person(account: Any, token: str) -> Person:
    owner = account.owner
    return Person(owner.pk, str(owner), account.pk, str(account), account.number, token, "", owner.get_full_name(), 0)


def measure(payments: int) -> tuple[Measured, dict[str, dict[str, float]]]:
    """Measure the bank of this process; return the sizes table by table, too."""
    empty = sizes()
    accounts = make_customers()
    write_all()
    seal()
    opened = sizes()
    ms = {"payment by the service": milliseconds(lambda: pay(accounts, payments), payments)}
    ms[WRITTEN], ms[SEALED] = milliseconds(write_all, payments), milliseconds(seal, payments)
    tables = {
        "customer": dict(differences(empty, opened, CUSTOMERS)),
        "payment": dict(differences(opened, sizes(), payments)),
    }
    # Last: changing all rows at once leaves free space, which a bank in use would fill again.
    ms[HANDED_OVER] = milliseconds(deliver_all, payments + CUSTOMERS)
    by_api = list(pay_by_api(accounts))
    by_api[0]()  # compiles
    for step in AFTERWARDS.values():
        step()
    asked = {"payment by the API": tuple(map(float, asked_by(by_api[1])))}
    rest = by_api[2:]
    ms["payment by the API"] = milliseconds(lambda: [one() for one in rest], len(rest))
    for what, step in AFTERWARDS.items():
        statements, commits = asked_by(step)
        asked[what] = (statements / (len(rest) + 1), commits / (len(rest) + 1))
    for name, path in {"dashboard": "/dashboard/", "history": "/history/"}.items():
        ms[name] = milliseconds(partial(look, accounts, path), LOOKS)
        client = browser_of(accounts[0].owner)
        look_at(client, path)
        asked[name] = tuple(map(float, asked_by(partial(look_at, client, path))))
    mails = sum(tables["payment"].get(name, 0) for name in MAIL_TABLES)
    kept = sum(tables["payment"].values()) - mails
    bytes_of = {"customer": sum(tables["customer"].values()), "payment": kept, "mails": mails}
    return Measured(ms, asked, bytes_of), tables


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes of the database for a customer, and for a payment.")
    parser.add_argument("--payments", type=int, default=4_000)
    parser.add_argument("--database-url", default="", help="the address of an empty PostgreSQL database")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder, smtp_sink() as sink:
        # Customers do not pay so often that each payment is an alert.
        os.environ["ALERT_PAYMENTS_PER_HOUR"] = "100000000"
        set_up(folder, database_url=options.database_url, email_url=sink.url)
        from django.db import connection

        name_files_as_served(folder)
        found, tables = measure(options.payments)
        vendor = connection.vendor
        connection.close()
    if options.json:
        print(json.dumps({"engine": vendor, "tables": tables, "plan": list(plan(found))} | asdict(found)))
        return
    print(f"{vendor}: {CUSTOMERS} customers, {options.payments} payments")
    print_tables(vendor, found, tables)


if __name__ == "__main__":
    main()
