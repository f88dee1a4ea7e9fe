"""What does a customer take in the database, what a payment, and how long does a processor work for each?

    python benchmarks/sizing.py [--payments 4000] [--database-url postgres://…]

Makes customers with an account each, and payments among them through the service (permission, limits, idempotency,
ledger, audit, outbox), expands the outbox and seals the audit log; then asks the engine how large each table has
become, indexes included. Counts the processor time of this process meanwhile, and for two pages, which is nearly the
same on a busy machine. On a SQLite file that is thrown away, which works in this process too, or in an empty PostgreSQL
database that is yours to fill. docs/scaling.md multiplies.
"""
# ruff: noqa: T201 - a program prints

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from scratch_bank import set_up

CUSTOMERS = 400
PAYEES = 10
LOOKS = 100
Sizes = dict[str, int]


def sizes() -> Sizes:
    """Bytes of each table with its indexes, as the engine counts its pages."""
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
    """Ten of each customer, whom they have paid before: a first payment would ask for a code."""
    from django.utils import timezone

    from transfers.models import Payee

    now = timezone.now()
    for number, account in enumerate(accounts):
        for step in range(1, PAYEES + 1):
            payee = accounts[(number + step) % CUSTOMERS]
            Payee(customer=account.owner, account=payee, first_paid_at=now, last_paid_at=now).save()


def pay(accounts: list[Any], payments: int) -> None:
    """Each customer pays their payees, again and again."""
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


def browser_of(user: Any) -> Any:
    """A client in which the user is signed in with both factors."""
    from django.test import Client
    from django.utils import timezone
    from django_otp import DEVICE_ID_SESSION_KEY

    from accounts.models import TotpDevice, UserSession

    client = Client(SERVER_NAME="localhost", headers={"X-Forwarded-Proto": "https"})
    client.force_login(user, backend="accounts.sign_in.axes.CountedPasswordBackend")
    session, now = client.session, int(timezone.now().timestamp())
    row = UserSession.objects.create(user=user)
    device = TotpDevice.objects.get(user=user)
    session.update({"auth_at": now, "user_session": str(row.public_id)})
    session[DEVICE_ID_SESSION_KEY] = device.persistent_id
    session.save()
    return client


def look(accounts: list[Any], path: str) -> None:
    for account in accounts[:5]:
        client = browser_of(account.owner)
        for _ in range(LOOKS // 5):
            answer = client.get(path, secure=True)
            if answer.status_code != 200:
                raise SystemExit(f"{path} answers {answer.status_code}.")


def milliseconds(act: Callable[[], None], count: int) -> float:
    """Of processor time, for one of `count`."""
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000 / count


def finish() -> None:
    from audit import sealing
    from foundation import outbox

    while outbox.expand_waiting():
        pass
    sealing.seal()


def differences(before: Sizes, after: Sizes, count: int) -> Iterator[tuple[str, float]]:
    """What each table grew by, for one of `count`; the largest first, those that hardly grew left out."""
    grown = {name: (size - before.get(name, 0)) / count for name, size in after.items()}
    return iter(sorted(((name, each) for name, each in grown.items() if each >= 1), key=lambda pair: -pair[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Bytes of the database for a customer, and for a payment.")
    parser.add_argument("--payments", type=int, default=4_000)
    parser.add_argument("--database-url", default="", help="the address of an empty PostgreSQL database")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder:
        # Customers do not pay so often that each payment is an alert.
        os.environ["ALERT_PAYMENTS_PER_HOUR"] = "100000000"
        set_up(folder, database_url=options.database_url)
        from django.db import connection

        empty = sizes()
        accounts = make_customers()
        finish()
        opened = sizes()
        work = {
            "payment": milliseconds(lambda: pay(accounts, options.payments), options.payments),
            "its mails": milliseconds(finish, options.payments),
            "dashboard": milliseconds(lambda: look(accounts, "/dashboard/"), LOOKS),
            "history": milliseconds(lambda: look(accounts, "/history/"), LOOKS),
        }
        found = {
            "customer": dict(differences(empty, opened, CUSTOMERS)),
            "payment": dict(differences(opened, sizes(), options.payments)),
        }
        vendor = connection.vendor
        connection.close()
    if options.json:
        print(json.dumps({"engine": vendor, "milliseconds": work} | found))
        return
    print(f"{vendor}: {CUSTOMERS} customers, {options.payments} payments; bytes with indexes")
    for what, tables in found.items():
        print(f"\none {what}: {sum(tables.values()):,.0f} bytes")
        for name, each in tables.items():
            print(f"  {name:32}{each:8,.0f}")
    print("\nmilliseconds of processor time: " + ", ".join(f"{what} {each:.1f}" for what, each in work.items()))


if __name__ == "__main__":
    main()
