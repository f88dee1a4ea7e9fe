"""A payment to a known payee by hand-written SQL: every row that `transfers.orders.sending.transfer` reads and writes.

The measure for what the bank's own code costs, shared by all programs here. It runs on the migrated database with its
indexes and triggers, with the same pragmas and the same durability, through Python's sqlite3, psycopg 3, or Django's
cursor. A test compares the rows that both write, column by column (`tests/test_hand_sql.py`): a later column has to be
written here too.

It is cheaper than the service in one way, on purpose: everything except SQL costs nothing here. The evidence digest and
the sealed payload of the outbox row have the length and place of real ones, but are fake.
"""

import json
import os
import re
import secrets
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

# {lock} is FOR UPDATE on PostgreSQL. SQLite has one writer at a time, from BEGIN IMMEDIATE on.
STATEMENTS = {
    "limit": (
        "SELECT id, daily_limit, day, used, out_since_code, recent, version "
        "FROM transfers_customerlimit WHERE user_id = %s{lock}"
    ),
    "key": "SELECT id, inputs_digest FROM transfers_transferorder WHERE initiator_id = %s AND key_digest = %s",
    "payee": "SELECT id, typed_name, name_check FROM transfers_payee WHERE customer_id = %s AND account_id = %s",
    "charge": (
        "UPDATE transfers_customerlimit SET day = %(day)s, used = %(used)s, out_since_code = %(since)s, "
        "recent = %(recent)s, version = %(version)s + 1 WHERE id = %(id)s AND version = %(version)s"
    ),
    "accounts": (
        "SELECT id, kind, status, balance, held, last_sequence FROM accounts_bankaccount "
        "WHERE id IN (%s, %s) ORDER BY id{lock}"
    ),
    "balance": "UPDATE accounts_bankaccount SET balance = %s, last_sequence = %s WHERE id = %s AND last_sequence = %s",
    "transaction": (
        "INSERT INTO transfers_transaction "
        "(id, kind, amount, description, reference, search_text, initiated_by_id, reverses_id, created_at) "
        "VALUES (%(id)s, 'transfer', %(amount)s, '', %(reference)s, %(search)s, %(customer)s, NULL, %(now)s)"
    ),
    "entries": (
        "INSERT INTO transfers_entry "
        "(transaction_id, account_id, direction, amount, balance_after, sequence, posted_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s), (%s, %s, %s, %s, %s, %s, %s)"
    ),
    "order": (
        "INSERT INTO transfers_transferorder (public_id, kind, initiator_id, source_id, target_id, amount, "
        "description, key_digest, inputs_digest, state, transaction_id, created_at, hold_reason, decision_reason, "
        "payer_name, payee_name, payee_name_typed, name_check, is_first_payment) "
        "VALUES (%(public_id)s, 'payment', %(payer)s, %(source)s, %(target)s, %(amount)s, '', %(key)s, %(inputs)s, "
        "'posted', %(transaction)s, %(now)s, '', '', %(payer_name)s, %(payee_name)s, %(typed_name)s, %(name_check)s, "
        "%(is_first)s) RETURNING id"
    ),
    "audit": (
        "INSERT INTO audit_auditentry (at, action, actor_id, actor_label, subject_type, subject_id, concerns_id, ip, "
        "request_id, details, evidence_digest) "
        "VALUES (%s, 'transfer_created', %s, %s, 'transferorder', %s, %s, %s, %s, %s, %s)"
    ),
    "paid": (
        "UPDATE transfers_payee SET last_paid_at = %(now)s, typed_name = %(typed_name)s, name_check = %(name_check)s "
        "WHERE id = %(id)s"
    ),
    "outbox": (
        "INSERT INTO foundation_outboxmessage (public_id, event, payload, created_at, failures, next_try_at) "
        "VALUES (%s, 'payment_posted', %s, %s, 0, %s)"
    ),
}
# The same at commit 11100bd, for the baseline: there the minute was another row, written in a transaction of its own,
# and an order kept no names.
STATEMENTS_AT_11100BD = STATEMENTS | {
    "limit": (
        "SELECT id, daily_limit, day, used, out_since_code, '', 0 FROM transfers_customerlimit WHERE user_id = %s{lock}"
    ),
    "charge": (
        "UPDATE transfers_customerlimit SET day = %(day)s, used = %(used)s, out_since_code = %(since)s "
        "WHERE id = %(id)s"
    ),
    "payee": "SELECT id, '', '' FROM transfers_payee WHERE customer_id = %s AND account_id = %s",
    "order": (
        "INSERT INTO transfers_transferorder (public_id, kind, initiator_id, source_id, target_id, amount, "
        "description, key_digest, inputs_digest, state, transaction_id, created_at, hold_reason, decision_reason) "
        "VALUES (%(public_id)s, 'payment', %(payer)s, %(source)s, %(target)s, %(amount)s, '', %(key)s, %(inputs)s, "
        "'posted', %(transaction)s, %(now)s, '', '') RETURNING id"
    ),
    "paid": "UPDATE transfers_payee SET last_paid_at = %(now)s WHERE id = %(id)s",
    "transaction": STATEMENTS["transaction"].replace("search_text, ", "").replace("%(search)s, ", ""),
    "outbox": STATEMENTS["outbox"].replace("foundation_", "accounts_"),
}
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "recursive_triggers=ON", "foreign_keys=ON")
# As long as the sealed ids of an order: a key's name, a nonce, a few bytes and a tag.
_SEALED_BYTES = 46

Values = Sequence[Any] | Mapping[str, Any]
Run = Callable[[str, Values], Any]


class Refused(Exception):
    """A limit, an account or a repeated key; nothing was written."""


@dataclass(frozen=True)
class Payment:
    """A payment: payer, payee and amount; `amount` in minor units, texts as in the audit log."""

    customer_id: int
    label: str
    source_id: int
    source_text: str
    target_id: int
    target_text: str
    payee_id: int  # the customer who is paid
    payer_name: str
    payee_name: str
    amount: int = 1


@dataclass(frozen=True)
class Request:
    """Where a payment came from, as the audit log keeps it."""

    ip: str | None = None
    request_id: str = ""


@dataclass(frozen=True)
class HandSql:
    """A way to the database: `transaction()` yields an object that runs a statement, and commits."""

    statements: dict[str, str]
    transaction: Callable[[], AbstractContextManager[Run]]
    zone: str  # the end of a time in UTC
    daily_limit: int = 10**12
    step_up_amount: int = 10**12

    def pay(self, payment: Payment, *, key: str = "", request: Request | None = None) -> str:
        """Pay, in one transaction; return the order's public id.

        Raises:
            Refused
        """
        say, at = self.statements, datetime.now(UTC)
        now = f"{at:%Y-%m-%d %H:%M:%S.%f}{self.zone}"
        key_digest = key or secrets.token_hex(32)
        request = request or Request()
        with self.transaction() as run:
            row = run(say["limit"], (payment.customer_id,)).fetchone()
            limit_id, own_limit, day, used, since, recent, version = row
            if run(say["key"], (payment.customer_id, key_digest)).fetchone():
                raise Refused("This key was used.")
            payee, typed_name, name_check = run(say["payee"], (payment.customer_id, payment.target_id)).fetchone()
            today, amount = f"{at:%Y-%m-%d}", payment.amount
            used_today = used if str(day) == today else 0
            allowed = self.daily_limit if own_limit is None else own_limit
            if used_today + amount > allowed or since + amount > self.step_up_amount:
                raise Refused("This is more than the limit.")
            charged = {"day": today, "used": used_today + amount, "since": since + amount, "id": limit_id}
            charged |= {"recent": _with_stamp(recent, at.timestamp(), key_digest), "version": version}
            _one(run(say["charge"], charged))
            transaction = time_ordered(at)
            reference = self._post(run, payment, transaction, now)
            public_id = uuid.uuid4()
            by_name = {"typed_name": typed_name, "name_check": name_check}
            order = {"public_id": public_id.hex, "payer": payment.customer_id, "source": payment.source_id}
            order |= {"target": payment.target_id, "amount": amount, "key": key_digest, "inputs": secrets.token_hex(32)}
            order |= {"transaction": transaction, "now": now, "is_first": False}
            order |= {"payer_name": payment.payer_name, "payee_name": payment.payee_name}
            run(say["order"], order | by_name).fetchone()
            run(say["audit"], self._audit(payment, public_id, reference, request, now))
            _one(run(say["paid"], {"now": now, "id": payee} | by_name))
            run(say["outbox"], (uuid.uuid4().hex, f"k1.{os.urandom(_SEALED_BYTES).hex()[:64]}", now, now))
        return str(public_id)

    def post(self, payment: Payment) -> None:
        """Do only the ledger's part, in one transaction: read and write what `transfers.ledger.posting.post` does.

        Raises:
            Refused
        """
        at = datetime.now(UTC)
        with self.transaction() as run:
            self._post(run, payment, time_ordered(at), f"{at:%Y-%m-%d %H:%M:%S.%f}{self.zone}")

    def _post(self, run: Run, payment: Payment, transaction: str, now: str) -> str:
        """Lock both accounts, set their balances, write the transaction and its entries; return its reference.

        Raises:
            Refused
        """
        say, amount, entries = self.statements, payment.amount, []
        for pk, _, status, balance, held, sequence in run(
            say["accounts"], (payment.source_id, payment.target_id)
        ).fetchall():
            after = balance - amount if pk == payment.source_id else balance + amount
            if status != "active" or after < held:
                raise Refused("An account is not active, or has too little.")
            _one(run(say["balance"], (after, sequence + 1, pk, sequence)))
            direction = "debit" if pk == payment.source_id else "credit"
            entries += [transaction, pk, direction, amount, after, sequence + 1, now]
        text = secrets.token_hex(6).upper()
        reference = f"{text[:4]}-{text[4:8]}-{text[8:]}"
        row = {"id": transaction, "amount": amount, "reference": reference, "search": f"{reference.lower()}\n"}
        run(say["transaction"], row | {"customer": payment.customer_id, "now": now})
        run(say["entries"], entries)
        return reference

    def _audit(self, payment: Payment, public_id: uuid.UUID, reference: str, request: Request, now: str) -> list[Any]:
        details = {
            "kind": "payment",
            "amount": f"{payment.amount / 100:.2f}",
            "source": payment.source_text,
            "target": payment.target_text,
            "reference": reference,
        }
        who = [payment.customer_id, payment.label, str(public_id), payment.payee_id]
        return [now, *who, request.ip, request.request_id, json.dumps(details), secrets.token_hex(32)]


def _with_stamp(recent: str, now: float, key_digest: str) -> str:
    """Return the places taken in the customer's minute, and the times of the payments of their hour, with this one."""
    kept = json.loads(recent) if recent else {}
    minute = [stamp for stamp in kept.get("transfer", []) if stamp[0] > now - 60]
    hour = [stamp for stamp in kept.get("payments", []) if stamp > now - 3600]
    kept = {"transfer": [*minute, [now, key_digest[:16]]], "payments": [*hour, now]}
    return json.dumps(kept, separators=(",", ":"))


def _one(cursor: Any) -> None:
    if cursor.rowcount != 1:
        raise Refused("A row has changed in spite of its lock.")


def time_ordered(at: datetime) -> str:
    """Return a UUID version 7, so that rows are inserted at the end, like the bank's."""
    return f"{int(at.timestamp() * 1000):012x}7{secrets.token_hex(2)[1:]}a{secrets.token_hex(8)[1:]}"


# --- The ways ------------------------------------------------------------------------------------------------


def over(url: str, statements: dict[str, str] = STATEMENTS) -> HandSql:
    """Return the driver for the address of the database, with a connection of its own."""
    scheme, _, path = url.partition("://")
    return _over_sqlite("/" + path.lstrip("/"), statements) if scheme == "sqlite" else _over_postgres(url, statements)


def _over_sqlite(path: str, statements: dict[str, str]) -> HandSql:
    """Go through Python's sqlite3, with the bank's pragmas."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    run = connection.execute

    @contextmanager
    def transaction() -> Iterator[Run]:
        run("BEGIN IMMEDIATE")
        try:
            yield run
        except BaseException:
            run("ROLLBACK")
            raise
        run("COMMIT")

    texts = {
        name: re.sub(r"%\((\w+)\)s", r":\1", text).replace("%s", "?").replace("{lock}", "")
        for name, text in statements.items()
    }
    return HandSql(texts, transaction, zone="")


def _over_postgres(url: str, statements: dict[str, str]) -> HandSql:
    """Go through psycopg 3, which prepares what it has run five times."""
    import psycopg

    connection = psycopg.connect(url, autocommit=True)

    @contextmanager
    def transaction() -> Iterator[Run]:
        with connection.transaction():
            yield connection.execute

    return HandSql(locking(statements), transaction, zone="+00:00")


def over_django() -> HandSql:
    """Go through Django's cursor in `atomic()`: the cost of Django's connection by itself."""
    from django.db import connection
    from django.db import transaction as django

    @contextmanager
    def transaction() -> Iterator[Run]:
        with django.atomic(), connection.cursor() as cursor:

            def run(statement: str, values: Values) -> Any:
                cursor.execute(statement, values)
                return cursor

            yield run

    if connection.vendor == "sqlite":
        return HandSql(locking(STATEMENTS, ""), transaction, zone="")
    return HandSql(locking(STATEMENTS), transaction, zone="+00:00")


def locking(statements: dict[str, str], lock: str = " FOR UPDATE") -> dict[str, str]:
    return {name: text.replace("{lock}", lock) for name, text in statements.items()}


def printed() -> str:
    """Return what runs between BEGIN and COMMIT, in order, in PostgreSQL's words; each balance is set by the same
    statement."""
    return ";\n".join(locking(STATEMENTS).values()) + ";\n"
