"""How many payments a second does the bank carry whole: with audit entry, outbox row and both mails handed over?

    python benchmarks/whole.py [--seconds 60] [--workers 1] [--database-url postgres://…] [--quick]

The bank as it is served, mail workers beside it, and an SMTP server on loopback that takes every mail. Eight clients
send payments for a minute; then they stop, and it is measured how long the queue takes to be empty: until two mails
have come for each payment. Before that the same clients pay for a while with no mail worker, for comparison.
"""

import itertools
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from api import payments
from figures import Figure, program, tell
from scratch_bank import Bank, copied, prepare, require_exact, scratch_folder
from servers import Served, drive, running, served
from smtp_sink import Sink, smtp_sink

CLIENTS = 8
WARM_UP = 16
MAILS = 2  # of each payment: to payer and payee
WORKER = ("manage.py", "send_queued_mail", "--watch", "0.2")
_PATIENCE_SECONDS = 600


def paid_for(bank: Bank, log: Path, seconds: float) -> Served:
    """Return what eight clients get paid in this many seconds."""
    asks = payments(bank)  # first some that let the workers load the bank, and are not counted
    endless = itertools.chain.from_iterable(asks(64) for _ in itertools.count())
    with served(bank, log) as server:
        drive(server, asks(WARM_UP), clients=CLIENTS)
        return drive(server, endless, clients=CLIENTS, seconds=seconds)


def measure(folder: Path, options: Any) -> list[Figure]:
    seconds, customers = (3.0, 40) if options.quick else (options.seconds, 1000)
    log = folder / "log"
    with ExitStack() as stack:
        sink = stack.enter_context(smtp_sink())
        bank = prepare(folder, customers=customers, server=options.database_url, EMAIL_URL=sink.url)
        alone = paid_for(copied(bank), log, seconds / 3)
        for _ in range(options.workers):
            worker = [bank.python, *WORKER]
            stack.enter_context(running(worker, environment=bank.environment, log=log, folder=bank.tree))
        time.sleep(3)  # they load while nobody pays
        whole = paid_for(bank, log, seconds)
        sent_meanwhile = sink.taken()
        paid = len(whole.latencies) + WARM_UP
        emptied = wait_for(sink, MAILS * paid)
    require_exact(bank, paid=paid)
    engine = "PostgreSQL" if options.database_url else "SQLite"
    table = f"A payment whole, {CLIENTS} clients, mail workers: {options.workers}, on {engine}"
    lines = [
        ("payments, mails sent meanwhile", "a second", whole.per_second),
        ("payments, no mail worker running", "a second", alone.per_second),
        ("payments with mails ÷ without", "×", whole.per_second / alone.per_second),
        ("payments in all", "payments", paid),
        ("mails that had come when the last payment was answered", "mails", sent_meanwhile),
        ("until the queue was empty after it", "s", emptied),
    ]
    return [Figure(table, what, unit, value, value, value) for what, unit, value in lines]


def wait_for(sink: Sink, mails: int) -> float:
    """Return the seconds until this many have come.

    Raises:
        SystemExit: they do not come.
    """
    begun = time.perf_counter()
    while (passed := time.perf_counter() - begun) < _PATIENCE_SECONDS:
        if sink.taken() >= mails:
            return passed
        time.sleep(0.1)
    raise SystemExit(f"{sink.taken()} of {mails} mails came in {_PATIENCE_SECONDS} seconds.")


def main() -> None:
    parser = program(__doc__ or "", rounds=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=1, help="mail workers")
    options = parser.parse_args()
    with scratch_folder() as folder:
        found = measure(folder, options)
    tell(found, options.json)


if __name__ == "__main__":
    main()
