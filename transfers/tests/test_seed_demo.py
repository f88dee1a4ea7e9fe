"""`manage.py seed_demo`: people of every role with months of history, in demo mode only (R9.2)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import demo_people
from accounts.models import BankAccount, OutboxMessage, TotpDevice, User
from accounts.roles import Role
from audit.models import AuditEntry
from audit.sealing import seal
from audit.verification import faults as faults_of_the_log
from transfers import demo, verification
from transfers.demo import planning, writing
from transfers.models import Direction, Entry, Payee, Transaction, TransferOrder
from transfers.periods import Month
from transfers.services import cash
from transfers.tests.test_statements import amount_after, text_of

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


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
    """What happened, but for when and under which ids."""
    rows = Entry.objects.order_by("account__owner__email", "account__kind", "account_id", "sequence").filter(
        account__owner__isnull=False
    )
    return list(
        rows.values_list(
            "account__owner__email", "account__kind", "sequence", "direction", "amount", "balance_after",
            "transaction__description",
        )
    )  # fmt: skip


def test_it_refuses_outside_demo_mode(settings: Any) -> None:
    """Its passwords are public."""
    settings.DEMO = False
    before = counts()
    with pytest.raises(CommandError, match="demo mode only"):
        seed()
    assert counts() == before


def test_it_refuses_in_a_bank_with_people_of_its_own(make_user: Callable) -> None:
    make_user("Real", email="real.person@example.org")
    before = counts()
    with pytest.raises(CommandError, match="people of its own"):
        seed()
    assert counts() == before


def test_it_makes_people_of_every_role_and_half_a_year_that_adds_up() -> None:
    text = seed()
    assert text.startswith("Making the demo bank's people and history.\nThe demo bank has 16 people and ")
    for person in (*demo_people.PEOPLE, demo_people.ADMIN):
        assert person.email in text
    assert {person.role for person in demo_people.PEOPLE} == set(Role)
    assert "and 9 other customers" in text
    for person in demo_people.EVERYBODY:
        assert User.objects.get(email=person.email).role == person.role
    assert list(verification.faults()) == []
    times = list(Transaction.objects.order_by("created_at").values_list("created_at", flat=True))
    assert 1_900 < len(times) < 3_000
    held = TransferOrder.objects.get(transaction=None)
    assert (held.state, held.source.owner.first_name) == ("held", "Nordlicht")  # type: ignore[union-attr]
    assert set(held.alerts.values_list("rule", "state")) == {("large_amount", "open"), ("suspicious_amount", "open")}
    assert f"16 people and {TransferOrder.objects.count()} movements" in text
    assert times[-1] - times[0] > timedelta(weeks=26)
    assert times[-1] <= timezone.now()
    # As through the services: each movement is audited, each payee known, the latest are mailed.
    orders = TransferOrder.objects.exclude(pk=held.pk).values_list("public_id", flat=True)
    audited = AuditEntry.objects.exclude(evidence_digest="").values_list("subject_id", flat=True)
    interest = Transaction.objects.filter(kind="interest").values_list("pk", flat=True)
    assert sorted(audited) == sorted(str(subject) for subject in (*orders, *interest))
    assert not AuditEntry.objects.filter(action__endswith="_REFUSED").exists()
    paid = (
        TransferOrder.objects.filter(kind="payment").exclude(pk=held.pk).values_list("initiator", "target").distinct()
    )
    assert set(Payee.objects.values_list("customer", "account")) == set(paid)
    assert OutboxMessage.objects.filter(event="payment_posted").count() == 6
    assert OutboxMessage.objects.filter(event="order_held").count() == 1
    seal()
    assert list(faults_of_the_log()) == []


def test_the_history_is_written_in_few_statements_and_in_order_of_time() -> None:
    """A history page shows an account's movements by their sequence."""
    lived = demo.live(demo.make_people(), NOON)
    next(lived)
    with CaptureQueriesContext(connection) as statements:
        done, total = next(step for step in lived if step[0] > step[1] - 10)
    assert done > 2_000
    assert len(statements) < 600
    assert list(lived)[-1] == (total, total)
    for account in BankAccount.objects.filter(owner__isnull=False):
        times = list(Entry.objects.filter(account=account).order_by("sequence").values_list("posted_at", flat=True))
        assert [account.opened_at, *times, NOON] == sorted([account.opened_at, *times, NOON])


def test_three_statements_of_alice_equal_the_ledger(browser_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """R3.7: the sums on paper, in plain Python from the rows."""
    monkeypatch.setattr(planning, "MONTHS", 3)
    with time_machine.travel(NOON, tick=False):
        seed()
        client = browser_of(User.objects.get(email="alice@example.com"))
        account = BankAccount.objects.get(owner__email="alice@example.com", nickname="Everyday")
        entries = list(Entry.objects.filter(account=account).order_by("sequence"))
        for number in (8, 9, 10):
            month = Month(2026, number)
            text = text_of(client.get(f"/accounts/{account.public_id}/statements/2026/{number}/").content)
            rows = [entry for entry in entries if month.starts_at <= entry.posted_at < month.ends_at]
            sums = {side: sum((e.amount for e in rows if e.direction == side), Decimal(0)) for side in Direction}
            before = [entry.balance_after for entry in entries if entry.posted_at < month.starts_at][-1]
            assert len(rows) > 25
            assert amount_after("Opening balance", text) == before
            assert amount_after("In", text) == sums[Direction.CREDIT]
            assert amount_after("Out", text) == sums[Direction.DEBIT]
            assert amount_after("Closing balance", text) == before + sums[Direction.CREDIT] - sums[Direction.DEBIT]
            assert amount_after("Closing balance", text) == rows[-1].balance_after
            assert "Salary" in text
            assert "Rent" in text


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
