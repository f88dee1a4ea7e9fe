"""`manage.py seed_demo`: people of every role with months of history, in demo mode only (R9.2)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import demo_people
from accounts.models import BankAccount, User
from accounts.roles import Role
from audit.models import AuditEntry
from audit.sealing import seal
from audit.verification import faults as faults_of_the_log
from foundation.models import OutboxMessage
from transfers import demo
from transfers.demo import planning, writing
from transfers.ledger import verification
from transfers.models import Direction, Entry, NameCheck, Payee, Transaction, TransferOrder
from transfers.periods import Month
from transfers.tests.test_seed_demo import history, seed
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


@pytest.mark.usefixtures("one_month")
def test_interrupted_and_run_again_it_makes_the_whole_history_without_doubles() -> None:
    """After the accounts, after a batch or some, among the last day's payments."""
    pasts: list[list[tuple]] = []
    for interrupted_after in (None, 1, 2, 4, 9):
        point = transaction.savepoint()
        if interrupted_after:
            lived = demo.live(demo.make_people(), NOON)
            for _ in range(interrupted_after):
                next(lived)
            assert len(history()) < len(pasts[0])
            assert not demo.is_seeded()
        with time_machine.travel(NOON + timedelta(hours=1)):
            seed()
        assert list(verification.faults()) == []
        pasts.append(history())
        transaction.savepoint_rollback(point)
    assert all(past == pasts[0] for past in pasts)
    assert len(pasts[0]) > 500


@pytest.mark.usefixtures("one_month")
def test_run_again_in_another_month_it_goes_on_with_the_same_history() -> None:
    lived = demo.live(demo.make_people(), NOON)
    opened = BankAccount.objects.filter(owner__isnull=False).count
    assert [next(lived)[0] for _ in range(4)] == [0, opened(), opened() + 100, opened() + 200]
    begun = list(Transaction.objects.order_by("created_at", "pk").values_list("created_at", "amount"))
    with time_machine.travel(NOON + timedelta(days=30)):
        seed()
    assert list(verification.faults()) == []
    times = list(Transaction.objects.order_by("created_at", "pk").values_list("created_at", "amount"))
    assert times[: len(begun)] == begun
    assert times[-1][0] > NOON + timedelta(days=29)
    assert BankAccount.objects.filter(owner__isnull=False).count() == 22


@pytest.mark.usefixtures("one_month")
def test_half_a_demo_bank_of_an_earlier_version_gets_what_it_lacks(make_user: Callable, open_account: Callable) -> None:
    open_account(make_user("Alice", email="alice@example.com"), "2150.00")
    seed()
    assert demo.is_seeded()
    assert list(verification.faults()) == []


@pytest.mark.usefixtures("one_month")
def test_everybody_can_sign_in_with_the_printed_password_and_a_code() -> None:
    """R1.3, R9.1."""
    text = seed()
    assert demo_people.DEMO_PASSWORD in text
    for person in (*demo_people.PEOPLE, *demo_people.NEIGHBOURS):
        client = Client()
        page = client.post(reverse("sign_in"), {"email": person.email, "password": demo_people.DEMO_PASSWORD})
        assert page["Location"] == reverse("sign_in_code")
        code = StringIO()
        call_command("demo_code", person.email, stdout=code)
        client.post(page["Location"], {"code": code.getvalue().strip()})
        home = client.get("/")
        assert home["Location"] == reverse("dashboard" if person.role == Role.CUSTOMER else "admin:index")
        assert client.get(home["Location"]).status_code == 200


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
    held: Any = TransferOrder.objects.get(transaction=None)
    assert (held.state, held.source.owner.first_name) == ("held", "Nordlicht Studio GmbH")
    assert set(held.alerts.values_list("rule", "state")) == {("large_amount", "open"), ("suspicious_amount", "open")}
    assert f"16 people and {TransferOrder.objects.count()} movements" in text
    assert times[-1] - times[0] > timedelta(weeks=26)
    assert times[-1] <= timezone.now()
    # As through the services: each movement is audited, each payee known, the latest are mailed.
    orders = TransferOrder.objects.exclude(pk=held.pk).values_list("public_id", flat=True)
    audited = AuditEntry.objects.exclude(evidence_digest="").values_list("subject_id", flat=True)
    without = Transaction.objects.filter(kind__in=["interest", "reversal"]).values_list("pk", flat=True)
    assert sorted(audited) == sorted(str(subject) for subject in (*orders, *without))
    assert not AuditEntry.objects.filter(action__endswith="_REFUSED").exists()
    paid = (
        TransferOrder.objects.filter(kind="payment").exclude(pk=held.pk).values_list("initiator", "target").distinct()
    )
    assert set(Payee.objects.values_list("customer", "account")) == set(paid)
    assert OutboxMessage.objects.filter(event="payment_posted").count() == 8
    assert OutboxMessage.objects.filter(event="transaction_reversed").count() == 1
    # R3.6: one payee's name was not confirmed, and was paid anyway.
    (unconfirmed,) = TransferOrder.objects.filter(name_check=NameCheck.NO_MATCH)
    assert (unconfirmed.payee_name_typed, unconfirmed.initiator.email) == ("Petra Horvat", "alice@example.com")
    (payee,) = Payee.objects.exclude(typed_name="")
    assert (payee.customer_id, payee.account_id) == (unconfirmed.initiator_id, unconfirmed.target_id)
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
