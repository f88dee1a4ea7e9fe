"""The audit entry of a movement carries a digest that can be computed again from the ledger's rows (R6.3)."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import BankAccount
from audit.models import AuditEntry
from foundation.money import to_minor
from tests import acts
from tests.asvs import proves
from tests.plugin import triggers_off
from tests.tables import in_one_world
from transfers.ledger.digests import entry_text, movement_digest
from transfers.ledger.posting import PostedEntry, Posting
from transfers.models import Entry, Transaction, TransferOrder
from transfers.orders import cash


def digest_from_rows(pk: Any) -> str:
    """Read again what was written, as an auditor would."""
    row = Transaction.objects.get(pk=pk)
    entries = tuple(
        PostedEntry(
            entry.account_id, entry.direction, to_minor(entry.amount), to_minor(entry.balance_after), entry.sequence
        )
        for entry in Entry.objects.filter(transaction=row)
    )
    return Posting(
        transaction_id=row.pk,
        kind=row.kind,
        reference=row.reference,
        amount=to_minor(row.amount),
        description=row.description,
        initiated_by_id=row.initiated_by_id,
        reverses_id=row.reverses_id,
        created_at=row.created_at,
        entries=entries,
    ).digest


def digest_in_the_log(order: TransferOrder) -> str:
    return AuditEntry.objects.get(subject_type="transferorder", subject_id=str(order.public_id)).evidence_digest


@pytest.fixture
def orders(
    alice: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount, new_key: Callable
) -> list[TransferOrder]:
    made = {"actor": alice, "amount": Decimal("7.77")}
    return [
        cash.deposit(account=everyday, idempotency_key=new_key(), **made),
        cash.withdraw(account=everyday, idempotency_key=new_key(), **made),
        acts.transfer(source=everyday, target=savings, idempotency_key=new_key(), **made),
        acts.transfer(source=everyday, target=bobs, description="Übung “1”", idempotency_key=new_key(), **made),
    ]


def test_every_movement_is_in_the_log_with_its_digest(orders: list[TransferOrder], everyday: BankAccount) -> None:
    digests = [digest_in_the_log(order) for order in orders]
    assert digests == [digest_from_rows(order.transaction_id) for order in orders]
    assert len(set(digests)) == len(orders)


def test_an_opening_deposit_is_in_the_log_too(everyday: BankAccount) -> None:
    order = TransferOrder.objects.get(target=everyday)
    assert digest_in_the_log(order) == digest_from_rows(order.transaction_id)


@proves("V16.4.2")
@in_one_world(
    ("model", "change"),
    [
        (Transaction, "amount = amount + 1"),
        (Transaction, "description = 'something else'"),
        (Transaction, "kind = 'fee'"),
        (Transaction, "reference = '0000-0000-0000'"),
        (Transaction, "created_at = '2020-01-01 00:00:00'"),
        (Entry, "amount = amount + 1"),
        (Entry, "balance_after = balance_after + 1"),
    ],
)
def test_a_rewritten_ledger_no_longer_fits_the_log(orders: list[TransferOrder], model: Any, change: str) -> None:
    order = orders[-1]
    key = "id" if model is Transaction else "transaction_id"
    pk = Transaction._meta.pk.get_db_prep_value(order.transaction_id, connection)
    with triggers_off(model), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET {change} WHERE {key} = %s", [pk])
    assert digest_from_rows(order.transaction_id) != digest_in_the_log(order)


_TEXTS = st.text()
# SQLite keeps anything that is forced into a column of numbers.
_NUMBERS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.text(), st.floats(), st.none())


@given(
    texts=st.tuples(_TEXTS, _TEXTS, _TEXTS),
    numbers=st.tuples(_NUMBERS, _NUMBERS),
    reverses=st.one_of(st.just(""), st.uuids().map(str)),
    at=st.datetimes(timezones=st.just(UTC)),
    entries=st.lists(st.tuples(_NUMBERS, _TEXTS, _NUMBERS, _NUMBERS, _NUMBERS), max_size=3),
)
@settings(max_examples=60)
def test_the_text_of_a_digest_is_the_json_that_every_log_so_far_has(
    texts: Any, numbers: Any, reverses: str, at: datetime, entries: list[tuple]
) -> None:
    """Built by hand, for speed: with one extra space, no movement would match its report; with one unquoted text, it
    could pass for two columns."""
    own, (kind, reference, description), (amount, by) = str(UUID(int=7)), texts, numbers
    moment = at.isoformat(timespec="microseconds")
    head = [own, kind, reference, amount, description, by, reverses, moment]
    assert (
        movement_digest(
            *(own, kind, reference, amount, description, by, reverses, at), [entry_text(*entry) for entry in entries]
        )
        == sha256(json.dumps([head, entries]).encode()).hexdigest()
    )
