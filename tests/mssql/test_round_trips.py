"""Round trips of the drivers of SQL Server, counted on the wire: one for each compiled statement.

Either driver prepares with each statement, and its ODBC driver forgets what one cursor prepared before in the same
round trip. A cursor that is closed costs one more, and so does a value that is NULL: the driver asks what it is.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from foundation import drivers
from foundation.compiled import Insert, Select, Update
from tests import acts
from tests.mssql.pretended import as_default
from tests.mssql.wire import Wire, wire
from transfers.ledger import posting as ledger

AT = datetime(2026, 11, 30, 14, 5, tzinfo=UTC)

# What Django and its backend add to a transaction. The backend asks how many are open, since COMMIT begins the next one
# at once; the last one ends that.
ENDS = {
    "mssql_python": ["COMMIT", "batch", "COMMIT"],
    "pyodbc": ["COMMIT", "batch", "COMMIT", "ROLLBACK"],
}


def odbc_driver() -> Path:
    home = Path(find_spec("mssql_python_odbc").submodule_search_locations[0])  # type: ignore[union-attr, index]
    return next(home.glob("libs/linux/debian_ubuntu/*/lib/libmsodbcsql-*.so*"))


@pytest.fixture
def server() -> Iterator[Wire]:
    with wire() as server:
        yield server


@pytest.fixture(params=["mssql_python", "pyodbc"])
def driver(request: pytest.FixtureRequest, server: Wire) -> Iterator[str]:
    """Make the default connection the backend's own, over this driver, to the server that does nothing."""
    from mssql.base import DatabaseWrapper

    class Connection(DatabaseWrapper):
        sql_server_version = 2022
        to_azure_sql_db = False

        def ensure_connection(self) -> None:
            """Connect in tests without a database too: this is not a database."""
            if self.connection is None:
                self.connect()

    options = {
        "python_driver": request.param,
        "extra_params": "Encrypt=no;TrustServerCertificate=yes",
        "connection_timeout": 10,
    }
    if request.param == "pyodbc":
        options |= {"driver": str(odbc_driver()), "host_is_server": True}
    settings = {
        **connections[DEFAULT_DB_ALIAS].settings_dict,
        **{"ENGINE": "mssql", "HOST": f"127.0.0.1,{server.port}", "PORT": "", "NAME": "bank", "OPTIONS": options},
        **{"USER": "bank", "PASSWORD": "secret"},  # pragma: allowlist secret
    }
    to_server = Connection(settings, DEFAULT_DB_ALIAS)
    with as_default(to_server):
        to_server.ensure_connection()
        server.asked.clear()
        yield request.param
        to_server.close()


Call = Callable[[], Any]
COMPILED = [
    *((Select, name) for name in ("rows", "tuples", "instances")),
    (Update, "execute"),
    *((Insert, name) for name in ("execute", "save")),
]


@pytest.fixture
def payment(alice: Any, bob: Any, open_account: Any) -> list[Call]:
    """Return the statements of a payment to a known payee, to run them again: the service runs them on the tests' own
    database, before `driver` replaces it. All of them are compiled."""
    source, target = open_account(alice, "100.00"), open_account(bob)
    calls: list[Call] = []

    def noted(original: Any) -> Any:
        def method(self: Any, *values: Any) -> Any:
            calls.append(partial(original, self, *values))
            return original(self, *values)

        return method

    def pay(key: str) -> None:
        acts.transfer(actor=alice, source=source, target=target, amount=Decimal("1.23"), idempotency_key=key)

    pay("the first payment")
    with pytest.MonkeyPatch.context() as patch, CaptureQueriesContext(connection) as captured:
        for kind, name in COMPILED:
            patch.setattr(kind, name, noted(getattr(kind, name)))
        pay("the second payment")
    texts = [query["sql"] for query in captured.captured_queries]
    assert len(calls) == sum(text.startswith(("SELECT", "UPDATE", "INSERT", "DELETE")) for text in texts)
    return calls


def run(calls: list[Call]) -> None:
    with transaction.atomic():
        for call in calls:
            call()


def _movement(description: str, actor: int = 1) -> tuple[Any, ...]:
    return (
        UUID(int=1),
        "payment",
        Decimal("1.23"),
        description,
        "K7QP-9XDM-2FRT",
        description.lower(),
        actor,
        None,
        AT,
    )


def test_a_payment_is_a_round_trip_for_each_statement(payment: list[Call], driver: str, server: Wire) -> None:
    """The first and any other: nothing is prepared or unprepared apart, no NULL is described."""
    for _ in range(3):
        server.asked.clear()
        run(payment)
        assert [one.what for one in server.asked] == [
            *("BEGIN", *["sp_prepexec"] * len(payment), *ENDS[driver]),
        ]


def test_it_is_the_same_statement_whatever_the_length_and_size_of_its_values(driver: str, server: Wire) -> None:
    """The drivers by themselves would declare a text of three characters and one of four, or a small number and a
    larger one, as different kinds: the server would compile each."""
    with transaction.atomic():
        for description, actor in (("", 1), ("a", 300), ("for cake", 70_000)):
            ledger._insert_transaction.execute([_movement(description, actor)])
        for amount in (2**31, 10**17):
            ledger._set_balance.execute(1, 7, amount, 8)
        ledger._insert_transaction.execute([_movement("Übung " * 20, 1)])
    inserts = [one.declared.split(",") for one in server.asked if one.verb == "INSERT"]
    assert inserts[0] == inserts[1] == inserts[2]
    assert [kind.partition(" ")[2] for kind in inserts[0]][:7] == [
        *("varchar(4000)", "varchar(4000)", "int", "varchar(4000)", "varchar(4000)", "varchar(4000)", "int"),
    ]
    assert inserts[3][3] == "@P4 nvarchar(4000)"
    updates = {one.declared for one in server.asked if one.verb == "UPDATE"}
    assert updates == {"@P1 bigint,@P2 int,@P3 int,@P4 int"}


VALUES: dict[str, Any] = {
    "empty": "",
    "narrow": "abc\0",
    "wide": "é😀",
    "long": "x" * 4000,
    "long and wide": "😀" * 2000,
    "small": 0,
    "negative": -7,
    "integer": 2**31 - 1,
    "large": 2**31,
    "largest": 2**63 - 1,
    "smallest": -(2**63),
    "yes": True,
    "moment": AT,
    "day": AT.date(),
    "nothing": None,
}


def test_what_is_of_no_known_kind_is_left_to_the_driver(driver: str) -> None:
    """It must be told about all values or none."""
    database = connections[DEFAULT_DB_ALIAS]
    for value in ("x" * 4001, "é" * 2001, 2**63, Decimal(1), AT.date(), AT.replace(tzinfo=None), b"x", None):
        assert drivers._declared(["known", value], database) is None


@pytest.mark.parametrize("name", VALUES)
def test_either_driver_takes_any_value(driver: str, server: Wire, name: str) -> None:
    """Also after one of another kind: its declarations are forgotten."""
    database = connections[DEFAULT_DB_ALIAS]
    text = drivers.DriverText("UPDATE t SET a = %s, b = %s", database)
    with transaction.atomic():
        for value in ("before", VALUES[name], AT.date(), VALUES[name]):
            assert text.count(database, ["x", value]) == 1
    assert [one.what for one in server.asked[-len(ENDS[driver]) :]] == ENDS[driver]


def test_one_cursor_serves_them_all_and_goes_with_the_connection(payment: list[Call], driver: str) -> None:
    run(payment)
    kept = drivers._kept._of[DEFAULT_DB_ALIAS][1]
    run(payment)
    assert drivers._kept._of[DEFAULT_DB_ALIAS][1] is kept
    connections[DEFAULT_DB_ALIAS].close()
    run(payment)
    assert drivers._kept._of[DEFAULT_DB_ALIAS][1] is not kept


def test_a_cursor_for_each_costs_one_more_each(payment: list[Call], driver: str, server: Wire) -> None:
    """Django's own way: it is used here, since the statements are watched."""
    with connections[DEFAULT_DB_ALIAS].execute_wrapper(lambda execute, *args: execute(*args)):
        run(payment)
    asked = [one.what for one in server.asked]
    assert asked.count("sp_prepexec") == asked.count("sp_unprepare") == len(payment)


def test_a_null_among_values_is_described(driver: str, server: Wire) -> None:
    """For a column that is NULL in one row of two; if it is NULL in all rows it is left out."""
    rows = [_movement("one"), (*_movement("two")[:7], UUID(int=2), AT)]
    with transaction.atomic():
        server.asked.clear()
        ledger._insert_transaction.execute(rows)
        assert [one.what for one in server.asked] == ["sp_describe_undeclared_parameters", "sp_prepexec"]


def test_what_has_no_values_is_not_prepared(payment: list[Call], driver: str, server: Wire) -> None:
    """On the kept cursor it would cost one more, to discard the prepared statement."""
    text = drivers.DriverText("SELECT 1 FROM t", connections[DEFAULT_DB_ALIAS])
    run(payment)
    server.asked.clear()
    assert text.rows(connections[DEFAULT_DB_ALIAS], []) == []
    assert [one.what for one in server.asked] == ["batch"]
