"""Which currency the bank keeps its money in, and with how many decimals (R2.7).

Balances are whole minor units: with another currency, or another number of decimals, every balance would mean something
else. So the first `migrate` records both, and every start compares.
"""

import logging
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, DatabaseError, IntegrityError, connections, transaction

from foundation.currencies import exponent_of
from foundation.models import CURRENCY_ROW, CurrencyRecord

logger = logging.getLogger(__name__)

_HINT = "See docs/deployment.md, “The currency”."


class AnotherCurrency(ImproperlyConfigured):
    """The bank keeps its money in another currency, or with other decimals, than CURRENCY says now."""


def fault(using: str = DEFAULT_DB_ALIAS) -> str:
    """Return what is wrong and what to do; "" if currency and decimals are those recorded. One statement."""
    record = CurrencyRecord.objects.using(using).filter(pk=CURRENCY_ROW).first()
    code, exponent = settings.CURRENCY, exponent_of(settings.CURRENCY)
    if record is None:
        return "CURRENCY: this database does not say which currency its money is in. Run `manage.py migrate`."
    if record.code != code:
        return (
            f"CURRENCY: this bank keeps its money in {record.code}, and the setting says {code}. Set "
            f"CURRENCY={record.code}; a bank in {code} needs a database of its own."
        )
    if record.exponent != exponent:
        return (
            f"CURRENCY: this bank keeps {code} with {record.exponent} decimals, and this version counts {exponent}. "
            "Go back to the version that ran before, and do not open the bank with this one."
        )
    return ""


def verify(using: str = DEFAULT_DB_ALIAS) -> None:
    """Compare CURRENCY and its decimals with the record.

    Raises:
        AnotherCurrency: they differ, or nothing was written down.
    """
    if found := fault(using):
        raise AnotherCurrency(found)


_verified = False


def verify_once() -> None:
    """Call `verify()` until it has succeeded once in this process. Every service that moves money calls this first, so
    that no command can move money at another scale."""
    global _verified
    if not _verified:
        verify()
        _verified = True


def begin() -> None:
    """Verify the currency before a web worker's first request, and before a command's work.

    Raises:
        AnotherCurrency
    """
    try:
        verify_once()
    except DatabaseError as error:
        # Not there yet: then the first service that moves money compares.
        logger.warning("The currency could not be compared at the start: %s", type(error).__name__)


def note_after_migrate(sender: Any, using: str, **kwargs: Any) -> None:
    """Record the currency at the first `migrate`, and compare at each later one (Django's `post_migrate`)."""
    if not _is_made(using):
        return
    row = CurrencyRecord(pk=CURRENCY_ROW, code=settings.CURRENCY, exponent=exponent_of(settings.CURRENCY))
    if not CurrencyRecord.objects.using(using).exists():
        try:
            with transaction.atomic(using=using):
                row.save(using=using, force_insert=True)
        except IntegrityError:
            logger.info("The currency was written down by another process.")
    verify(using)


def check_currency(databases: Iterable[str] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Check that the currency is the recorded one: `manage.py check --database default`, and so `migrate`."""
    return [
        checks.Error(found, hint=_HINT, id="foundation.E001")
        for using in databases or []
        if _is_made(using) and CurrencyRecord.objects.using(using).exists() and (found := fault(using))
    ]


def _is_made(using: str) -> bool:
    return CurrencyRecord._meta.db_table in connections[using].introspection.table_names()
