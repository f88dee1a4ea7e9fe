"""The statements by which money moves, and other special ones, as SQL Server gets them (R9.4).

`compiled` checks that every statement is sound T-SQL; here the statements themselves are read. Tests with a server show
that they run, and lock.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import models

from accounts.models import BankAccount, User
from audit import sealing
from audit.models import AuditBlock, AuditBlockEntry
from foundation.compiled import _SCALAR as ONE
from foundation.keys.columns import sealed_tables, under_old_keys
from tests.mssql.pretended import VERSIONS, pretended
from transfers.history import pictures
from transfers.history import rows as history
from transfers.history import search as filtered
from transfers.history.filters import HistoryFilters
from transfers.ledger import posting as ledger
from transfers.models import CustomerLimit, Entry, Transaction, TransferOrder
from transfers.orders import limits

AT = datetime(2026, 11, 17, 9, tzinfo=UTC)


@pytest.fixture(params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[Any]:
    """The default connection is one to a SQL Server that is not there, as inside a transaction."""
    with pretended(request.param) as connection:
        connection.get_autocommit = lambda: False
        yield connection


def sql_of(queryset: models.QuerySet) -> str:
    return queryset.query.get_compiler(using="default").as_sql()[0]


# --- The hot path -------------------------------------------------------------------------------------------


def test_the_ledger_locks_its_rows_in_order(server: Any) -> None:
    """R3.4."""
    statement = ledger._lock_accounts._compile((2,))
    assert "FROM [accounts_bankaccount] WITH (ROWLOCK, UPDLOCK)" in statement.text
    assert statement.text.startswith("SELECT [accounts_bankaccount].[id] AS [pk],")
    assert "ORDER BY 1 ASC" in statement.text
    assert statement.bind([4, 9], server) == [4, 9]
    assert statement.text.count("%s") == 2


def test_the_balance_is_set_on_the_sequence_that_was_read(server: Any) -> None:
    """R3.4."""
    statement = ledger._set_balance._compile((ONE, ONE, ONE, ONE))
    text = "UPDATE [accounts_bankaccount] SET [balance] = %s, [last_sequence] = %s WHERE "
    assert text in statement.text
    # The ORM decides which condition comes first; each gets its own value.
    conditions = re.findall(r"\[(\w+)\] = %s", statement.text.partition("WHERE")[2])
    bound = dict(zip(["balance", "sequence", *conditions], statement.bind([4, 7, 50, 8], server), strict=True))
    assert bound == {"balance": 50, "sequence": 8, "id": 4, "last_sequence": 7}


def test_the_inserts_of_the_ledger_need_no_keys_back(server: Any) -> None:
    """A trigger on the table would also forbid OUTPUT."""
    from uuid import UUID

    at = datetime(2026, 11, 17, tzinfo=UTC)
    head = (UUID(int=1), "fee", Decimal(1), "", "REF", "ref", 1, None, at)
    statement = ledger._insert_transaction._statement([head], server)
    assert re.match(r"(SET NOCOUNT ON )?INSERT INTO \[transfers_transaction\] \(\[id\], \[kind\],", statement.text)
    assert "OUTPUT" not in statement.text
    assert statement.text.count("%s") == 8  # one is NULL, and left out
    assert not statement.is_by_column

    rows = [(UUID(int=1), account, "debit", Decimal(1), Decimal(1), 1, at) for account in (1, 2)]
    statement = ledger._insert_entries._statement(rows, server)
    assert "[transfers_entry]" in statement.text
    assert "OUTPUT" not in statement.text
    assert statement.text.count("%s") == 14
    assert not statement.is_by_column


# --- Other queries ------------------------------------------------------------------------------------------


def test_the_customers_row_is_locked_before_it_is_charged(server: Any) -> None:
    """R3.4, R3.9: by the statement that the bank itself runs."""
    assert "FROM [transfers_customerlimit] WITH (ROWLOCK, UPDLOCK)" in limits._locked._compile((ONE,)).text


def test_totals_are_added_up_over_a_bounded_set_of_whole_numbers(server: Any) -> None:
    """R3.7: fractional parameters of a grouped query would be rounded; ours are minor units."""
    filters = HistoryFilters(
        min_amount=Decimal("0.50"), text="50%_[a]", named_accounts=(3, 5), date_from=date(2026, 3, 1)
    )
    matching = filtered._matching(User(pk=7), filters).order_by(*(f"-{name}" for name in filtered._by(filters)))[:100]
    text, values = matching.query.get_compiler(using="default").as_sql()
    assert re.match(r"SELECT TOP \(?100\)?", text) or "OFFSET 0 ROWS FETCH" in text
    assert {50, datetime(2026, 3, 1, tzinfo=UTC)} <= {value for value in values if not isinstance(value, str)}
    assert "AT TIME ZONE" not in text


def test_a_page_of_history_is_a_range_not_an_offset(server: Any) -> None:
    """R3.7."""
    text = sql_of(history.entries_with_transactions().filter(account=1, sequence__lt=9).order_by("-sequence")[:25])
    assert re.match(r"SELECT TOP \(?25\)?", text) or "OFFSET 0 ROWS FETCH" in text
    assert "[transfers_entry].[sequence] < %s" in text
    assert "ORDER BY [transfers_entry].[sequence] DESC" in text


@pytest.mark.parametrize(
    "accounts", [pictures._with_weeks(pictures._moments(AT)), pictures._with_months(pictures._month_bounds(AT))]
)
def test_the_sums_of_pictures_are_whole_numbers_without_grouping_or_zones(server: Any, accounts: Any) -> None:
    """R2.4, R10.5: half-open ranges of moments made in Python, and far fewer parameters than 2,100."""
    rows = pictures._own(accounts, User(pk=7), None).select_related("owner__limit")
    text, values = rows.query.get_compiler(using="default").as_sql()
    assert text.count("SUM(") == text.count("[posted_at] >= %s") >= 12
    assert "GROUP BY" not in text
    assert "AT TIME ZONE" not in text
    assert not [value for value in values if isinstance(value, Decimal | float)]
    assert text.count("%s") == len(values) < 200


@pytest.mark.parametrize(
    "model", [BankAccount, Transaction, Entry, TransferOrder, CustomerLimit, AuditBlock, AuditBlockEntry]
)
def test_every_model_can_be_read(server: Any, model: Any) -> None:
    assert sql_of(model.objects.filter(pk__in=[model().pk or 1]).order_by("pk")).startswith("SELECT [")


def test_what_waits_to_be_sealed_is_looked_for_from_an_id_on(server: Any) -> None:
    """R6.3: the two keys are walked side by side; nothing is counted or sorted."""
    text = sql_of(sealing._unsealed_above(7).order_by("pk")[: sealing.BLOCK_SIZE])
    assert re.search(r"\[audit_auditentry\]\.\[id\] > %s", text)
    assert re.search(r"NOT \(?EXISTS\(SELECT .* FROM \[audit_auditblockentry\] U0 WHERE", text)
    assert text.startswith("SELECT TOP 1000 ")
    assert "U0.[entry_id] = ([audit_auditentry].[id])" in text
    assert text.count("ORDER BY") == 1


def test_rotating_keys_compares_texts_and_nothing_else(server: Any) -> None:
    """R8.1: by the id that each value begins with, by primary key, and as it was read."""
    table = next(table for table in sealed_tables() if table.model is BankAccount)
    text = sql_of(under_old_keys(table).filter(pk__gt=7).order_by("pk")[:500])
    assert text.startswith("SELECT TOP 500 ")
    assert "[number_digest] IS NOT NULL AND NOT ([accounts_bankaccount].[number_digest] LIKE " in text
    assert "[accounts_bankaccount].[id] > %s" in text


def test_the_user_of_an_api_session_is_asked_for_by_two_ids(server: Any) -> None:
    # R7.1: compiled once, then run with other ids, on this engine too.
    from uuid import uuid4

    from accounts.programs import session_user

    statement = session_user._users._compile((ONE, ONE))
    user, session = uuid4(), uuid4()
    bound = [str(value).replace("-", "") for value in statement.bind([user, session], server)]
    assert {user.hex, session.hex, "api"} <= set(bound)
    made = statement._instances
    assert made is not None
    assert {"public_id", "must_change_password", "email", "locked_at"} <= set(made._names)
    assert {"_session_pk", "_session_last_seen_at", "_group", "_permissions"} <= set(made._annotations)
    names = "STRING_AGG(CAST(U3.[app_label] + '.' + U0.[codename] AS nvarchar(max)), ' ')"
    assert names in statement.text
    assert "GROUP BY" not in statement.text
