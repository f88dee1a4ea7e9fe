"""A bank with millions of movements, each with its order and its audit entry, written by hand into a SQLite file.

As a bank has them: nine tenths are payments among customers, of which every twentieth goes to one shop; the rest is
cash paid in, at eight desks. A customer's account has about a hundred entries. Everything that `verify_ledger` reads
adds up.
"""
# ruff: noqa: S608 - the statements are put together from texts of this file
# ruff: noqa: S311 - nothing here is secret

import random
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

ENTRIES_OF_AN_ACCOUNT = 100
BATCH = 20_000
RICH = 10**9  # cents that each customer pays in first, so that nobody runs out of money

_REFERENCE = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # an alphabet # pragma: allowlist secret
_TABLES = {
    "transfers_transaction": "id, kind, amount, description, reference, search_text, initiated_by_id, reverses_id, "
    "created_at",
    "transfers_entry": "transaction_id, account_id, direction, amount, balance_after, sequence, posted_at",
    "transfers_transferorder": "public_id, kind, initiator_id, source_id, target_id, amount, description, key_digest, "
    "inputs_digest, state, transaction_id, created_at, hold_reason, decision_reason, payer_name, payee_name, "
    "payee_name_typed, name_check, is_first_payment",
    "audit_auditentry": "at, action, actor_id, actor_label, subject_type, subject_id, request_id, details, "
    "evidence_digest",
}
Rows = dict[str, list[tuple]]


def write(entries: int, now: datetime) -> int:
    """Fill the bank that `scratch_bank.set_up` made, on SQLite; return how many entries there are.

    The indexes are made when all is written: one by one into an index costs several times as much.
    """
    from django.db import connection, transaction

    owner = _customer()
    accounts = _accounts(owner, max(2, entries // ENTRIES_OF_AN_ACCOUNT))
    written = 0
    with connection.cursor() as cursor:
        # The file is thrown away if anything goes wrong.
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
            cursor.execute(f"PRAGMA {pragma}")
        indexes = _drop_indexes(cursor)
        with transaction.atomic():
            for rows in _batches(entries // 2, owner, accounts, now):
                for table, columns in _TABLES.items():
                    marks = ", ".join(["%s"] * (columns.count(",") + 1))
                    cursor.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows[table])
                written += len(rows["transfers_entry"])
            cursor.executemany(
                "UPDATE accounts_bankaccount SET balance = %s, last_sequence = %s WHERE id = %s",
                [(balance, sequence, pk) for pk, (balance, sequence) in accounts.items()],
            )
        for statement in indexes:
            cursor.execute(statement)
    connection.close()
    return written


def _drop_indexes(cursor: Any) -> list[str]:
    """Drop them; return the statements that make them again. Indexes of UNIQUE constraints belong to the tables and
    stay."""
    marks = ", ".join(["%s"] * len(_TABLES))
    cursor.execute(
        f"SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})",
        list(_TABLES),
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [statement for _, statement in found]


def _customer() -> Any:
    from accounts.people.registration import create_user
    from accounts.roles import Role

    return create_user(email="alice@example.com", password_hash="!", role=Role.CUSTOMER, first_name="Alice")  # noqa: S106


def _accounts(owner: Any, count: int) -> dict[int, list[int]]:
    """Yield the balance and the last sequence, both zero, of the bank's desks and of `count` accounts of customers."""
    from accounts import account_numbers
    from accounts.models import AccountKind, BankAccount
    from foundation.keys.encryption import lookup_digest

    numbers: set[str] = set()
    while len(numbers) < count:
        numbers.add(account_numbers.new_number())
    BankAccount.objects.bulk_create(
        (
            BankAccount(owner=owner, kind=AccountKind.CHECKING, number=number, number_digest=lookup_digest(number))
            for number in numbers
        ),
        batch_size=500,
    )
    ids = BankAccount.objects.filter(kind__in=[AccountKind.CASH, AccountKind.CHECKING]).values_list("pk", flat=True)
    return {pk: [0, 0] for pk in ids}


def _batches(movements: int, owner: Any, accounts: dict[int, list[int]], now: datetime) -> Iterator[Rows]:
    from accounts.models import AccountKind, BankAccount

    chance = random.Random(4711)
    desks = list(BankAccount.objects.filter(kind=AccountKind.CASH).values_list("pk", flat=True))
    customers = [pk for pk in accounts if pk not in desks]
    shop, step = customers[0], timedelta(days=365) / movements
    rows: Rows = {table: [] for table in _TABLES}
    for number in range(movements):
        if number < len(customers):
            sides, amount = (desks[number % len(desks)], customers[number]), RICH
        elif chance.random() < 0.1:
            sides, amount = (chance.choice(desks), chance.choice(customers)), chance.randrange(1, 100_000)
        else:
            source = chance.choice(customers[1:])
            target = shop if chance.random() < 0.05 else chance.choice(customers)
            sides = (source, target if target != source else shop)
            amount = chance.randrange(1, 10_000)
        _add(rows, number, owner, sides, amount, now - step * (movements - number), accounts, sides[0] in desks)
        if number % BATCH == BATCH - 1:
            yield rows
            rows = {table: [] for table in _TABLES}
    yield rows


def _add(
    rows: Rows, number: int, owner: Any, sides: tuple[int, int], amount: int, at: datetime,
    accounts: dict[int, list[int]], is_deposit: bool,
) -> None:  # fmt: skip
    from foundation.idempotency import uuid7
    from transfers.ledger.posting import PostedEntry, Posting

    source, target = accounts[sides[0]], accounts[sides[1]]
    source[0] += amount if is_deposit else -amount
    source[1] += 1
    target[0] += amount
    target[1] += 1
    posted = [
        PostedEntry(sides[0], "debit", amount, *source),
        PostedEntry(sides[1], "credit", amount, *target),
    ]
    kind = "deposit" if is_deposit else "transfer"
    posting = Posting(
        uuid7(at), kind, _reference(number), amount, "" if is_deposit else "Rent and heating", owner.pk, None, at,
        tuple(posted),
    )  # fmt: skip
    pk, when, public_id = posting.transaction_id.hex, f"{at:%Y-%m-%d %H:%M:%S.%f}", uuid.uuid4()
    rows["transfers_transaction"].append(
        (pk, kind, amount, posting.description, posting.reference, posting.search_text, owner.pk, None, when)
    )
    rows["transfers_entry"] += [
        (pk, one.account_id, one.direction, amount, one.balance_after, one.sequence, when) for one in posted
    ]
    key, name = f"{number:064x}", owner.get_full_name()
    rows["transfers_transferorder"].append(
        (public_id.hex, "deposit" if is_deposit else "payment", owner.pk, *sides, amount, posting.description, key, key,
         "posted", pk, when, "", "", "" if is_deposit else name, name, "", "not_needed", False)
    )  # fmt: skip
    rows["audit_auditentry"].append(
        (when, "TRANSFER_CREATED", owner.pk, owner.email, "transferorder", str(public_id), "", "{}", posting.digest)
    )


def _reference(number: int) -> str:
    """Return references in ascending order: random ones would be looked for all over the index while writing."""
    text = ""
    for _ in range(12):
        number, digit = divmod(number, 32)
        text = _REFERENCE[digit] + text
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"
