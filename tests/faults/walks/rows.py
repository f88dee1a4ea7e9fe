"""The rows of the bank beside the model: those that a step touched after each step, and all of them from time to
time."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

from django.db import connection

from accounts.models import AccountFreeze, BankAccount, PendingAct
from audit import sealing
from audit import verification as audit_verification
from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests.faults.fault import Violation
from tests.faults.model.bank import Bank
from tests.faults.model.books import Account, Facts
from transfers.ledger import verification
from transfers.models import CustomerLimit, Entry, FraudAlert, Payee, SavingsInterest, TransferOrder

_MINUTES = {"DEPOSIT": "deposit", "WITHDRAWAL": "withdrawal", "TRANSFER": "transfer"}


def table(model: Any) -> str:
    return str(model._meta.db_table)


def rows_of(model: Any, columns: str, where: str = "", values: Sequence[Any] = (), order: str = "") -> list[tuple]:
    """Read them by plain SQL, past all that the bank itself reads by; money in minor units."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM {table(model)}{where and ' WHERE '}{where}{order and ' ORDER BY '}{order}", values
        )
        return cursor.fetchall()


class Beside:
    """The rows beside the model, found by the keys that the walk notes.

    Args:
        people: their keys by name.
    """

    def __init__(self, model: Bank, people: dict[str, int]) -> None:
        self.model, self.people = model, people
        self.names: dict[int | None, str] = {None: ""} | {pk: name for name, pk in people.items()}
        self.accounts, self.orders, self.acts = dict[Account, int](), dict[Facts, int](), dict[Facts, int]()
        self.movements = dict[Facts, Any]()
        bank_kinds = rows_of(BankAccount, "id, kind", "owner_id IS NULL")
        self.numbers = {pk: -2 if kind == "cash" else -1 if kind == "interest" else -3 for pk, kind in bank_kinds}
        self.marks = {each: self._newest(each) for each in (Entry, AuditEntry, OutboxMessage, TransferOrder)}
        self.begun_at = dict(self.marks)
        self.at_first = self._sums(rows_of(BankAccount, "id, balance, held, status, last_sequence", "owner_id IS NULL"))
        self.open_orders, self.closed = list[Facts](), set[Account]()
        self.known_orders = 0
        self.audited, self.told = Counter[str](), Counter[str]()

    @staticmethod
    def _newest(model: Any) -> int:
        [(newest,)] = rows_of(model, "max(id)")
        return newest or 0

    def note_account(self, account: Account, pk: int) -> None:
        self.accounts[account], self.numbers[pk] = pk, account.number

    # --- After each step ---------------------------------------------------------------------------------------------

    def check_touched(self, also: Iterable[str] = ()) -> None:
        """Check what the step wrote, every open account and limit, and what `also` names.

        Raises:
            Violation: with all that differs.
        """
        model, found = self.model, list[str]()
        found += self._entries()
        found += self._written()
        found += self._accounts()
        found += self._limits()
        found += self._orders_touched()
        for name in also:
            found += getattr(self, f"_{name}")()
        model.entries.clear()
        model.audit.clear()
        model.outbox.clear()
        raise_if(found)

    def _entries(self) -> Iterable[str]:
        columns = "id, transaction_id, account_id, direction, amount, balance_after, sequence"
        rows = rows_of(Entry, columns, "id > %s", [self.marks[Entry]], "id")
        if rows:
            self.marks[Entry] = rows[-1][0]
        written: dict[Any, list[tuple]] = {}
        for _, transaction, account, way, amount, balance, sequence in rows:
            number = self.numbers.get(account, account)
            written.setdefault(transaction, []).append(
                (number, way, amount, *((balance, sequence) if number >= 0 else ()))
            )
        expected = [
            sorted(entry if entry[0] >= 0 else entry[:3] for entry in self.model.entries[place : place + 2])
            for place in range(0, len(self.model.entries), 2)
        ]
        new = self.model.movements[len(self.movements) :]
        self.movements.update(zip(new, written, strict=False))
        return differing("entries", [sorted(each) for each in written.values()], expected)

    def _written(self) -> Iterable[str]:
        entries = rows_of(
            AuditEntry, "id, action, actor_id, evidence_digest", "id > %s", [self.marks[AuditEntry]], "id"
        )
        told = rows_of(OutboxMessage, "id, event", "id > %s", [self.marks[OutboxMessage]], "id")
        self.marks[AuditEntry] = entries[-1][0] if entries else self.marks[AuditEntry]
        self.marks[OutboxMessage] = told[-1][0] if told else self.marks[OutboxMessage]
        audited = [(action, self.names.get(actor, actor)) for _, action, actor, _ in entries]
        self.audited.update(action for action, _ in self.model.audit)
        self.told.update(self.model.outbox)
        proofs = sum(bool(digest) for *_, digest in entries)
        return [
            *differing("audit entries", audited, self.model.audit),
            *differing("outbox rows", [event for _, event in told], self.model.outbox),
            *differing("audit entries with evidence", proofs, len(self.model.entries) // 2),
        ]

    def _accounts(self, *, all_of_them: bool = False) -> Iterable[str]:
        now_closed = [one for one in self.accounts if one.is_closed and one not in self.closed]
        self.closed.update(now_closed)
        chosen = [self.accounts[one] for one in now_closed]
        marks = ", ".join(["%s"] * len(chosen))
        where = "" if all_of_them else f"status <> 'closed'{f' OR id IN ({marks})' if chosen else ''}"
        rows = rows_of(
            BankAccount, "id, balance, held, status, last_sequence", where, [] if all_of_them else chosen, "id"
        )
        # An account that the model has not opened has no number. Its key would differ when the steps are repeated.
        unknown = count(1)
        seen = {
            self.numbers[pk] if pk in self.numbers else f"not opened here, {next(unknown)}": rest
            for pk, *rest in rows
            if self.numbers.get(pk, 0) >= 0
        }
        expected: dict[int | str, list[Any]] = {
            one.number: [one.balance, one.held, one.status, one.sequence]
            for one in self.model.accounts
            if all_of_them or not one.is_closed or one in now_closed
        }
        bank = self._sums([row for row in rows if self.numbers.get(row[0], 0) < 0])
        changed = [value - before for value, before in zip(bank, self.at_first, strict=True)]
        books = self.model.cash, self.model.interest
        return [
            *differing("accounts (balance, held, status, sequence)", seen, expected),
            *differing(
                "cash and interest (balance, sequence)", changed, [n for a in books for n in (a.balance, a.sequence)]
            ),
        ]

    def _sums(self, rows: Iterable[tuple]) -> list[int]:
        sums = [0, 0, 0, 0]
        for pk, balance, _, _, sequence in rows:
            place = {-2: 0, -1: 2}.get(self.numbers[pk])
            if place is not None:
                sums[place], sums[place + 1] = sums[place] + balance, sums[place + 1] + sequence
        return sums

    def _limits(self) -> Iterable[str]:
        model = self.model
        today = str(datetime.fromtimestamp(model.now, UTC).date())
        columns = "user_id, day, used, cash_in, out_since_code, daily_limit, recent"
        seen = {}
        for user, day, used, cash_in, since_code, limit, recent in rows_of(CustomerLimit, columns):
            is_today = str(day) == today
            own = limit if limit is not None else model.rules.daily
            name = self.names.get(user)
            if name:
                seen[name] = [
                    used if is_today else 0,
                    cash_in if is_today else 0,
                    since_code,
                    own,
                    *self._recent(recent),
                ]
        nothing = [0, 0, 0, model.rules.daily, [0, 0, 0], [0, 0, 0], 0]
        customers = {one.owner for one in model.accounts} | set(seen)
        expected = {
            name: [
                model.days["used", name, model.today],
                model.days["cash in", name, model.today],
                model.since_code[name],
                model.limit(name),
                [len(model.within(what, name, 60)) for what in _MINUTES],
                [sum(token is not None for _, token in model.places[what, name]) for what in _MINUTES],
                min(len(model.within("payment", name, 3600)), model.rules.payments_an_hour),
            ]
            for name in customers
        }
        words = "limits (paid out and in today, out since the last code, daily limit, tries, those not spent, payments)"
        return differing(words, {name: seen.get(name, nothing) for name in customers}, expected)

    def _recent(self, text: str) -> list[Any]:
        kept, now = json.loads(text) if text else {}, self.model.now
        minutes = [[token for at, token in kept.get(name, ()) if at + 60 > now] for name in _MINUTES.values()]
        good = [sum(bool(token) and not token.startswith("try ") for token in tokens) for tokens in minutes]
        return [[len(tokens) for tokens in minutes], good, sum(at + 3600 > now for at in kept.get("payments", ()))]

    # --- What an order changes ---------------------------------------------------------------------------------------

    def _orders_touched(self) -> Iterable[str]:
        new = self.model.orders[self.known_orders :]
        self.known_orders += len(new)
        decided = [one for one in self.open_orders if one.state != "held"]
        self.open_orders = [one for one in [*self.open_orders, *new] if one.state == "held"]
        touched = [*new, *decided]
        rows = self._rows_of_orders("id > %s", [self.marks[TransferOrder]])
        if rows:
            self.marks[TransferOrder] = max(rows)
        for order in decided:
            rows |= self._rows_of_orders("id = %s", [self.orders[order]])
        payees = {(one.customer, one.target.number) for one in touched if one.kind == "payment"}
        return [*self._differing_orders(rows, touched), *(self._payees(payees) if payees else [])]

    def _rows_of_orders(self, where: str = "", values: Sequence[Any] = ()) -> dict[int, list[Any]]:
        columns = (
            "id, kind, state, amount, hold_reason, payee_name_typed, name_check, is_first_payment, initiator_id, "
            "source_id, target_id, transaction_id"
        )
        return {
            pk: [*rest[:6], bool(rest[6]), *rest[7:]] for pk, *rest in rows_of(TransferOrder, columns, where, values)
        }

    def _differing_orders(self, rows: dict[int, list[Any]], expected: Sequence[Facts]) -> Iterable[str]:
        seen = {
            pk: [*row[:7], self.names.get(row[7]), self._number(row[8]), self._number(row[9]), row[10]]
            for pk, row in rows.items()
        }
        ought = {self.orders.get(order): self._order(order) for order in expected}
        alerts = self._alerts(seen)
        words = "orders (kind, state, amount, hold, name, check, is first, by, source, target, movement)"
        return [
            *differing(words, seen, ought),
            *differing("open alerts of orders", alerts, {self.orders.get(one): one.alerts for one in expected}),
        ]

    def _alerts(self, orders: Iterable[int]) -> dict[int, int]:
        return {pk: rows_of(FraudAlert, "count(*)", "order_id = %s AND state = 'open'", [pk])[0][0] for pk in orders}

    def _order(self, order: Facts) -> list[Any]:
        moved = self.movements.get(order.movement) if order.movement else None
        sides = [order.source.number, order.target.number]
        return [order.kind, order.state, order.amount, order.hold, *order.name, order.is_first, order.by, *sides, moved]

    def _number(self, account: int) -> int | None:
        return self.numbers.get(account)

    def _payees(self, only: set[tuple[str, int]] | None = None) -> Iterable[str]:
        columns = "customer_id, account_id, typed_name, name_check"
        pks = {number: pk for pk, number in self.numbers.items() if number >= 0}
        if only is None:
            rows, expected = rows_of(Payee, columns), dict(self.model.payees)
        else:
            keys = [(self.people[name], pks[number]) for name, number in only]
            rows = [row for key in keys for row in rows_of(Payee, columns, "customer_id = %s AND account_id = %s", key)]
            expected = {key: name for key, name in self.model.payees.items() if key in only}
        seen = {(self.names.get(user), self._number(account)): tuple(name) for user, account, *name in rows}
        return differing("payees (name as typed, check)", {key: name for key, name in seen.items() if key[0]}, expected)

    # --- What some steps touch besides -------------------------------------------------------------------------------

    def _freezes(self) -> Iterable[str]:
        standing = rows_of(AccountFreeze, "account_id, kind", "lifted_at IS NULL")
        seen = sorted((self.numbers[account], kind) for account, kind in standing if account in self.numbers)
        return differing(
            "freezes", seen, sorted((one.number, kind) for one in self.model.accounts for kind in one.freezes)
        )

    def _waiting(self) -> Iterable[str]:
        rows = rows_of(PendingAct, "id, state, held_on_id, held_amount")
        seen = {pk: [state, self._number(on) if on else None, held] for pk, state, on, held in rows}
        expected = {
            self.acts.get(act): [act.state, act.movement.credit.number if act.held else None, act.held]
            for act in self.model.acts
        }
        return differing("acts that wait for a second administrator (state, held on, held)", seen, expected)

    def _earned(self) -> Iterable[str]:
        rows = rows_of(SavingsInterest, "account_id, accrued_through, accrued, accrued_micro, due")
        first = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
        seen = {
            self.numbers[pk]: [str(through), accrued * 10**6 + micro, due] for pk, through, accrued, micro, due in rows
        }
        expected = {
            one.number: [str(datetime.fromordinal(first + one.through).date()), one.micro, one.months - one.paid]
            for one in self.model.accounts
            if one.is_savings and one.through >= one.opened
        }
        return differing("interest (through, not rounded yet, due)", seen, expected)

    def _counts(self) -> Iterable[str]:
        """Check the counts of everything written since the walk began: nothing has come or gone afterwards."""
        since = [self.begun_at[AuditEntry]], [self.begun_at[OutboxMessage]]
        audited = dict(rows_of(AuditEntry, "action, count(*)", "id > %s GROUP BY action", since[0]))
        told = dict(rows_of(OutboxMessage, "event, count(*)", "id > %s GROUP BY event", since[1]))
        [(entries,)] = rows_of(Entry, "count(*)", "id > %s", [self.begun_at[Entry]])
        return [
            *differing("audit entries in all", audited, dict(self.audited)),
            *differing("outbox rows in all", told, dict(self.told)),
            *differing("entries in all", entries, 2 * len(self.model.movements)),
        ]

    # --- All of it ---------------------------------------------------------------------------------------------------

    def check_all(self) -> None:
        """Check every row, and run the bank's own verification of its ledger and, after sealing, of its audit log.

        Raises:
            Violation
        """
        model = self.model
        sealing.seal()
        customers = sum(account.balance for account in model.accounts)
        orders = self._rows_of_orders()
        mine = {pk: row for pk, row in orders.items() if row[7] in self.names}
        raise_if(
            [
                *self._accounts(all_of_them=True),
                *self._limits(),
                *self._differing_orders(mine, model.orders),
                *self._payees(),
                *self._freezes(),
                *self._waiting(),
                *self._earned(),
                *self._counts(),
                *differing("money in all", customers, model.cash.balance + model.interest.balance),
                *(f"verify_ledger: {fault}" for fault in verification.faults()),
                *(f"verify_audit_log: {fault}" for fault in audit_verification.faults()),
            ]
        )


def raise_if(found: Iterable[str]) -> None:
    """Raise the findings, if there are any.

    Raises:
        Violation
    """
    texts = list(found)
    if texts:
        raise Violation("\n".join(texts))


def differing(what: str, seen: Any, expected: Any) -> list[str]:
    """Return how the bank differs from the model; for rows by their keys only those that differ."""
    if seen == expected:
        return []
    if isinstance(seen, dict):
        keys = [key for key in {**seen, **expected} if seen.get(key) != expected.get(key)]
        return [f"{what}, {key}: the bank has {seen.get(key)}, the model {expected.get(key)}" for key in keys]
    return [f"{what}: the bank has {seen}, the model {expected}"]
