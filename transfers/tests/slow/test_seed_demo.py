"""`manage.py seed_demo`: people of every role with months of history, in demo mode only (R9.2)."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts import demo_people
from accounts.models import BankAccount
from accounts.roles import Role
from transfers import demo, verification
from transfers.demo import planning, writing
from transfers.models import Transaction
from transfers.tests.test_seed_demo import NOON, history, seed


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
