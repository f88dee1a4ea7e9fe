"""Whether the bank has done what it told its customers, and nothing else; checked while no client asks it for
anything."""

import json
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.faults.fault import Violation
from tests.faults.funds import REFUSAL, refused_without_need
from tests.faults.journal import HISTORY, PAGE, Journal, Outcome, Purpose, Transfer
from tests.faults.people import Account
from tests.faults.post import PostOffice
from tests.faults.programs import PATIENCE_SECONDS, spoken_with
from tests.faults.running import ServedBank

Rows = Mapping[str, Any]
# A request to ask again: not a reason against a payment.
STILL_RUNNING = "still_running"
_NAMED = 20


# --- What differs ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Claims:
    """What the customers were told, and the state before: `rows` of the auditor at the beginning."""

    accounts: Sequence[Account]
    transfers: Mapping[str, Transfer]
    before: Rows

    def whom_mails_tell(self) -> dict[str, list[str]]:
        """Return, for each acknowledged payment by its key, payer and payee. Transfers between own accounts are told to
        nobody."""
        told = {}
        for one in self.transfers.values():
            source, target = self.accounts[one.source], self.accounts[one.target]
            if one.outcome == Outcome.ACKNOWLEDGED and source.owner != target.owner:
                told[one.key] = [source.email, target.email]
        return told

    def balances(self) -> dict[int, int]:
        """Return what each account must have, in minor units, by its id."""
        balances = Counter({account.id: account.balance for account in self.accounts})
        for one in self.transfers.values():
            if one.outcome == Outcome.ACKNOWLEDGED:
                balances[self.accounts[one.source].id] -= one.minor
                balances[self.accounts[one.target].id] += one.minor
        return dict(balances)


def differences(claims: Claims, rows: Rows) -> Iterator[str]:
    """Yield every difference between the answers and the bank's tables, by the transfer's key."""
    by_key: dict[str, list[Rows]] = defaultdict(list)
    known = {row["public_id"]: row for row in claims.before["orders"]}
    for row in rows["orders"]:
        if row["public_id"] not in known:
            by_key[row["description"]].append(row)
        elif row != known.pop(row["public_id"]):
            yield f"order {row['public_id']} from before has changed"
    yield from (f"order {public_id} from before is gone" for public_id in known)
    for transfer in claims.transfers.values():
        for fault in _faults_of(claims, transfer, by_key.pop(transfer.key, [])):
            yield f"{transfer.key}: {fault}"
    yield from (f"{key!r}: an order that nobody asked for" for key in by_key)
    yield from refused_without_need(claims.accounts, claims.transfers.values())
    for table in ("other_movements", "other_reports"):
        if rows[table] != claims.before[table]:
            yield f"{table}: {rows[table]}, and not {claims.before[table]}"
    yield from _wrong_balances(claims, rows)


def _faults_of(claims: Claims, transfer: Transfer, found: Sequence[Rows]) -> Iterator[str]:
    yield from transfer.contradictions()
    match transfer.outcome:
        case Outcome.UNKNOWN:
            yield f"nobody could be told what became of it; {len(found)} orders"
        case Outcome.REFUSED:
            yield from (f"refused, and there is order {row['public_id']}" for row in found)
            yield from _refused_with(transfer, REFUSAL)
        case Outcome.ACKNOWLEDGED:
            if len(found) != 1:
                yield f"acknowledged, and there are {len(found)} orders"
            yield from _refused_with(transfer, REFUSAL, STILL_RUNNING)
            for row in found:
                yield from _faults_of_order(claims, transfer, row)


def _refused_with(transfer: Transfer, *allowed: str) -> Iterator[str]:
    """Yield each other refusal that one of its tries was told; `contradictions()` covers repeats and other amounts."""
    for one in transfer.own_tries:
        if not one.is_unknown and not one.is_acknowledged and one.code not in allowed and one.purpose != Purpose.AGAIN:
            yield f"refused with {one.code} ({one.status})"


def _faults_of_order(claims: Claims, transfer: Transfer, row: Rows) -> Iterator[str]:
    source, target = claims.accounts[transfer.source].id, claims.accounts[transfer.target].id
    wanted = {
        "source": source,
        "target": target,
        "amount": transfer.minor,
        "state": "posted",
        "entries": sorted([[source, "debit", transfer.minor], [target, "credit", transfer.minor]]),
        "reports": ["TRANSFER_CREATED"],
    }
    found = {name: row[name] for name in wanted} | {"entries": sorted(row["entries"])}
    for name, value in wanted.items():
        if found[name] != value:
            yield f"its {name}: {found[name]}, and not {value}"
    if {row["public_id"]} != transfer.orders:
        yield f"order {row['public_id']}, and told was {', '.join(transfer.orders)}"


def _wrong_balances(claims: Claims, rows: Rows) -> Iterator[str]:
    wanted = claims.balances()
    for account, (balance, held) in rows["balances"].items():
        if balance != wanted[int(account)]:
            yield f"account {account} has {balance}, and the acknowledged transfers make it {wanted[int(account)]}"
        if held:
            yield f"account {account} has {held} set aside, and nothing is held"


# --- Asked of a bank ---------------------------------------------------------------------------------------------


class Auditor:
    """The process that reads the books (`auditor.py`)."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._read()

    def ask(self, what: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("The process that reads the books has ended; its log says why.")
        return json.loads(line)

    @classmethod
    @contextmanager
    def begun(cls, bank: ServedBank) -> Iterator["Auditor"]:
        """Start one for this bank; it ends with the block."""
        accounts = [str(account.id) for account in bank.accounts]
        log = bank.folder / "auditor.log"
        with spoken_with(
            "tests.faults.auditor", *accounts, log=log, environment=bank.environment_of_readers
        ) as process:
            yield cls(process)


@dataclass
class Books:
    """The checks after each fault."""

    bank: ServedBank
    journal: Journal
    auditor: Auditor
    patience: float = PATIENCE_SECONDS  # of seconds, for a database that answers slowly
    snapshots: int = 0  # read so far
    _seen: Counter[str] = field(default_factory=Counter)  # at the last check, by what should have grown
    before: Rows = field(init=False)

    def __post_init__(self) -> None:
        self.before = self.auditor.ask("rows")

    def check(self) -> None:
        """Check everything, while the clients are paused and know every outcome.

        Raises:
            Violation: it names everything that differs, by key.
        """
        self.journal.read_on()
        claims = Claims(self.bank.accounts, self.journal.transfers, self.before)
        wrong = [*self._wrong_snapshots(), *self._readers_that_stopped(), *self.journal.told_wrong()]
        wrong += self.journal.faults()
        wrong += differences(claims, self.auditor.ask("rows"))
        wrong += [f"{command}: {said}" for command, said in self.auditor.ask("verify").items()]
        try:
            self._wait_until_all_is_told()
            self.bank.part(PostOffice).require_mails(claims.whom_mails_tell())
        except Violation as violation:
            wrong.append(str(violation))
        if wrong:
            more = [f"and {len(wrong) - _NAMED} more"] if len(wrong) > _NAMED else []
            raise Violation("\n".join([*wrong[:_NAMED], *more]))

    def _wrong_snapshots(self) -> Iterator[str]:
        """Return snapshots with another sum; or a fault that none was read since the last check: the reader has
        ended."""
        end, before = time.monotonic() + self.patience, self.snapshots
        while self.snapshots == before:
            if time.monotonic() > end:
                yield f"No snapshot was read after the {before}th."
                return
            snapshots = self.auditor.ask("snapshots")
            yield from snapshots["wrong"]
            self.snapshots = snapshots["read"]
            time.sleep(0.1)

    def _readers_that_stopped(self) -> Iterator[str]:
        """Return the readers that stopped reading while customers paid."""
        now = Counter(
            {what: self.journal.reads[what] for what in (HISTORY, PAGE)} | {"paid": self.journal.acknowledged}
        )
        if now["paid"] > self._seen["paid"]:
            yield from (
                f"No {what} was answered since the last look."
                for what in (HISTORY, PAGE)
                if now[what] == self._seen[what]
            )
        self._seen = now

    def _wait_until_all_is_told(self) -> None:
        """Wait until all mails have left: one of them may be wrong.

        Raises:
            Violation: it does not leave.
        """
        end = time.monotonic() + self.patience
        while waits := self.auditor.ask("waiting"):
            if time.monotonic() > end:
                raise Violation(f"{waits} events and mails wait yet after {self.patience:.0f} s.")
            time.sleep(0.2)
