"""`manage.py verify_ledger` finds what was altered behind the bank's back, and nothing else (R3.1, R9.2)."""

import re
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
    # For accounts, one slice: its keys, its rows, what waits on them, their entries. For transactions and for orders:
    # the slice, its sums; for each thousand transactions the sources of their digests, and the log's entries about
    # them.
    assert len(captured) <= 40
    bounds = (" LIMIT ", " TOP ", " FETCH ", " IN (", "MAX(", "SUM(", "COUNT(", '."id" = ', "[id] = ")
    unbounded = [query["sql"] for query in captured if not any(bound in query["sql"] for bound in bounds)]
    # A query without LIMIT is a slice between two keys.
    assert [sql for sql in unbounded if not re.search(r'(id"|id\]) <= ', sql)] == []
