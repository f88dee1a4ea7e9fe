"""A statement that is handed straight to the driver keeps what Django promises of its cursors."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, DatabaseError, IntegrityError, connection, connections, transaction
from django.db.models import F
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from foundation import drivers
from foundation.compiled import Select, Update
from foundation.transactions import own_transaction

User: Any = apps.get_model("accounts.User")

_by_email: Select = Select(lambda email: User.objects.filter(email=email), User._meta.get_field("email"))
_rename = Update(
    lambda pk, name: (User.objects.filter(pk=pk), {"first_name": name}),
    User._meta.pk,
    User._meta.get_field("first_name"),
)


def statements(alice: Any) -> list[Callable[[], Any]]:
    return [lambda: _by_email.rows(alice.email), lambda: _rename.execute(alice.pk, "Alicia")]


def test_a_broken_transaction_takes_no_more_statements(alice: Any) -> None:
    for run in statements(alice):
        with transaction.atomic():
            transaction.set_rollback(True)
            with pytest.raises(TransactionManagementError):
                run()


def test_errors_of_the_driver_are_those_of_django(alice: Any, bob: Any) -> None:
    take = Update(
        lambda pk, email: (User.objects.filter(pk=pk), {"email": email}),
        User._meta.pk,
        User._meta.get_field("email"),
    )
    for _ in range(2):  # prepared statements still work after an error
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            take.execute(alice.pk, bob.email)
        assert type(caught.value.__cause__).__module__.startswith(("sqlite3", "psycopg", "mssql_python", "pyodbc"))
    assert take.execute(alice.pk, "alicia@example.com") == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="The others prepare again by themselves.")
def test_a_migration_that_alters_a_column_fails_no_statement_that_was_prepared_before(alice: Any) -> None:
    """R9.3. PostgreSQL refuses what it has prepared for another type, for as long as the connection lives."""
    email = alice.email

    @own_transaction
    def read_and_rename() -> int:
        assert _by_email.rows(email)
        return _rename.execute(alice.pk, "Alicia")

    assert _by_email.rows(email)
    with altered_by_another("first_name"):
        assert _by_email.rows(email), "outside a transaction"
        with altered_by_another("last_name"):
            assert read_and_rename() == 1, "within one, which is run again"
    assert _by_email.rows(email)


@contextmanager
def altered_by_another(name: str) -> Iterator[None]:
    """Make a column of people longer meanwhile, over another connection, and restore it."""

    def alter(length: int) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER TABLE accounts_user ALTER COLUMN {name} TYPE varchar({length})")
        finally:
            connection.close()

    length = User._meta.get_field(name).max_length
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(alter, length + 50).result()
        try:
            yield
        finally:
            elsewhere.submit(alter, length).result()


def test_errors_of_a_query_are_those_of_django(alice: Any) -> None:
    wrong = drivers.DriverText("SELECT 1 FROM no_such_table WHERE 1 = %s", connection)
    with pytest.raises(DatabaseError, match="no_such_table"), transaction.atomic():
        wrong.rows(connection, [1])
    assert _by_email.rows(alice.email)


def test_an_observer_sees_each_statement_once(alice: Any) -> None:
    seen: list[str] = []

    def look(execute: Any, sql: str, *rest: Any) -> Any:
        seen.append(sql)
        return execute(sql, *rest)

    for run in statements(alice):
        run()
        with connection.execute_wrapper(look), CaptureQueriesContext(connection) as captured:
            run()
        assert len(captured) == 1
    assert [sql.split()[0] for sql in seen] == ["SELECT", "UPDATE"]
    assert all("%s" in sql for sql in seen)


@pytest.mark.django_db(transaction=True)
def test_another_threads_connection_is_refused(alice: Any) -> None:
    caught: list[Exception] = []
    mine, database = drivers.DriverText("SELECT 1", connection), connections[DEFAULT_DB_ALIAS]

    def elsewhere() -> None:
        try:
            mine.rows(database, [])
        except DatabaseError as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "can only be used in that same thread" in str(caught)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_closed_is_made_again(alice: Any) -> None:
    for _ in range(2):
        for run in statements(alice):
            run()
            connection.close()
            run()
    alice.refresh_from_db()
    assert alice.first_name == "Alicia"


@pytest.mark.django_db
def test_a_percent_sign_that_stands_in_the_text_stays_one() -> None:
    """Here the ORM writes one itself."""
    text, params = (
        User.objects.annotate(odd=F("pk") % 2).filter(email="50%s").values_list("odd").query.sql_with_params()
    )
    assert "%%" in text
    assert drivers.DriverText(text, connection).rows(connection, params) == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the others keep what they prepare in the driver")
@pytest.mark.django_db
def test_postgresql_prepares_a_text_once_whatever_the_size_of_its_numbers() -> None:
    by_key: Select = Select(lambda pk: User.objects.filter(pk=pk).values_list("pk", "last_name"), User._meta.pk)
    for pk in (1, 40_000, 3_000_000_000):
        by_key.rows(pk)
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE statement ~ 'last_name'")
        assert cursor.fetchall() == [(3,)]
