"""A query that SQL Server would refuse or run wrongly is caught in whatever test runs it (R9.4; issue 7, Shows 1).

`plugin` checks every query of every test against the rules; here are bad ones of each known kind, and the lists of the
staff's area, each in every way.
"""

import datetime
import zoneinfo
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, Sum, When
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery
from django.utils import timezone

from accounts.models import BankAccount, User
from audit.models import AuditEntry
from foundation.compiled import _LENGTHS, Insert
from tests.mssql.compiled import Listener
from tests.mssql.rules import MOST_ROWS, MOST_VALUES
from transfers.ledger import posting as ledger
from transfers.models import Entry, Payee, TransferOrder

LONG = list(range(2049))


def found_in(query: Any) -> str:
    """Return the findings in a query, or in that of a queryset."""
    listener = Listener()
    listener.look_at(getattr(query, "query", query).get_compiler(using="default"), "the query")
    return "\n".join(listener.take())


def payees_inserted(*, pk: int | None = None, rows: int = 1, **options: Any) -> InsertQuery:
    now = timezone.now()
    made: list[models.Model] = [
        Payee(pk=pk, customer_id=1, account_id=1, first_paid_at=now, last_paid_at=now) for _ in range(rows)
    ]
    query = InsertQuery(Payee, **options)
    fields: Any = [one for one in Payee._meta.local_concrete_fields if pk or not one.primary_key]
    query.insert_values(fields, made)
    return query


def orders_counted() -> models.QuerySet:
    has_orders = Exists(TransferOrder.objects.filter(source=OuterRef("pk")))
    number = Case(When(has_orders, then=1), default=0, output_field=models.IntegerField())
    return BankAccount.objects.values("kind").annotate(n=Sum(number)).order_by("kind")


def accounts_over_a_half() -> models.QuerySet:
    total = Sum("sequence", output_field=models.DecimalField(max_digits=9, decimal_places=2))
    return Entry.objects.values("account").annotate(total=total).filter(total__gt=Decimal("0.5")).order_by()


BAD: dict[str, Callable[[], Any]] = {
    "has two lists of over 2,048 values": lambda: Entry.objects.filter(account__in=LONG, sequence__in=LONG),
    "has more values than one statement takes": lambda: Entry.objects.filter(
        Q(account__in=LONG[:1100]) | Q(sequence__in=LONG[:1100])
    ),
    "groups with a Decimal": accounts_over_a_half,
    "sums over a subquery": orders_counted,
    "reckons with a fixed distance from UTC": lambda: AuditEntry.objects.filter(at__date=datetime.date(2026, 7, 1)),
    "looks for a pattern": lambda: User.objects.filter(last_name__regex="^A"),
    "locks the rows of the first table only": lambda: (
        BankAccount.objects.select_for_update().select_related("owner").order_by("pk")
    ),
    "FOR UPDATE OF is not supported": lambda: BankAccount.objects.select_for_update(of=("self",)),
    "contains lookup is not supported": lambda: AuditEntry.objects.filter(details__contains={"a": 1}),
    "bulk_create() with conflicts": lambda: payees_inserted(on_conflict=OnConflict.IGNORE),
    "gives a value for a number that the server counts itself": lambda: payees_inserted(pk=7),
}


@pytest.mark.django_db
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_query_is_caught(fault: str) -> None:
    with timezone.override(zoneinfo.ZoneInfo("Europe/Berlin")):
        assert fault in found_in(BAD[fault]())


@pytest.mark.django_db
def test_good_queries_are_left_alone() -> None:
    with timezone.override(zoneinfo.ZoneInfo("Europe/Berlin")):
        assert found_in(Entry.objects.filter(account__in=LONG[:500]).order_by("-pk")[5:30]) == ""
        assert found_in(BankAccount.objects.select_for_update().filter(pk__in=[1, 2]).order_by("pk")) == ""
        assert found_in(payees_inserted(rows=3)) == ""
        assert found_in(payees_inserted(rows=5000)) == ""  # the backend makes batches of them


@pytest.mark.django_db
def test_what_any_test_asks_is_heard(sql_listener: Listener | None) -> None:
    if sql_listener is None:
        pytest.skip("the plugin listens on SQLite only")
    before = set(sql_listener.texts)
    assert not User.objects.filter(
        last_name="a query that no other test asks", pk__lt=0, email__gt="b", pk__gt=9
    ).exists()
    (text,) = sql_listener.texts - before
    assert '"accounts_user"' in text
    list(User.objects.filter(last_name__regex="^A"))
    assert "looks for a pattern" in "".join(sql_listener.take())


@pytest.mark.django_db
def test_a_query_without_a_transaction_locks_nothing_and_is_caught(transactional_db: None) -> None:
    assert "select_for_update cannot be used outside of a transaction" in found_in(User.objects.select_for_update())


def test_the_ledgers_batches_go_into_one_statement() -> None:
    """They are compiled at their longest only when this many rows are posted at once."""
    inserts = [one for one in vars(ledger).values() if isinstance(one, Insert)]
    assert len(inserts) >= 2
    assert max(_LENGTHS) <= MOST_ROWS
    for one in inserts:
        assert max(_LENGTHS) * len(one._fields) <= MOST_VALUES
