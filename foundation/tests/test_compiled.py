"""Statements that the ORM compiled once do what the ORM itself would do, and fail loudly where they cannot.

The tables are those of the bank, by their names: this floor imports no app.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.core.exceptions import EmptyResultSet
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, Value
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from foundation.compiled import Insert, Select, Update, _Slot, _slot, _Statement
from foundation.drivers import DriverText
from foundation.models import RateWindow

BankAccount: Any = apps.get_model("accounts.BankAccount")
User: Any = apps.get_model("accounts.User")
Transaction: Any = apps.get_model("transfers.Transaction")
Entry: Any = apps.get_model("transfers.Entry")
CustomerLimit: Any = apps.get_model("transfers.CustomerLimit")

FIELDS = ["id", "kind", "amount", "description", "reference", "initiated_by", "reverses", "created_at"]
COLUMNS = ("pk", "kind", "status", "balance", "held", "last_sequence")
KEY = BankAccount._meta.pk
NUMBER = models.BigIntegerField()


def locked(ids: list[int]) -> Any:
    rows = BankAccount.objects.filter(pk__in=ids).order_by("pk")
    return rows.select_for_update().values_list(*COLUMNS)


@pytest.fixture
def everyday(alice: Any, open_account: Callable[..., Any]) -> Any:
    """Alice's account with 100.00."""
    return open_account(alice, "100.00")


@pytest.fixture
def accounts(everyday: Any, alice: Any, bob: Any, open_account: Callable[..., Any]) -> list[Any]:
    """Two of Alice's and one of Bob's."""
    return [everyday, open_account(alice), open_account(bob)]


def selects_of(*asked: Callable[[], Any]) -> list[str]:
    """Return what the database is sent when these run."""
    with CaptureQueriesContext(connection) as captured, transaction.atomic():
        for ask in asked:
            ask()
    return [query["sql"] for query in captured.captured_queries if query["sql"].startswith("SELECT")]


# --- SELECT -------------------------------------------------------------------------------------------------


def test_a_select_reads_what_the_orm_reads_in_columns_of_minor_units(accounts: list[Any]) -> None:
    compiled: Select = Select(locked, KEY)
    for count in (1, 2, 3, 2):
        ids = [account.pk for account in accounts[:count]]
        rows = [
            (pk, kind, status, int(balance * 100), int(held * 100), sequence)
            for pk, kind, status, balance, held, sequence in locked(ids)
        ]
        assert [tuple(row) for row in compiled.rows(ids)] == rows
        assert len(rows) == count
        assert compiled.tuples(ids) == list(locked(ids))


def test_a_select_binds_other_values_the_second_time(accounts: list[Any]) -> None:
    compiled: Select = Select(locked, KEY)
    assert [compiled.rows([account.pk])[0][0] for account in accounts] == [account.pk for account in accounts]


def test_a_select_runs_the_orms_own_text(accounts: list[Any]) -> None:
    ids = [account.pk for account in accounts]
    ours, theirs = selects_of(lambda: Select(locked, KEY).rows(ids), lambda: list(locked(ids)))
    assert ours == theirs


def test_a_select_is_compiled_once_for_each_length_of_a_list(accounts: list[Any]) -> None:
    built: list[int] = []

    def counted(ids: list[int]) -> Any:
        built.append(len(ids))
        return locked(ids)

    compiled: Select = Select(counted, KEY)
    for count in (1, 1, 2, 1, 2):
        compiled.rows([account.pk for account in accounts[:count]])
    assert built == [1, 2]


def test_each_value_is_prepared_as_its_field_does(alice: Any, everyday: Any) -> None:
    """Ids, texts, moments, days, money and keys of other tables; as the ORM sends them."""
    CustomerLimit.objects.update_or_create(user=alice, defaults={"day": date(2026, 11, 30)})
    entry = Entry.objects.filter(account=everyday).latest("pk")
    asked: list[tuple[Any, dict[str, Any]]] = [
        (User, {"public_id": alice.public_id, "email": alice.email}),
        (Entry, {"posted_at": entry.posted_at, "amount": entry.amount, "direction": "credit", "sequence": 1}),
        (Entry, {"transaction": entry.transaction_id, "account": everyday.pk}),
        (CustomerLimit, {"user": alice.pk, "day": date(2026, 11, 30)}),
    ]
    for model, wanted in asked:

        def build(*values: Any, model: Any = model, names: Any = tuple(wanted)) -> Any:
            return model.objects.filter(**dict(zip(names, values, strict=True))).order_by("pk")

        compiled: Select = Select(build, *(model._meta.get_field(name) for name in wanted))
        for _ in range(2):
            found = compiled.instances(*wanted.values())
            assert len(found) == 1
            assert found == list(build(*wanted.values()))
        ours, theirs = selects_of(partial(compiled.instances, *wanted.values()), partial(list, build(*wanted.values())))
        assert ours == theirs


def test_a_single_value_and_a_list_go_together(alice: Any, accounts: list[Any]) -> None:
    compiled: Select = Select(
        lambda owner, ids: BankAccount.objects.filter(owner=owner, pk__in=ids).order_by("pk"),
        BankAccount._meta.get_field("owner"),
        KEY,
    )
    everyday, savings, _ = accounts
    assert compiled.instances(alice.pk, [account.pk for account in accounts]) == [everyday, savings]
    assert compiled.instances(alice.pk, [savings.pk]) == [savings]


def test_instances_are_those_of_the_orm(alice: Any, everyday: Any, django_assert_num_queries: Any) -> None:
    """With their converters, related rows, annotations, deferred columns, and sealed values until they are read."""
    desk = BankAccount.objects.filter(owner=None).first()

    def build(ids: list[int]) -> Any:
        rows = BankAccount.objects.filter(pk__in=ids).order_by("-pk").select_related("owner").defer("status")
        return rows.annotate(doubled=F("balance") * 2, owners_name=F("owner__first_name"))

    compiled: Select = Select(build, KEY)
    with django_assert_num_queries(1):
        ours, none = sorted(compiled.instances([everyday.pk, desk.pk]), key=lambda row: row.owner is None)
        assert (ours.owner, none.owner) == (alice, None)
        assert ours.owner.email == alice.email
        assert ours.owner.phone == alice.phone
        assert ours.number == everyday.number
    theirs = build([everyday.pk]).get()
    for row, other in ((ours, theirs), (ours.owner, theirs.owner)):
        names = {name for name in other.__dict__ if name != "_state"}
        opened = {name: (getattr(row, name), getattr(other, name)) for name in names if name != "owner"}
        assert {name for name, (one, two) in opened.items() if one != two} == set()
        assert (row._state.db, row._state.adding) == ("default", False)
    assert ours.get_deferred_fields() == {"status"}
    assert (ours.balance, ours.doubled, ours.owners_name) == (theirs.balance, theirs.doubled, "Alice")
    assert isinstance(ours.balance, Decimal)


def test_a_column_for_the_order_alone_is_not_returned(accounts: list[Any]) -> None:
    def build(ids: list[int]) -> Any:
        return BankAccount.objects.filter(pk__in=ids).order_by(F("pk") * -1).distinct().values_list("kind", "balance")

    ids, compiled = [account.pk for account in accounts], Select(build, KEY)
    assert compiled.tuples(ids) == list(build(ids))
    assert [len(row) for row in compiled.rows(ids)] == [2, 2, 2]


def test_values_have_no_instances(everyday: Any) -> None:
    with pytest.raises(TypeError, match="no instances"):
        Select(locked, KEY).instances([everyday.pk])


def test_it_is_the_primary_that_is_asked_whatever_a_router_says(everyday: Any, settings: Any) -> None:
    class Elsewhere:
        def db_for_read(self, model: Any, **hints: Any) -> str:
            return "nowhere"

        db_for_write = db_for_read

    compiled: Select = Select(lambda pk: BankAccount.objects.filter(pk=pk), KEY)
    update = Update(lambda pk, name: (BankAccount.objects.filter(pk=pk), {"nickname": name}), KEY, models.CharField())
    settings.DATABASE_ROUTERS = [Elsewhere()]
    (found,) = compiled.instances(everyday.pk)
    assert found._state.db == "default"
    assert update.execute(everyday.pk, "Bills") == 1


def test_what_may_be_behind_is_asked_where_the_router_says(everyday: Any, settings: Any) -> None:
    asked: list[Any] = []

    class Listening:
        def db_for_read(self, model: Any, **hints: Any) -> str:
            asked.append(model)
            return "default"

    compiled: Select = Select(lambda pk: BankAccount.objects.filter(pk=pk), KEY, may_be_behind=True)
    settings.DATABASE_ROUTERS = [Listening()]
    assert compiled.instances(everyday.pk) == [everyday]
    asked.clear()
    assert compiled.instances(everyday.pk) == [everyday]
    assert asked == [BankAccount]  # each time, and not as at compile time


def test_a_row_is_found_or_made_and_the_row_of_a_faster_request_is_found(db: Any) -> None:
    rows: Select = Select(lambda key: RateWindow.objects.filter(key=key), RateWindow._meta.get_field("key"))

    def make(key: str = "a key") -> RateWindow:
        return RateWindow.objects.create(key=key, last_at=timezone.now())

    made, is_new = rows.instance_or_new("a key", new=make)
    assert is_new
    assert rows.instance_or_new("a key", new=make) == (made, False)

    not_yet: list[Any] = [[]]
    with pytest.raises(IntegrityError):  # nobody has made it: it cannot be saved
        rows.instance_or_new("another key", new=make)
    looks = Select.instances

    def as_if_not_there(self: Select, *values: Any) -> Any:
        return not_yet.pop() if not_yet else looks(self, *values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Select, "instances", as_if_not_there)
        assert rows.instance_or_new("a key", new=make) == (made, False)


@pytest.mark.django_db(transaction=True)
def test_nothing_is_locked_outside_of_a_transaction(everyday: Any) -> None:
    """Also after it was compiled in one, and on an engine that has no locks of rows."""
    compiled: Select = Select(locked, KEY)
    with transaction.atomic():
        compiled.rows([everyday.pk])
    with pytest.raises(TransactionManagementError):
        compiled.rows([everyday.pk])


@pytest.mark.django_db
def test_a_list_of_nothing_is_refused() -> None:
    with pytest.raises(EmptyResultSet):
        Select(locked, KEY).rows([])


# --- UPDATE -------------------------------------------------------------------------------------------------


def test_an_update_changes_the_rows_that_match_and_says_how_many(accounts: list[Any]) -> None:
    compiled = Update(
        lambda pk, sequence, balance, new: (
            BankAccount.objects.filter(pk=pk, last_sequence=sequence),
            {"balance": balance, "last_sequence": new},
        ),
        *(KEY, NUMBER, NUMBER, NUMBER),
    )
    first, second, _ = accounts
    assert compiled.execute(first.pk, first.last_sequence, 12_345, 9) == 1
    assert compiled.execute(second.pk, second.last_sequence + 1, 99_999, 9) == 0
    for account in accounts:
        account.refresh_from_db()
    assert [(account.balance, account.last_sequence) for account in accounts] == [
        (Decimal("123.45"), 9),
        (Decimal(0), 0),
        (Decimal(0), 0),
    ]


def test_an_update_may_reckon_with_what_stands_there(alice: Any) -> None:
    """A limit that is not exceeded, whoever counts at the same time."""
    CustomerLimit.objects.create(user=alice, day=date(2026, 11, 30), used=Decimal("7.00"))
    money = CustomerLimit._meta.get_field("used")

    def build(user: int, day: date, amount: Decimal, again: Decimal, limit: Decimal) -> Any:
        then = CustomerLimit.objects.alias(then=F("used") + Value(again, money))
        rows = then.filter(user=user, day=day, then__lte=Value(limit, money))
        return rows, {"used": F("used") + Value(amount, money)}

    of_user, of_day = (CustomerLimit._meta.get_field(name) for name in ("user", "day"))
    compiled = Update(build, of_user, of_day, money, money, money)
    changed = [
        compiled.execute(alice.pk, date(2026, 11, 30), Decimal(amount), Decimal(amount), Decimal(limit))
        for amount, limit in (("2.50", "10.00"), ("0.51", "10.00"), ("0.50", "10.00"), ("0.01", "10.00"))
    ]
    assert changed == [1, 0, 1, 0]
    assert CustomerLimit.objects.get(user=alice).used == Decimal(10)


def test_an_update_runs_the_orms_own_text(everyday: Any) -> None:
    at = datetime(2026, 11, 30, tzinfo=UTC)
    compiled = Update(
        lambda pk, at: (User.objects.filter(pk=pk), {"last_login": at, "is_active": True}),
        User._meta.pk,
        User._meta.get_field("last_login"),
    )
    with CaptureQueriesContext(connection) as captured:
        compiled.execute(everyday.owner_id, at)
        User.objects.filter(pk=everyday.owner_id).update(last_login=at, is_active=True)
    ours, theirs = (query["sql"] for query in captured.captured_queries)
    assert ours == theirs


def test_many_rows_are_updated_at_once(accounts: list[Any]) -> None:
    compiled = Update(lambda pk, name: (BankAccount.objects.filter(pk=pk), {"nickname": name}), KEY, models.CharField())
    compiled.execute_many([(account.pk, f"No. {number}") for number, account in enumerate(accounts)])
    names = BankAccount.objects.filter(pk__in=[account.pk for account in accounts]).order_by("pk")
    assert list(names.values_list("nickname", flat=True)) == ["No. 0", "No. 1", "No. 2"]


# --- INSERT -------------------------------------------------------------------------------------------------


def transaction_row(user: Any, **values: Any) -> tuple:
    row = {
        "id": uuid4(),
        "kind": "fee",
        "amount": Decimal("1.23"),
        "description": "Übung – 100 % 'of' \"it\"; -- %s",
        "reference": secrets.token_hex(6),
        "initiated_by": user.pk,
        "reverses": None,
        "created_at": timezone.now(),
    } | values
    return tuple(row[name] for name in FIELDS)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_an_insert_writes_what_the_orm_would_write(alice: Any, count: int) -> None:
    compiled = Insert(Transaction, FIELDS)
    for _ in range(2):  # compiled, then bound again
        rows = [transaction_row(alice) for _ in range(count)]
        compiled.execute(rows)
        ours = {row[0]: row for row in Transaction.objects.filter(pk__in=[row[0] for row in rows]).values_list(*FIELDS)}
        assert [ours[row[0]] for row in rows] == rows

        attributes = [Transaction._meta.get_field(name).attname for name in FIELDS]
        again = [transaction_row(alice, amount=row[2], description=row[3]) for row in rows]
        copies = [Transaction(**dict(zip(attributes, row, strict=True))) for row in again]
        Transaction.objects.bulk_create(copies)
        theirs = Transaction.objects.filter(pk__in=[copy.pk for copy in copies])
        assert sorted(theirs.values_list("amount", "description")) == sorted((row[2], row[3]) for row in rows)


def test_a_column_of_money_may_be_written_in_minor_units(alice: Any) -> None:
    compiled = Insert(Transaction, FIELDS, amount=NUMBER)
    rows = [transaction_row(alice, amount=123), transaction_row(alice, amount=7)]
    compiled.execute(rows)
    compiled.execute([transaction_row(alice, amount=1)])
    amounts = Transaction.objects.filter(kind="fee").values_list("amount", flat=True)
    assert sorted(amounts) == [Decimal("0.01"), Decimal("0.07"), Decimal("1.23")]
    with pytest.raises(ValueError, match="price"):
        Insert(Transaction, FIELDS, price=NUMBER)


def test_what_is_null_in_every_row_is_left_out(alice: Any) -> None:
    """A driver of SQL Server asks the server for the type of each NULL parameter."""
    compiled, first = Insert(Transaction, FIELDS), transaction_row(alice)
    both = [transaction_row(alice), transaction_row(alice, reverses=first[0])]
    with CaptureQueriesContext(connection) as captured:
        compiled.execute([first])
        compiled.execute(both)
        compiled.execute([transaction_row(alice)])
    assert ["reverses_id" in query["sql"] for query in captured.captured_queries] == [False, True, False]
    keys = [first[0], *(row[0] for row in both)]
    assert {row.pk: row.reverses_id for row in Transaction.objects.filter(pk__in=keys)} == {
        first[0]: None,
        both[0][0]: None,
        both[1][0]: first[0],
    }


def test_null_is_not_a_default_of_the_database(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A column that is left out would get the default."""
    reverses = Transaction._meta.get_field("reverses")
    monkeypatch.setattr(reverses, "db_default", Value(uuid4()))
    with CaptureQueriesContext(connection) as captured:
        Insert(Transaction, FIELDS).execute([transaction_row(alice)])
    assert "reverses_id" in captured.captured_queries[0]["sql"]


def test_an_insert_of_a_row_too_short_is_refused(alice: Any) -> None:
    compiled = Insert(Transaction, FIELDS)
    compiled.execute([transaction_row(alice)])
    with pytest.raises(ValueError, match="shorter"):
        compiled.execute([transaction_row(alice)[:-1]])


def test_an_insert_of_a_float_is_refused(alice: Any) -> None:
    """R3.2: also where no field's clean() looks."""
    compiled = Insert(Transaction, FIELDS)
    for _ in range(2):
        with pytest.raises(TypeError):
            compiled.execute([transaction_row(alice, amount=1.23)])
    assert not Transaction.objects.filter(kind="fee").exists()


def test_rows_that_do_not_go_into_one_statement_are_refused(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.models.sql import compiler

    as_sql = compiler.SQLInsertCompiler.as_sql

    monkeypatch.setattr(compiler.SQLInsertCompiler, "as_sql", lambda self: as_sql(self) * 2)
    with pytest.raises(AssertionError, match="one statement"):
        Insert(Transaction, FIELDS).execute([transaction_row(alice)])


def test_an_unknown_layout_of_parameters_is_refused(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.models.sql import compiler

    monkeypatch.setattr(compiler.SQLInsertCompiler, "as_sql", lambda self: [("INSERT …", [1, 2, 3])])
    with pytest.raises(AssertionError, match="layout"):
        Insert(Transaction, FIELDS).execute([transaction_row(alice)])


def test_parameters_by_column_are_bound_by_column(alice: Any, everyday: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL may take one array for each column; elsewhere that layout is pretended."""
    from django.db.models.sql import compiler

    sent: list[Any] = []

    def count(driver_text: DriverText, database: Any, params: list[Any]) -> None:
        sent.append((driver_text.text, params))

    with monkeypatch.context() as pretend:
        pretend.setattr(compiler.SQLInsertCompiler, "as_sql", lambda self: [("UNNEST", [["?", "?"], ["?", "?"]])])
        pretend.setattr(DriverText, "count", count)
        Insert(Entry, ["amount", "sequence"]).execute([(Decimal("0.01"), 1), (Decimal("0.02"), 2)])
    assert sent == [("UNNEST", [[1, 2], [1, 2]])]


# --- Binding ------------------------------------------------------------------------------------------------


def slots(*stand_ins: int) -> list[_Slot]:
    return [_Slot(NUMBER, stand_in, stand_in) for stand_in in stand_ins]


def test_a_value_that_got_lost_in_compiling_is_noticed() -> None:
    with pytest.raises(AssertionError, match="lost"):
        _Statement("SELECT 1", [7], slots(8))


def test_a_value_that_stands_twice_is_noticed() -> None:
    with pytest.raises(AssertionError, match="lost"):
        _Statement("SELECT %s, %s", [8, 8], slots(8))


def test_values_go_where_their_stand_ins_stood_and_constants_stay() -> None:
    assert _Statement("…", ["open", 9, 8], slots(8, 9)).bind([1, 2], connection) == ["open", 2, 1]


def test_too_few_values_or_too_many_are_refused(everyday: Any) -> None:
    for values in ([1], [1, 2, 3]):
        with pytest.raises(ValueError, match="zip"):
            _Statement("…", [9, 8], slots(8, 9)).bind(values, connection)
        with pytest.raises(ValueError, match="zip"):
            Select(lambda one, two: BankAccount.objects.filter(pk=one, held=two), KEY, NUMBER).rows(*values)


def test_a_value_that_the_field_does_not_take_is_refused(everyday: Any) -> None:
    compiled: Select = Select(locked, KEY)
    assert compiled.rows([everyday.pk])
    with pytest.raises(ValueError, match="expected a number"):
        compiled.rows(["1 OR 1=1"])


def test_a_query_that_drops_a_value_is_refused(accounts: list[Any]) -> None:
    compiled: Select = Select(lambda ids: BankAccount.objects.filter(pk=ids[0]).values_list("pk"), KEY)
    assert compiled.rows([accounts[0].pk]) == [(accounts[0].pk,)]
    with pytest.raises(AssertionError, match="lost"):
        compiled.rows([accounts[0].pk, accounts[1].pk])


@pytest.mark.django_db
def test_a_value_that_would_be_another_one_in_the_statement_is_refused() -> None:
    with pytest.raises(AssertionError, match="lost"):
        Select(lambda name: User.objects.filter(last_name__startswith=name), models.CharField()).rows("A")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "field",
    [
        *(models.SmallIntegerField(), models.PositiveIntegerField(), models.AutoField(), models.BigAutoField()),
        *(models.DecimalField(max_digits=12, decimal_places=2), models.TextField(), models.EmailField()),
        *(models.UUIDField(), models.DateTimeField(), models.DateField(), models.JSONField()),
    ],
    ids=lambda field: type(field).__name__,
)
def test_what_stands_in_for_a_value_is_one_of_its_type_and_no_other(field: models.Field) -> None:
    made = [_slot(field, number) for number in range(500)]
    prepared = [str(slot.prepared) for slot in made]
    assert len(set(prepared)) == 500
    assert {type(field.to_python(slot.stand_in)) for slot in made} == {type(made[0].stand_in)}


@pytest.mark.django_db
def test_a_field_of_two_values_can_have_no_stand_in() -> None:
    with pytest.raises(TypeError, match="stand in"):
        Select(lambda active: User.objects.filter(is_active=active), models.BooleanField()).rows(True)
