"""Writing the plan into the bank in batches: the rows that the services would have left, in a few statements.

It is not a way to move money in a real bank: no limit is charged, no fraud rule is checked and nobody is mailed, since
everything is in the past. The ledger's rules hold as always.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.conf import settings

from accounts.models import BankAccount, User
from audit.services import record_many
from foundation.locking import lock
from foundation.transactions import own_transaction
from transfers.demo.habits import CASH
from transfers.demo.planning import Movement
from transfers.ledger import posting as ledger
from transfers.models import CustomerLimit, NameCheck, OrderKind, Payee, TransferOrder
from transfers.orders import cash, payee_names
from transfers.orders.instruction import Instruction
from transfers.orders.known_payees import KnownPayee
from transfers.orders.payee_names import NameGiven
from transfers.orders.records import mark_posted, movement_of, report_of_posted

BATCH = 500


def instructions(
    movements: Sequence[Movement], people: dict[str, User], accounts: dict[str, BankAccount]
) -> list[Instruction]:
    """Return the movements as orders of these people on these accounts."""
    tills = {key: cash.cash_account_for(account) for key, account in accounts.items()}
    return [
        Instruction(
            kind=movement.kind,
            actor=people[movement.actor],
            source=tills[movement.target] if movement.source == CASH else accounts[movement.source],
            target=tills[movement.source] if movement.target == CASH else accounts[movement.target],
            amount=movement.amount,
            idempotency_key=movement.key,
            at=movement.at,
            description=movement.text,
            name_given=by_their_name(accounts[movement.target]) if movement.kind == OrderKind.PAYMENT else None,
        )
        for movement in movements
    ]


def by_their_name(account: BankAccount) -> NameGiven:
    """Return the owner's full name as the typed one, and a match: people of the demo know each other's names."""
    return NameGiven(account.owner.get_full_name() if account.owner else "", NameCheck.MATCH)


def write_history(wanted: Sequence[Instruction]) -> Iterator[int]:
    """Write the missing orders, oldest first, each batch whole or not at all; yield how many are done after each batch.

    Raises:
        RuntimeError: the bank is not in demo mode.
        Refusal: from the ledger; the batch was not written.
    """
    if not settings.DEMO:
        raise RuntimeError("This exists in demo mode only.")
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        _write(batch)
        yield start + len(batch)


@own_transaction
def _write(batch: Sequence[Instruction]) -> None:
    _lock_limits(batch)
    missing = _missing(batch)
    orders = [one.as_order() for one in missing]
    payments = [(one, order) for one, order in zip(missing, orders, strict=True) if one.kind == OrderKind.PAYMENT]
    known = _name_payees(payments)
    postings = ledger.post_many([movement_of(order, at=order.created_at) for order in orders])
    for order, posting in zip(orders, postings, strict=True):
        mark_posted(order, posting)
    TransferOrder.objects.bulk_create(orders)
    record_many(report_of_posted(*written) for written in zip(orders, postings, strict=True))
    _remember_payees(payments, known)


def _lock_limits(batch: Sequence[Instruction]) -> None:
    """Lock the customers' limit rows, before any account: all that moves their money waits here, another seed too."""
    customers = {one.customer.pk for one in batch}
    list(lock(CustomerLimit.objects).filter(user__in=customers).order_by("pk"))


def _missing(batch: Sequence[Instruction]) -> list[Instruction]:
    known = set(
        TransferOrder.objects.filter(
            initiator__in={one.actor.pk for one in batch}, key_digest__in={one.key_digest for one in batch}
        ).values_list("initiator", "key_digest")
    )
    return [one for one in batch if (one.actor.pk, one.key_digest) not in known]


Payment = tuple[Instruction, TransferOrder]


def _name_payees(payments: Sequence[Payment]) -> list[Payee]:
    """Set on each order the result of the payee check, and whether it is a first payment; return whom the payers know
    so far."""
    rows = list(Payee.objects.filter(customer__in={one.customer.pk for one, _ in payments}))
    known = {(row.customer_id, row.account_id): KnownPayee(row.pk, row.typed_name, row.name_check) for row in rows}
    for one, order in payments:
        key = (one.customer.pk, one.target.pk)
        payee_names.put_on_order(order, one.name_given, known.get(key))
        known.setdefault(key, KnownPayee(0, order.payee_name_typed, order.name_check))
    return rows


def _remember_payees(payments: Sequence[Payment], known: list[Payee]) -> None:
    """Write the payees: everybody is a known payee from the first payment on."""
    times: dict[tuple[int, int], list[datetime]] = {}
    checks: dict[tuple[int, int], str] = {}
    for one, order in payments:
        times.setdefault((one.customer.pk, one.target.pk), []).append(one.at)
        checks[one.customer.pk, one.target.pk] = order.name_check
    for payee in known:
        payee.last_paid_at = max([payee.last_paid_at, *times.pop((payee.customer_id, payee.account_id), [])])
    Payee.objects.bulk_update(known, ["last_paid_at"], batch_size=200)
    Payee.objects.bulk_create(
        Payee(
            customer_id=customer,
            account_id=account,
            name_check=checks[customer, account],
            first_paid_at=min(paid),
            last_paid_at=max(paid),
        )
        for (customer, account), paid in times.items()
    )
