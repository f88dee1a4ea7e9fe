"""The scale of money: decimals by ISO 4217, and one currency for the life of a database (R2.7)."""

import os
import subprocess
import sys
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import CommandError, SystemCheckError
from django.db import connection
from django.db.models import Sum
from django.db.utils import IntegrityError
from iso4217 import Currency

from bankproject.environment import BankEnv
from bankproject.security_audit.books import ledger as audited_ledger
from foundation import currencies, currency_record
from foundation.currencies import UnknownCurrency, exponent_of
from foundation.currency_record import AnotherCurrency
from foundation.models import CurrencyRecord
from foundation.money import currency_exponent, format_money, parse_amount, parse_typed_amount, to_minor
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.ledger.holding import release_hold
from transfers.models import Entry
from transfers.orders import cash


@proves("V2.2.1")
def test_the_table_is_iso_4217s() -> None:
    """R2.7: against the list that its maintainer publishes."""
    theirs = {currency.code: currency.exponent for currency in Currency}
    ours: dict[str, int | None] = dict(currencies._EXPONENTS) | dict.fromkeys(currencies._NOT_DIVIDED)
    assert ours == theirs
    assert {exponent for exponent in ours.values() if exponent is not None} == {0, 2, 3, 4}


@in_one_world(
    ("code", "exponent"),
    [*(("RSD", 2), ("IQD", 3), ("LBP", 2), ("JPY", 0), ("ISK", 0), ("BHD", 3), ("UYW", 4), ("CLF", 4), ("EUR", 2))],
)
def test_decimals_are_iso_4217s_wherever_an_amount_goes(code: str, exponent: int, settings: Any) -> None:
    """R2.7: Babel gives Serbian dinars none, and ISO 4217 two."""
    settings.CURRENCY = code
    smallest = Decimal(1).scaleb(-exponent)
    assert (exponent_of(code), currency_exponent(), to_minor(Decimal(1))) == (exponent, exponent, 10**exponent)
    assert parse_amount(f"{smallest:f}") == parse_typed_amount(f"0{smallest:f}") == smallest
    assert len(format_money(smallest).partition(".")[2]) == exponent
    assert to_minor(smallest) == 1


@in_one_world("code", ["EURO", "eur", "EU", "", "E", "ABC", "978", "EUR ", "€"])
def test_the_start_refuses_anything_except_a_currency(code: str, monkeypatch: Any) -> None:
    """R2.7: one line that names the setting."""
    monkeypatch.setenv("CURRENCY", code)
    with pytest.raises(ImproperlyConfigured, match=r"^CURRENCY: .* is no currency of ISO 4217.*EUR\.$"):
        BankEnv().currency("CURRENCY", default="EUR")


@in_one_world("code", sorted(currencies._NOT_DIVIDED))
def test_the_start_refuses_a_code_without_a_minor_unit(code: str, monkeypatch: Any) -> None:
    """R2.7: gold, test codes and the like have no decimals that amounts could be kept in."""
    with pytest.raises(UnknownCurrency, match=f"^{code} has no minor unit"):
        exponent_of(code)
    monkeypatch.setenv("CURRENCY", code)
    with pytest.raises(ImproperlyConfigured, match=f"^CURRENCY: {code} has no minor unit"):
        BankEnv().currency("CURRENCY", default="EUR")


def test_a_wrong_currency_is_one_line_on_the_screen(repository: Path) -> None:
    """R2.7."""
    done = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=repository,
        env=os.environ | {"CURRENCY": "EURO"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = "CURRENCY: 'EURO' is no currency of ISO 4217: write three capital letters, like EUR.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


# --- One currency for the life of a database ------------------------------------------------------------------


@pytest.fixture
def another_start(monkeypatch: Any) -> None:
    """Return a process that has compared nothing yet."""
    monkeypatch.setattr(currency_record, "_verified", False)


pytestmark = pytest.mark.django_db

CHANGED = "CURRENCY: this bank keeps its money in EUR, and the setting says JPY. Set CURRENCY=EUR; a bank in JPY needs"


def test_the_first_migrate_writes_the_currency_down() -> None:
    """R2.7."""
    assert list(CurrencyRecord.objects.values_list("id", "code", "exponent")) == [(1, "EUR", 2)]
    CurrencyRecord.objects.all().delete()
    with pytest.raises(AnotherCurrency, match=r"Run `manage\.py migrate`"):
        currency_record.verify()
    currency_record.note_after_migrate(None, using="default")
    currency_record.note_after_migrate(None, using="default")
    assert str(CurrencyRecord.objects.get()) == "EUR with 2 decimals"


def test_there_is_one_row_and_no_second() -> None:
    """R2.7: the database says so."""
    with pytest.raises(IntegrityError):
        CurrencyRecord(pk=2, code="JPY", exponent=0).save()


@proves("V2.2.1")
def test_every_start_compares_the_currency(another_start: None, settings: Any, django_assert_num_queries: Any) -> None:
    """R2.7: once in a process; no request and no payment asks again."""
    settings.CURRENCY = "JPY"
    for _ in range(2):
        with pytest.raises(AnotherCurrency, match=CHANGED):
            currency_record.begin()
    settings.CURRENCY = "EUR"
    with django_assert_num_queries(1):
        currency_record.begin()
        currency_record.begin()
        currency_record.verify_once()


def test_the_web_server_compares_before_its_first_request(repository: Path) -> None:
    """R2.7."""
    assert "currency_record.begin()" in (repository / "bankproject" / "wsgi.py").read_text()


def test_other_decimals_for_the_same_code_are_refused(another_start: None, settings: Any, monkeypatch: Any) -> None:
    """R2.7: as when a library has other digits in another release."""
    monkeypatch.setitem(currencies._EXPONENTS, "EUR", 0)
    with pytest.raises(AnotherCurrency, match="keeps EUR with 2 decimals, and this version counts 0"):
        currency_record.begin()


def test_the_bank_starts_while_the_database_is_away(another_start: None, monkeypatch: Any, caplog: Any) -> None:
    """R2.7: then the first service that moves money compares."""
    from django.db import OperationalError

    def away() -> str:
        raise OperationalError("away")

    monkeypatch.setattr(currency_record, "fault", lambda using: away())
    currency_record.begin()
    assert "The currency could not be compared at the start: OperationalError" in caplog.text
    with pytest.raises(OperationalError):
        currency_record.verify_once()


@proves("V2.2.1")
def test_no_money_moves_at_another_scale(
    another_start: None, alice: Any, open_account: Any, settings: Any, monkeypatch: Any
) -> None:
    """R2.7: by any page, program or command."""
    account = open_account(alice, "5.00")
    settings.CURRENCY = "JPY"
    monkeypatch.setattr(currency_record, "_verified", False)
    before = Entry.objects.count()
    with pytest.raises(AnotherCurrency, match=CHANGED):
        cash.deposit(actor=alice, account=account, amount=Decimal(5), idempotency_key="five yen, or cents")
    settings.CURRENCY = "EUR"
    account.refresh_from_db()
    assert (Entry.objects.count(), account.balance) == (before, Decimal(5))


@in_one_world("command", ["accrue_interest", "run_scheduled", "send_queued_mail"])
def test_no_command_that_moves_or_names_money_begins(
    command: str, another_start: None, settings: Any, monkeypatch: Any
) -> None:
    """R2.7: earned interest is at a scale too, before any of it is paid."""
    settings.CURRENCY = "JPY"
    with pytest.raises(AnotherCurrency, match=CHANGED):
        call_command(command, stdout=StringIO())


def test_no_money_is_set_aside_at_another_scale(
    another_start: None, alice: Any, open_account: Any, settings: Any, monkeypatch: Any
) -> None:
    """R2.7."""
    account = open_account(alice, "5.00")
    settings.CURRENCY = "JPY"
    monkeypatch.setattr(currency_record, "_verified", False)
    with pytest.raises(AnotherCurrency):
        release_hold(account.pk, Decimal(5))


@proves("V2.2.1")
def test_check_and_migrate_refuse_another_currency(settings: Any) -> None:
    """R2.7."""
    call_command("check", databases=["default"], stdout=StringIO())
    settings.CURRENCY = "JPY"
    with pytest.raises(SystemCheckError, match=f"foundation.E001\\) {CHANGED}"):
        call_command("check", databases=["default"], stderr=StringIO())
    with pytest.raises(SystemCheckError, match=CHANGED):
        call_command("migrate", skip_checks=False, stdout=StringIO(), stderr=StringIO())
    with pytest.raises(AnotherCurrency):
        currency_record.note_after_migrate(None, using="default")
    assert CurrencyRecord.objects.get().code == "EUR"


def test_verify_ledger_names_another_currency(settings: Any) -> None:
    """R2.7: in the nightly job and in the security audit too."""
    assert not currency_record.fault()
    settings.CURRENCY = "JPY"
    out = StringIO()
    with pytest.raises(CommandError, match="The ledger does not add up: 1 fault"):
        call_command("verify_ledger", stdout=out)
    assert CHANGED in out.getvalue()
    assert any(CHANGED in line for line in audited_ledger().details)


# --- A database from before the currency was written down -----------------------------------------------------


def migration() -> Any:
    from importlib import import_module

    return import_module("foundation.migrations.0002_currency")


class Editor:
    """What the migration needs from a schema editor."""

    connection = connection


def test_amounts_that_were_written_with_other_decimals_stop_the_migration(
    settings: Any, alice: Any, open_account: Any
) -> None:
    """R2.7: a bank in RSD was kept with none; read with two, every balance would be a hundredth."""
    refuse = migration().refuse_amounts_at_another_scale
    settings.CURRENCY = "RSD"
    assert not Entry.objects.aggregate(Sum("amount"))["amount__sum"]
    refuse(None, Editor)
    settings.CURRENCY = "EUR"
    open_account(alice, "5.00")
    refuse(None, Editor)
    settings.CURRENCY = "RSD"
    with pytest.raises(ImproperlyConfigured, match="keeps RSD with 0 decimals, and ISO 4217 has 2"):
        refuse(None, Editor)
