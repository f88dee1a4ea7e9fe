"""Statements that the ORM compiled once do what the ORM itself would do, and fail loudly where they could not."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import models, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import BankAccount
from tests.tables import in_one_world
from transfers.identifiers import new_reference, uuid7
from transfers.models import Entry, Transaction
from transfers.prepared import PreparedInsert, PreparedSelect, PreparedUpdate, _Statement

FIELDS = ["id", "kind", "amount", "description", "reference", "initiated_by", "reverses", "created_at"]
COLUMNS = ("pk", "kind", "status", "balance", "held", "last_sequence")


def select(ids: list[int]) -> models.QuerySet:
    rows = BankAccount.objects.filter(pk__in=ids).order_by("pk")
    return rows.select_for_update().values_list(*COLUMNS)


@pytest.fixture
def accounts(everyday: BankAccount, savings: BankAccount, bobs: BankAccount) -> list[BankAccount]:
    return [everyday, savings, bobs]


def test_a_select_reads_what_the_orm_reads_in_columns_of_minor_units(accounts: list[BankAccount]) -> None:
    prepared = PreparedSelect(select)
    for count in (1, 2, 3, 2):
        ids = [account.pk for account in accounts[:count]]
        rows = [
            (pk, kind, status, int(balance * 100), int(held * 100), sequence)
            for pk, kind, status, balance, held, sequence in select(ids)
        ]
        assert [tuple(row) for row in prepared.rows(ids)] == rows
        assert len(rows) == count


def test_a_select_binds_other_values_the_second_time(accounts: list[BankAccount]) -> None:
    prepared = PreparedSelect(select)
    assert [prepared.rows([account.pk])[0][0] for account in accounts] == [account.pk for account in accounts]


def test_a_select_runs_the_orms_own_text(accounts: list[BankAccount]) -> None:
    from django.db import connection

    ids = [account.pk for account in accounts]
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        PreparedSelect(select).rows(ids)
        list(select(ids))
    ours, theirs = [query["sql"] for query in captured.captured_queries if query["sql"].startswith("SELECT")]
    assert ours == theirs


def test_a_select_is_compiled_once_for_each_number_of_values(accounts: list[BankAccount]) -> None:
    built: list[int] = []

    def counted(ids: list[int]) -> models.QuerySet:
        built.append(len(ids))
        return select(ids)

    prepared = PreparedSelect(counted)
    for count in (1, 1, 2, 1, 2):
        prepared.rows([account.pk for account in accounts[:count]])
    assert built == [1, 2]


def test_an_update_changes_the_rows_that_match_and_says_how_many(accounts: list[BankAccount]) -> None:
    prepared = PreparedUpdate(
        BankAccount, set_fields=["balance", "last_sequence"], where_fields=["pk", "last_sequence"]
    )
    first, second, _ = accounts
    assert prepared.execute([12_345, 9, first.pk, first.last_sequence]) == 1
    assert prepared.execute([99_999, 9, second.pk, second.last_sequence + 1]) == 0
    for account in accounts:
        account.refresh_from_db()
    assert [(account.balance, account.last_sequence) for account in accounts] == [
        (Decimal("123.45"), 9),
        (Decimal(0), 0),
        (Decimal(0), 0),
    ]


def transaction_row(user: Any, **values: Any) -> tuple:
    now = timezone.now()
    row = {
        "id": uuid7(now),
        "kind": "fee",
        "amount": Decimal("1.23"),
        "description": "Übung – 100 % 'of' \"it\"; -- %s",
        "reference": new_reference(),
        "initiated_by": user.pk,
        "reverses": None,
        "created_at": now,
    } | values
    return tuple(row[name] for name in FIELDS)


@in_one_world("count", [1, 2, 5])
def test_an_insert_writes_what_the_orm_would_write(alice: Any, count: int) -> None:
    prepared = PreparedInsert(Transaction, FIELDS)
    for _ in range(2):  # compiled, then bound anew
        rows = [transaction_row(alice) for _ in range(count)]
        prepared.execute(rows)
        ours = {row[0]: row for row in Transaction.objects.filter(pk__in=[row[0] for row in rows]).values_list(*FIELDS)}
        assert [ours[row[0]] for row in rows] == rows

        attributes = [Transaction._meta.get_field(name).attname for name in FIELDS]  # type: ignore[union-attr]
        again = [transaction_row(alice, amount=row[2], description=row[3]) for row in rows]
        copies = [Transaction(**dict(zip(attributes, row, strict=True))) for row in again]
        Transaction.objects.bulk_create(copies)
        theirs = Transaction.objects.filter(pk__in=[copy.pk for copy in copies])
        assert sorted(theirs.values_list("amount", "description")) == sorted((row[2], row[3]) for row in rows)


def test_an_insert_of_a_row_too_short_is_refused(alice: Any) -> None:
    prepared = PreparedInsert(Transaction, FIELDS)
    prepared.execute([transaction_row(alice)])
    with pytest.raises(ValueError, match="shorter"):
        prepared.execute([transaction_row(alice)[:-1]])


def test_an_insert_of_a_float_is_refused(alice: Any) -> None:
    """R3.2: also where no field's clean() looks."""
    prepared = PreparedInsert(Transaction, FIELDS)
    for _ in range(2):
        with pytest.raises(TypeError):
            prepared.execute([transaction_row(alice, amount=1.23)])
    assert not Transaction.objects.filter(kind="fee").exists()


# --- Binding ------------------------------------------------------------------------------------------------


def test_a_value_that_got_lost_in_compiling_is_noticed() -> None:
    with pytest.raises(AssertionError, match="lost"):
        _Statement("SELECT 1", [7], slots=[8])


def test_a_value_that_stands_twice_is_noticed() -> None:
    with pytest.raises(AssertionError, match="lost"):
        _Statement("SELECT %s, %s", [8, 8], slots=[8])


def test_values_go_where_their_stand_ins_stood_and_constants_stay() -> None:
    assert _Statement("…", ["open", 9, 8], slots=[8, 9]).bind([1, 2]) == ["open", 2, 1]


def test_a_query_that_drops_a_value_is_refused(accounts: list[BankAccount]) -> None:
    prepared = PreparedSelect(lambda ids: BankAccount.objects.filter(pk=ids[0]).values_list("pk"))
    assert prepared.rows([accounts[0].pk]) == [(accounts[0].pk,)]
    with pytest.raises(AssertionError, match="lost"):
        prepared.rows([accounts[0].pk, accounts[1].pk])


def test_rows_that_do_not_go_into_one_statement_are_refused(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.models.sql import compiler

    as_sql = compiler.SQLInsertCompiler.as_sql

    monkeypatch.setattr(compiler.SQLInsertCompiler, "as_sql", lambda self: as_sql(self) * 2)
    with pytest.raises(AssertionError, match="one statement"):
        PreparedInsert(Transaction, FIELDS).execute([transaction_row(alice)])


def test_an_unknown_layout_of_parameters_is_refused(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.models.sql import compiler

    monkeypatch.setattr(compiler.SQLInsertCompiler, "as_sql", lambda self: [("INSERT …", [1, 2, 3])])
    with pytest.raises(AssertionError, match="layout"):
        PreparedInsert(Transaction, FIELDS).execute([transaction_row(alice)])


def test_parameters_by_column_are_bound_by_column(
    alice: Any, everyday: BankAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL may take one array for each column; elsewhere that layout is pretended."""
    from django.db import connections
    from django.db.models.sql import compiler

    sent: list[Any] = []

    class Cursor:
        def __enter__(self) -> "Cursor":
            return self

        def __exit__(self, *args: Any) -> None:
            pass

        def execute(self, text: str, params: list[Any]) -> None:
            sent.append((text, params))

    with monkeypatch.context() as pretend:
        pretend.setattr(compiler.SQLInsertCompiler, "as_sql", lambda self: [("UNNEST", [["?", "?"], ["?", "?"]])])
        pretend.setattr(connections["default"], "cursor", Cursor)
        PreparedInsert(Entry, ["amount", "sequence"]).execute([(Decimal("0.01"), 1), (Decimal("0.02"), 2)])
    assert sent == [("UNNEST", [[1, 2], [1, 2]])]
