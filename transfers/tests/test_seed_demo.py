"""`manage.py seed_demo`: people of every role with weeks of history, in demo mode only (R9.2)."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import demo_people
from accounts.models import BankAccount, TotpDevice, User
from accounts.roles import Role
from audit.models import AuditEntry
from transfers import demo, verification
from transfers.models import Entry, Transaction, TransferOrder


@pytest.fixture(autouse=True)
def demo_mode(settings: Any, db: Any) -> None:
    settings.DEMO = True


def seed() -> str:
    output = StringIO()
    call_command("seed_demo", stdout=output)
    return output.getvalue()


def counts() -> dict[str, int]:
    models = (User, TotpDevice, BankAccount, Transaction, Entry, TransferOrder, AuditEntry)
    return {model.__name__: model.objects.count() for model in models}


def history() -> list[tuple]:
    """What happened, but for when and under which ids."""
    rows = Entry.objects.order_by("account__owner__email", "account__kind", "sequence").filter(
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


def test_it_makes_people_of_every_role_and_weeks_of_history_that_add_up() -> None:
    text = seed()
    for person in (*demo_people.PEOPLE, demo_people.ADMIN):
        assert person.email in text
        assert User.objects.get(email=person.email).role == person.role
    assert {person.role for person in demo_people.PEOPLE} == set(Role)
    assert list(verification.faults()) == []
    times = list(Transaction.objects.order_by("created_at").values_list("created_at", flat=True))
    assert len(times) > 40
    assert times[-1] - times[0] > timedelta(weeks=5)
    assert times[-1] <= timezone.now()
    for name in ("alice", "bob", "zoe"):
        assert BankAccount.objects.filter(owner__email=f"{name}@example.com", last_sequence__gt=8).exists()
    # Made through the services: each movement is audited.
    orders = TransferOrder.objects.values_list("public_id", flat=True)
    audited = AuditEntry.objects.exclude(evidence_digest="").values_list("subject_id", flat=True)
    assert sorted(audited) == sorted(str(order) for order in orders)
    assert not AuditEntry.objects.filter(action__endswith="_REFUSED").exists()


def test_run_again_it_makes_nothing_twice() -> None:
    seed()
    before, past = counts(), history()
    assert "alice@example.com" in seed()
    assert (counts(), history()) == (before, past)
    with time_machine.travel(timezone.now() + timedelta(days=40)):
        seed()
    assert (counts(), history()) == (before, past)


@pytest.mark.slow
def test_interrupted_and_run_again_it_makes_the_whole_history_without_doubles() -> None:
    pasts: list[list[tuple]] = []
    for interrupted_after in (None, 1, 20):
        point = transaction.savepoint()
        if interrupted_after:
            for number in demo.live(demo.make_people()):
                if number >= interrupted_after:
                    break
            assert 0 < len(history()) < len(pasts[0])
            assert not demo.is_seeded()
        with time_machine.travel(timezone.now() + timedelta(hours=1)):
            seed()
        assert list(verification.faults()) == []
        pasts.append(history())
        transaction.savepoint_rollback(point)
    assert pasts[0] == pasts[1] == pasts[2]
    assert len(pasts[0]) > 60


@pytest.mark.slow
def test_everybody_can_sign_in_with_the_printed_password_and_a_code() -> None:
    """R1.3, R9.1."""
    text = seed()
    assert demo_people.DEMO_PASSWORD in text
    for person in demo_people.PEOPLE:
        client = Client()
        page = client.post(reverse("sign_in"), {"email": person.email, "password": demo_people.DEMO_PASSWORD})
        assert page["Location"] == reverse("sign_in_code")
        code = StringIO()
        call_command("demo_code", person.email, stdout=code)
        client.post(page["Location"], {"code": code.getvalue().strip()})
        home = client.get("/")
        assert home["Location"] == reverse("dashboard" if person.role == Role.CUSTOMER else "admin:index")
        assert client.get(home["Location"]).status_code == 200


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
