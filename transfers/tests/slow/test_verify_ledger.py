"""`manage.py verify_ledger` finds what was altered behind the bank's back, and nothing else (R3.1, R9.2)."""

from decimal import Decimal
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import BankAccount
from audit.actions import Action
from audit.services import Report, record_many
from transfers.ledger import posting as ledger
from transfers.ledger import verification
from transfers.models import Transaction, TransactionKind


def test_thousands_of_rows_are_read_in_batches(alice: Any, everyday: BankAccount) -> None:
    """Each table once, in pieces: neither a query for each row nor all rows at once."""
    interest = BankAccount.objects.get(ledger_code="interest")
    legs = ledger.transfer_legs(debit=interest.pk, credit=everyday.pk, amount=Decimal("0.01"))
    postings = ledger.post_many([ledger.Planned(TransactionKind.INTEREST, legs, alice, timezone.now())] * 1500)
    record_many(
        Report(
            action=Action.TRANSFER_CREATED,
            actor=alice,
            subject=Transaction(pk=posting.transaction_id),
            evidence_digest=posting.digest,
        )
        for posting in postings
    )
    with CaptureQueriesContext(connection) as captured:
        assert list(verification.faults()) == []
    accounts, batches = BankAccount.objects.count(), -(-1501 // verification._BATCH)
    # For each account: its newest entry, the row, its entries, its holds. For each batch of transactions and of
    # orders: the batch and what belongs to it, reports included; and the batches of two long accounts.
    assert len(captured) <= 4 * accounts + 8 * batches + 8
    bounds = (" LIMIT ", " TOP ", " FETCH ", " IN (", "MAX(", "SUM(", '."id" = ', "[id] = ")
    unbounded = [query["sql"] for query in captured if not any(bound in query["sql"] for bound in bounds)]
    assert unbounded == []
