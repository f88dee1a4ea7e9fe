"""How many payments a second does the bank carry whole: with audit entry, outbox row and both mails handed over?

    python benchmarks/whole.py [--seconds 60] [--workers 1] [--database-url postgres://…] [--quick]

The bank as it is served, mail workers beside it, and an SMTP server on loopback that takes every mail. Eight clients
send payments for a minute; then they stop, and it is measured how long the queue takes to be empty: until two mails
have come for each payment. Before that the same clients pay for a while with no mail worker, for comparison.
"""

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from api import payments
from figures import Figure, program, tell
from scratch_bank import Bank, copied, prepare, require_exact, scratch_folder
from servers import Served, drive, free_port, running, served

CLIENTS = 8
WARM_UP = 16
MAILS = 2  # of each payment: to who pays and to who is paid
WORKER = ("manage.py", "send_queued_mail", "--watch", "0.2")
_PATIENCE_SECONDS = 600


def paid_for(bank: Bank, log: Path, seconds: float) -> Served:
    """What eight clients get in so many seconds."""
    asks = payments(bank)  # first some that let the workers load the bank, and are not counted
    endless = itertools.chain.from_iterable(asks(64) for _ in itertools.count())
    with served(bank, log) as server:
        drive(server, asks(WARM_UP), clients=CLIENTS)
        return drive(server, endless, clients=CLIENTS, seconds=seconds)


def measure(folder: Path, options: Any) -> list[Figure]:
    seconds, customers = (3.0, 40) if options.quick else (options.seconds, 1000)
    log, port = folder / "log", free_port()
    mail = {"EMAIL_URL": f"smtp://127.0.0.1:{port}"}
    bank = prepare(folder, customers=customers, server=options.database_url, **mail)
    alone = paid_for(copied(bank), log, seconds / 3)
    with ExitStack() as stack:
        count = stack.enter_context(sink(port, folder, log))
        for _ in range(options.workers):
            worker = [bank.python, *WORKER]
            stack.enter_context(running(worker, environment=bank.environment, log=log, folder=bank.tree))
        time.sleep(3)  # they load while nobody pays
        whole = paid_for(bank, log, seconds)
        sent_meanwhile = arrived(count)
        paid = len(whole.latencies) + WARM_UP
        emptied = wait_for(count, MAILS * paid)
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


# --- The SMTP server -------------------------------------------------------------------------------------------


@contextmanager
def sink(port: int, folder: Path, log: Path) -> Iterator[Path]:
    """A server that takes every mail and keeps none; in the file there is how many it took."""
    count = folder / f"mails-{port}"
    count.write_text("0", encoding="ascii")
    command = [sys.executable, Path(__file__), "--sink", str(port), "--count", count]
    with running(command, environment={}, log=log):
        yield count


def be_sink(port: int, count: Path) -> None:
    from aiosmtpd.controller import Controller

    class Taker:
        taken = 0

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            self.taken += len(envelope.rcpt_tos)
            return "250 taken"

    taker = Taker()
    controller = Controller(taker, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        while True:
            time.sleep(0.1)
            # Renamed, so that whoever reads finds the number before or after, never none.
            with tempfile.NamedTemporaryFile("w", dir=count.parent, delete=False) as file:
                file.write(str(taker.taken))
            Path(file.name).replace(count)
    finally:
        controller.stop()


def arrived(count: Path) -> int:
    return int(count.read_text(encoding="ascii"))


def wait_for(count: Path, mails: int) -> float:
    """Seconds until so many have come.

    Raises:
        SystemExit: they do not come.
    """
    begun = time.perf_counter()
    while (passed := time.perf_counter() - begun) < _PATIENCE_SECONDS:
        if arrived(count) >= mails:
            return passed
        time.sleep(0.1)
    raise SystemExit(f"{arrived(count)} of {mails} mails came in {_PATIENCE_SECONDS} seconds.")


def main() -> None:
    parser = program(__doc__ or "", rounds=1)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=1, help="mail workers")
    parser.add_argument("--sink", type=int, metavar="PORT", help="be the SMTP server")
    parser.add_argument("--count", type=Path, help="where it writes how many mails it took")
    options = parser.parse_args()
    if options.sink:
        be_sink(options.sink, options.count)
        return
    with scratch_folder() as folder:
        found = measure(folder, options)
    tell(found, options.json)


if __name__ == "__main__":
    main()
