"""`manage.py seed_demo`: people of every role with months of history, in demo mode only (R9.2)."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import demo_people
from accounts.models import BankAccount, TotpDevice, User
from audit.models import AuditEntry
from tests.asvs import proves
from transfers.demo import planning, writing
from transfers.models import Entry, Transaction, TransferOrder
from transfers.orders import cash


@pytest.fixture(autouse=True)
def demo_mode(settings: Any, db: Any) -> None:
    settings.DEMO, settings.SAVINGS_RATE = True, "0.015"


@pytest.fixture
def one_month(monkeypatch: pytest.MonkeyPatch) -> None:
    """A history that is made sooner."""
    monkeypatch.setattr(planning, "MONTHS", 1)
    monkeypatch.setattr(writing, "BATCH", 100)


def seed(output: StringIO | None = None) -> str:
    output = output or StringIO()
    call_command("seed_demo", stdout=output)
    return output.getvalue()


def counts() -> dict[str, int]:
    models = (User, TotpDevice, BankAccount, Transaction, Entry, TransferOrder, AuditEntry)
    return {model.__name__: model.objects.count() for model in models}


def history() -> list[tuple]:
    """Return what happened, without times, ids and references."""
    rows = Entry.objects.order_by("account__owner__email", "account__kind", "account_id", "sequence").filter(
        account__owner__isnull=False
    )
    columns = rows.values_list(
        "account__owner__email", "account__kind", "sequence", "direction", "amount", "balance_after",
        "transaction__description",
    )  # fmt: skip
    return [(*row[:-1], re.sub(r"[0-9A-Z]{4}(-[0-9A-Z]{4}){2}", "…", row[-1])) for row in columns]


def test_it_refuses_outside_demo_mode(settings: Any) -> None:
    """Its passwords are public."""
    settings.DEMO = False
    before = counts()
    with pytest.raises(CommandError, match="demo mode only"):
        seed()
    assert counts() == before


@proves("V6.3.2")
def test_it_refuses_in_a_bank_with_people_of_its_own(make_user: Callable) -> None:
    make_user("Real", email="real.person@example.org")
    before = counts()
    with pytest.raises(CommandError, match="people of its own"):
        seed()
    assert counts() == before


@pytest.mark.usefixtures("one_month")
def test_run_again_it_makes_nothing_twice() -> None:
    seed()
    before, past = counts(), history()
    assert "alice@example.com" in seed()
    assert (counts(), history()) == (before, past)
    with time_machine.travel(timezone.now() + timedelta(days=40)):
        seed()
    assert (counts(), history()) == (before, past)


def test_a_demo_bank_of_an_earlier_version_is_left_as_it_is(make_user: Callable, open_account: Callable) -> None:
    alice = make_user("Alice", email="alice@example.com")
    order = {"actor": alice, "amount": Decimal(1), "description": "Cinema tickets"}
    cash.deposit(account=open_account(alice), idempotency_key="seed-finished", **order)
    before = counts()
    assert "other customers" not in seed()
    assert counts() == before


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("one_month")
def test_on_a_terminal_one_line_counts_up() -> None:
    """R9.2."""
    line, _, rest = seed(Terminal()).partition("\n")
    assert line.startswith("\rMaking the demo's history: 0 % \rMaking")
    assert "100 % \rThe demo bank has 16 people and " in line
    assert "%" not in rest


@pytest.mark.usefixtures("one_month")
def test_the_administrator_must_turn_on_two_factor_and_change_the_password_first(browser_of: Callable) -> None:
    """R9.2."""
    seed()
    admin = User.objects.get(email="admin@example.com")
    assert admin.must_change_password
    assert not TotpDevice.objects.filter(user=admin).exists()
    client = Client()
    fields = {"email": admin.email, "password": demo_people.ADMIN_FIRST_PASSWORD}
    assert client.post(reverse("sign_in"), fields)["Location"] == reverse("two_factor_enrol")
    TotpDevice(user=admin, name="phone", confirmed=True, key="00" * 20).save()
    assert browser_of(admin).get(reverse("admin:index"))["Location"] == reverse("password_change")


@pytest.mark.usefixtures("one_month")
def test_alice_has_paid_once_too_often_and_has_it_back(browser_of: Callable) -> None:
    """R3.15: an example of a reversed payment, for a customer of the demo."""
    seed()
    alice = User.objects.get(email="alice@example.com")
    (reversal,) = Transaction.objects.filter(kind="reversal")
    order = TransferOrder.objects.get(transaction=reversal.reverses)
    assert (order.initiator, order.amount) == (alice, Decimal("41.63"))
    page = browser_of(alice).get(reverse("receipt", args=[order.public_id])).text
    assert "Reversed on" in page
    assert reversal.reference in page
