"""What do the mails of a payment cost, and how many does one worker deliver, how many do three?

    python benchmarks/mail.py [--payments 400] [--workers 1 2 3] [--database-url postgres://…] [--quick]

Makes payments through the service, on a SQLite file of its own with synchronous=FULL, or in an empty PostgreSQL
database that is yours to fill. Then measures, for each payment with its two mails, the processor time of

  written    the outbox row read, both mails rendered and queued (`foundation.outbox.expand_waiting`), in batches
  delivered  both mails handed over to a local mail server that throws them away, and written down as sent

by one worker in this process; and how many mails a second leave the queue with 1, 2 and 3 workers as processes of their
own, `manage.py send_queued_mail`. The workers share this machine's cores with the mail server and the database.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from figures import Figure, figure, program, tell
from scratch_bank import ROOT, set_up
from smtp_sink import Sink, smtp_sink

PAIRS = 20
ROUNDS = 3
PATIENCE_SECONDS = 300
WORKER = """
import django
django.setup()
from django.core.management import call_command
call_command("send_queued_mail")
print("ready", flush=True)
call_command("send_queued_mail", watch=0.05)
"""


def make_pairs() -> list[tuple[Any, Any]]:
    """Return accounts of customers who have paid each other before."""
    from django.utils import timezone

    from accounts.models import AccountKind
    from accounts.people.registration import create_user
    from accounts.roles import Role
    from transfers.accounts import opening
    from transfers.models import Payee

    accounts = []
    for number in range(2 * PAIRS):
        user = create_user(
            email=f"customer.number{number}@example.com",
            password_hash="!",  # noqa: S106 - no password at all
            role=Role.CUSTOMER,
            first_name="Alexandra",
            last_name=f"Brandt-Archer {number}",
        )
        kind, key = AccountKind.CHECKING, f"benchmark-opening-{number}"
        accounts.append(
            opening.open_account(actor=user, kind=kind, opening_deposit=Decimal(100_000), idempotency_key=key)
        )
    pairs, now = list(zip(accounts[::2], accounts[1::2], strict=True)), timezone.now()
    for source, target in pairs:
        Payee(customer=source.owner, account=target, first_paid_at=now, last_paid_at=now).save()
    return pairs


def pay(pairs: list[tuple[Any, Any]], payments: int, label: str) -> None:
    from transfers.orders import sending

    for number in range(payments):
        source, target = pairs[number % PAIRS]
        sending.transfer(
            actor=source.owner,
            source=source,
            target=target,
            amount=Decimal(number % 997 + 1) / 100,
            description="Rent and heating",
            idempotency_key=f"benchmark-{label}-{number}",
        )


def write_all() -> None:
    from foundation import outbox

    while outbox.expand_waiting():
        pass


def deliver_all() -> None:
    from foundation.delivery import Courier

    courier, never = Courier(), threading.Event()
    while courier.deliver(never):
        pass
    courier.hang_up()


def milliseconds(act: Any, payments: int) -> float:
    """Return the milliseconds of this process's processor time for one payment."""
    begun = time.process_time()
    act()
    return (time.process_time() - begun) * 1000 / payments


def queue_again() -> int:
    """Let all mails wait once more; return how many."""
    from django.utils import timezone
    from post_office.models import STATUS, Email

    return Email.objects.update(status=STATUS.queued, scheduled_time=timezone.now())


def mails_a_second(workers: int, sink: Sink) -> float:
    """Return mails a second, by processes that are started before the mails wait, until the last has gone out."""
    from django.db import connection

    command = [sys.executable, "-c", WORKER]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own Python and program
        for _ in range(workers)
    ]
    try:
        for process in processes:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            process.stdout.readline()  # it is ready
        before = sink.taken()
        mails = queue_again()
        connection.close()
        begun = time.monotonic()
        while sink.taken() - before < mails:
            if time.monotonic() - begun > PATIENCE_SECONDS:
                raise SystemExit("The workers do not deliver.")
            time.sleep(0.02)
        return mails / (time.monotonic() - begun)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def measure(payments: int, workers: list[int], rounds: int, sink: Sink) -> Iterator[Figure]:
    from django.db import connection

    pairs = make_pairs()
    pay(pairs, PAIRS, "warm")
    write_all()
    deliver_all()
    written, delivered = [], []
    for number in range(rounds):
        pay(pairs, payments, f"round{number}")
        written.append(milliseconds(write_all, payments))
        delivered.append(milliseconds(deliver_all, payments))
    engine = "SQLite" if connection.vendor == "sqlite" else "PostgreSQL"
    table = f"Both mails of a payment, on {engine}"
    yield figure(table, "written into the queue, processor", "ms", written)
    yield figure(table, "handed over and written down as sent, processor", "ms", delivered)
    for number in workers:
        rate = mails_a_second(number, sink)
        yield Figure(table, f"mails handed over, workers: {number}", "a second", rate, rate, rate)


def main() -> None:
    parser = program(__doc__ or "", rounds=ROUNDS)
    parser.add_argument("--payments", type=int, default=400)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 3])
    options = parser.parse_args()
    payments, workers, rounds = (40, [1], 1) if options.quick else (options.payments, options.workers, options.rounds)
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder, smtp_sink() as sink:
        os.environ["ALERT_PAYMENTS_PER_HOUR"] = "100000000"
        set_up(folder, database_url=options.database_url, email_url=sink.url)
        from django.db import connection

        found = list(measure(payments, workers, rounds, sink))
        connection.close()
    tell(found, options.json)


if __name__ == "__main__":
    main()
