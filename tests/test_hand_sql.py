"""The measure of the benchmarks is honest: hand-written SQL writes every row and column that the service writes."""

import importlib.util
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.models import BankAccount
from bankproject import databases
from tests import acts
from transfers.models import TransferOrder
from transfers.orders import sending

pytestmark = pytest.mark.skipif(connection.vendor == "microsoft", reason="It is written for SQLite and PostgreSQL.")

Rows = dict[tuple[str, Any], dict[str, Any]]
# Columns that are compared by length only: texts with a time or an id in them, which differ by some digits.
NEARLY = 8


def _program(repository: Path, name: str) -> Iterator[Any]:
    """Return a module of the benchmarks, which are not a package."""
    spec = importlib.util.spec_from_file_location(name, repository / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


@pytest.fixture
def hand_sql(repository: Path) -> Iterator[Any]:
    yield from _program(repository, "hand_sql")


@pytest.fixture
def movements(repository: Path) -> Iterator[Any]:
    yield from _program(repository, "movements")


@pytest.fixture
def sides(alice: Any, bob: Any, open_account: Callable) -> tuple[BankAccount, BankAccount]:
    """Alice's account and Bob's, whom she has paid before."""
    source, target = open_account(alice, "100.00"), open_account(bob)
    acts.know(alice, target)
    _by_service(source, target)
    return source, target


def _by_service(source: BankAccount, target: BankAccount) -> TransferOrder:
    amount, key = Decimal("0.01"), uuid.uuid4().hex
    assert source.owner is not None
    return sending.transfer(actor=source.owner, source=source, target=target, amount=amount, idempotency_key=key)


def _payment(hand_sql: Any, source: BankAccount, target: BankAccount) -> Any:
    return hand_sql.Payment(
        customer_id=source.owner_id,
        label=str(source.owner),
        source_id=source.pk,
        source_text=str(source),
        target_id=target.pk,
        target_text=str(target),
        payee_id=target.owner_id,
        payer_name=source.owner.get_full_name() if source.owner else "",
        payee_name=target.owner.get_full_name() if target.owner else "",
    )


def _all_rows() -> Rows:
    """Return every row of the database, by table and key."""
    rows: Rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            names = [column[0] for column in cursor.description]
            for values in cursor.fetchall():
                row = dict(zip(names, values, strict=True))
                rows[table, row.get("id", values)] = row
    return rows


def _written_by(act: Callable[[], object]) -> Counter[tuple[str, str, frozenset]]:
    """Return what an act writes: for each row its table, whether it is new, and the columns that are filled or
    changed."""
    before = _all_rows()
    act()
    written: Counter[tuple[str, str, frozenset]] = Counter()
    for (table, key), row in _all_rows().items():
        old = before.get((table, key))
        if old is None:
            filled = frozenset((name, _size(value)) for name, value in row.items() if value not in (None, ""))
            written[table, "new", filled] += 1
        elif old != row:
            written[table, "changed", frozenset((name, 0) for name in row if row[name] != old[name])] += 1
    return written


def _size(value: object) -> int:
    return round(len(value) / NEARLY) if isinstance(value, str) else 0


def test_by_hand_the_same_rows_and_columns_are_written_as_by_the_service(
    hand_sql: Any, sides: tuple[BankAccount, BankAccount]
) -> None:
    by_service = _written_by(lambda: _by_service(*sides))
    way, payment = hand_sql.over_django(), _payment(hand_sql, *sides)
    assert _written_by(lambda: way.pay(payment)) == by_service
    tables = {table for table, _, _ in by_service}
    assert len(tables) == 8, tables
    assert sum(by_service.values()) == 10


def test_by_hand_a_repeated_key_and_money_that_is_not_there_are_refused_too(
    hand_sql: Any, sides: tuple[BankAccount, BankAccount]
) -> None:
    """It reads everything that it would be wrong without."""
    way, payment, key = hand_sql.over_django(), _payment(hand_sql, *sides), "0" * 64
    way.pay(payment, key=key)
    with pytest.raises(hand_sql.Refused):
        way.pay(payment, key=key)
    too_much = hand_sql.Payment(**vars(payment) | {"amount": 10_000_000})
    with pytest.raises(hand_sql.Refused):
        way.pay(too_much)
    assert TransferOrder.objects.filter(kind="payment").count() == 2


def test_by_hand_the_database_is_opened_as_the_bank_opens_it(hand_sql: Any) -> None:
    """The same journal, and the same waiting for the disk."""
    bank: Any = databases._SQLITE
    assert bank["transaction_mode"] == "IMMEDIATE"
    told = {pragma for pragma in hand_sql.PRAGMAS if f"PRAGMA {pragma};" in bank["init_command"]}
    assert set(hand_sql.PRAGMAS) - told == {"foreign_keys=ON"}  # which Django turns on by itself
    assert bank["init_command"].count("PRAGMA") == len(told)


def test_the_ledger_that_is_verified_fills_every_column_that_must_be_filled(movements: Any, db: Any) -> None:
    """`make bench` writes millions of rows by hand: a new column would stop it at the next measurement."""
    with connection.cursor() as cursor:
        for table, columns in movements._TABLES.items():
            described = connection.introspection.get_table_description(cursor, table)
            must = {row.name for row in described if not row.null_ok and row.default is None} - {"id"}
            named = {name.strip() for name in columns.split(",")}
            assert not must - named, table
