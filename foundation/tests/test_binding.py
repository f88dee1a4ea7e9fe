"""What is prepared the short way is what the field itself would hand to the driver, of the same type."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.db import connection, models
from django.utils.safestring import SafeString

from foundation.binding import preparer
from foundation.money import MoneyField

KEY = UUID(int=0x123456789ABCDEF0123456789ABCDEF0)
AT = datetime(2026, 11, 30, 14, 5, 6, 7, tzinfo=UTC)


class Kind(models.TextChoices):
    FEE = "fee"


class Shouted(models.CharField):
    def get_prep_value(self, value: Any) -> Any:
        return value.upper() if value else value


class Doubled(models.IntegerField):
    def get_prep_value(self, value: Any) -> Any:
        return 2 * value


NUMBERS: list[Any] = [0, 7, -7, 2**15, 2**31, 2**62, None, "12", True, Decimal(3)]
TEXTS: list[Any] = ["", "a", "é – %s", None, Kind.FEE, SafeString("<b>"), 5, KEY]
MOMENTS: list[Any] = [
    *(AT, AT.replace(microsecond=0), None, "2026-11-30T14:05:06+00:00", AT.astimezone(ZoneInfo("Asia/Tokyo"))),
    *(AT.astimezone(timezone(timedelta(hours=2))), AT.replace(tzinfo=ZoneInfo("UTC")), date(2026, 11, 30)),
]
OF_FIELDS: list[tuple[models.Field, list[Any]]] = [
    *((kind(), NUMBERS) for kind in (models.IntegerField, models.BigIntegerField, models.SmallIntegerField)),
    *((kind(), NUMBERS) for kind in (models.PositiveIntegerField, models.PositiveBigIntegerField)),
    *((kind(), NUMBERS) for kind in (models.AutoField, models.BigAutoField, models.SmallAutoField)),
    (Doubled(), [1, 2]),
    (MoneyField(), [Decimal("1.23"), Decimal(0), None]),
    (models.CharField(max_length=20), TEXTS),
    (models.EmailField(), TEXTS),
    (models.TextField(), TEXTS),
    (Shouted(max_length=20), ["a", "B", "", None]),
    (models.GenericIPAddressField(), ["127.0.0.1", "::1", None]),
    (models.UUIDField(), [KEY, str(KEY), KEY.hex, None, 5]),
    (models.DateTimeField(), MOMENTS),
    (models.DateField(), [date(2026, 11, 30), "2026-11-30", None, AT]),
    (models.BooleanField(), [True, False, None]),
    (models.DecimalField(max_digits=9, decimal_places=2), [Decimal("1.5"), None]),
]


def outcome(prepare: Callable[..., Any], value: Any, database: Any) -> Any:
    """Return the result and its type, or the error."""
    try:
        made = prepare(value, database)
    except Exception as error:  # noqa: BLE001 - whichever the field raises
        return type(error), str(error)
    return type(made), made


def assert_as_the_fields_do(database: Any) -> None:
    """Compare each kind of field with each kind of value, in a condition and in a row that is saved."""
    for field, values in OF_FIELDS:
        for by_field in (field.get_db_prep_value, field.get_db_prep_save):
            prepare = preparer(field, database, by_field)
            for value in values:
                short, long = outcome(prepare, value, database), outcome(by_field, value, database)
                if database.vendor == "postgresql" and isinstance(field, models.AutoField | models.BigAutoField):
                    # There a key carries the type of its column, so that its size makes no other statement.
                    assert short[1] == long[1], (field, value)
                    continue
                assert short == long, (field, value)


@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
def test_each_value_is_prepared_as_its_field_does() -> None:
    assert_as_the_fields_do(connection)


@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
def test_moments_follow_the_zone_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "timezone", ZoneInfo("Europe/Berlin"))
    assert_as_the_fields_do(connection)


def test_a_key_of_another_table_is_prepared_as_what_it_points_at() -> None:
    of_entry = apps.get_model("transfers.Entry")._meta.get_field("transaction")
    prepare = preparer(of_entry, connection, of_entry.get_db_prep_save)
    for value in (KEY, str(KEY), None, ""):
        assert prepare(value, connection) == of_entry.get_db_prep_save(value, connection)
