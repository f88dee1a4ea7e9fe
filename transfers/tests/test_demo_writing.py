"""The demo's history in bulk: it leaves what the services would have left, and only in the demo (R9.2)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import BankAccount
from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests import acts
from transfers.demo import writing
from transfers.demo.habits import CASH
from transfers.demo.planning import Movement
from transfers.demo.writing import instructions, write_history
from transfers.ledger import evidence, verification
from transfers.ledger.posting import InsufficientFunds
from transfers.models import CustomerLimit, Entry, OrderKind, Payee, TransferOrder
from transfers.orders import cash
from transfers.orders.instruction import Instruction

BEGIN = timezone.now() - timedelta(days=9)


@pytest.fixture(autouse=True)
def demo_mode(settings: Any) -> None:
    settings.DEMO = True


@pytest.fixture
def wanted(alice: Any, bob: Any, open_account: Callable) -> Callable[..., list[Instruction]]:
    """The movements as orders of Alice, who has `alice.everyday` and `alice.savings`, and of Bob."""
    accounts = {
        "alice.everyday": open_account(alice, "50.00"),
        "alice.savings": open_account(alice),
        "bob.checking": open_account(bob),
    }

    def make(*movements: tuple[str, str, str]) -> list[Instruction]:
        return instructions(
            [
                Movement(f"seed-{n:05}", BEGIN + timedelta(hours=n), source, target, Decimal(amount), f"No. {n} – é")
                for n, (source, target, amount) in enumerate(movements)
            ],
            {"alice": alice, "bob": bob},
            accounts,
        )

    return make


OF_EACH_KIND = (
    (CASH, "alice.everyday", "200.00"),
    ("alice.everyday", CASH, "20.00"),
    ("alice.everyday", "alice.savings", "75.50"),
    ("alice.everyday", "bob.checking", "12.34"),
    ("alice.everyday", "bob.checking", "1.00"),
    ("bob.checking", "alice.everyday", "3.21"),
)


def by_the_services(wanted: list[Instruction]) -> None:
    for one in wanted:
        common: dict[str, Any] = {
            "actor": one.actor, "amount": one.amount, "description": one.description, "at": one.at,
            "idempotency_key": one.idempotency_key,
        }  # fmt: skip
        if one.kind == OrderKind.DEPOSIT:
            cash.deposit(account=one.target, **common)
        elif one.kind == OrderKind.WITHDRAWAL:
            cash.withdraw(account=one.source, **common)
        else:
            acts.transfer(source=one.source, target=one.target, name_given=one.name_given, **common)


def left_behind() -> list[Any]:
    """Return every column, except for keys that are made up on the way and their consequences."""
    made_up = {"id", "public_id", "transaction_id", "subject_id", "evidence_digest"}
    rows: list[Any] = [
        {name: value for name, value in row.items() if name not in made_up}
        for model in (TransferOrder, Entry, AuditEntry, Payee)
        for row in model._default_manager.order_by("pk").values()
    ]
    # The demo's people are not asked for codes.
    rows = [row for row in rows if not row.get("action", "").startswith("STEP_UP")]
    for row in rows:
        row.get("details", {}).pop("reference", None)
    return [*rows, *BankAccount.objects.order_by("pk").values("balance", "last_sequence")]


def test_it_leaves_behind_what_the_services_do(wanted: Any) -> None:
    orders = wanted(*OF_EACH_KIND)
    before, point = left_behind(), transaction.savepoint()
    by_the_services(orders)
    expected = left_behind()
    transaction.savepoint_rollback(point)
    assert left_behind() == before != expected
    assert list(write_history(orders)) == [6]
    assert left_behind() == expected
    assert list(verification.faults()) == []


def test_the_audit_log_has_the_evidence_of_each(wanted: Any) -> None:
    """R6.3."""
    orders = wanted(*OF_EACH_KIND)
    before = set(AuditEntry.objects.values_list("pk", flat=True))
    list(write_history(orders))
    entries = list(AuditEntry.objects.exclude(pk__in=before))
    assert len(entries) == len(orders)
    assert evidence.faults(entries) == {}
    references = TransferOrder.objects.values_list("public_id", "transaction__reference")
    assert {entry.subject_id: entry.details["reference"] for entry in entries}.items() <= {
        (str(public_id), reference) for public_id, reference in references
    }


def test_nobody_is_mailed_and_no_limit_is_charged(wanted: Any) -> None:
    orders = wanted(*OF_EACH_KIND)
    mails, limits = OutboxMessage.objects.count(), list(CustomerLimit.objects.values())
    list(write_history(orders))
    assert (OutboxMessage.objects.count(), list(CustomerLimit.objects.values())) == (mails, limits)


def test_what_is_there_is_not_written_again(wanted: Any, books: Callable) -> None:
    orders = wanted(*OF_EACH_KIND)
    by_the_services(orders[:2])
    assert list(write_history(orders)) == [6]
    once = books()
    list(write_history(orders))
    assert books() == once
    assert list(verification.faults()) == []


def test_a_batch_that_overdraws_is_not_written_and_those_before_it_stay(
    wanted: Any, books: Callable, monkeypatch: Any
) -> None:
    monkeypatch.setattr(writing, "BATCH", 2)
    orders = wanted((CASH, "alice.everyday", "10.00"), *[("alice.everyday", "bob.checking", "59.00")] * 2)
    batches = write_history(orders)
    assert next(batches) == 2
    before = books()
    with pytest.raises(InsufficientFunds):
        next(batches)
    assert books() == before


def test_payees_are_known_from_the_first_payment_to_the_last(
    wanted: Any, alice: Any, bob: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(writing, "BATCH", 2)
    list(write_history(wanted(*[("alice.everyday", "bob.checking", "1.00")] * 5, ("bob.checking", CASH, "1.00"))))
    (payee,) = Payee.objects.all()
    assert (payee.customer, payee.account.owner, payee.label) == (alice, bob, "")
    assert (payee.first_paid_at, payee.last_paid_at) == (BEGIN, BEGIN + timedelta(hours=4))


def test_it_refuses_outside_demo_mode(wanted: Any, books: Callable, settings: Any) -> None:
    settings.DEMO = False
    before = books()
    with pytest.raises(RuntimeError, match="demo mode only"):
        list(write_history(wanted(*OF_EACH_KIND)))
    assert books() == before
