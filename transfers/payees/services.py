"""Finding whom to pay, and looking after the list of whom one has paid.

A service, since each look-up is counted: numbers could be tried out (R3.3). Who is on the list is not decided
here: a payment puts its payee there, in its own transaction (`orders.post_order`).
"""

import logging
from uuid import UUID

from django.conf import settings

from accounts import bank_accounts
from accounts.account_numbers import grouped, parse_number
from accounts.models import BankAccount, User
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation.idempotency import token_of
from foundation.keys.encryption import DecryptionFailed
from foundation.limiter import limiter
from foundation.refusals import NotFound
from foundation.transactions import own_transaction
from transfers.models import MAX_LABEL_CHARS, Payee
from transfers.orders import records as order_records
from transfers.orders.sending import PayeeCannotReceive
from transfers.payees import selectors as payee_selectors

logger = logging.getLogger(__name__)


class PayeeNotFound(NotFound):
    """There is none, or it is somebody else's. Pages and API answer alike: 404 (R1.7)."""


def find_payee(*, actor: User, number: str, idempotency_key: str = "") -> BankAccount:
    """The account with this number, to send money to; one of the actor's own, too.

    Args:
        idempotency_key: of a transfer that says number and all at once. The same again is no second look-up, and what
            was sent to this number under this key is found whatever has become of the account: the answer is known.

    Raises:
        PermissionDenied
        InvalidAccountNumber: mistyped.
        PayeeCannotReceive: there is none, or it is not active, or its row was tampered with.
        TooOften: too many look-ups this hour.
    """
    require(actor, "transfers.transfer_own_money")
    earlier = order_records.order_of_key(actor, idempotency_key) if idempotency_key else None
    if earlier is not None and payee_selectors.typed_number(earlier.target) == grouped(parse_number(number)):
        return earlier.target
    token = token_of(f"{idempotency_key} {number}") if idempotency_key else ""
    limiter.take(f"payee:{actor.pk}", limiter.Limit(settings.PAYEE_LOOKUPS_PER_HOUR, 3600), token=token)
    try:
        account = bank_accounts.find_by_number(number)
    except DecryptionFailed as error:
        logger.critical("A payment was stopped: %s", error)
        raise PayeeCannotReceive from error
    if account is None or (not account.is_active and account.owner_id != actor.pk):
        raise PayeeCannotReceive
    return account


@own_transaction
def rename_payee(*, actor: User, public_id: UUID, label: str) -> Payee:
    """Let the actor call a payee of theirs `label`; empty: by the payee's own name again.

    The audit log says that and which account, not what they are called now: that is the customer's own.

    Raises:
        PermissionDenied, PayeeNotFound
        ValueError: longer than a label is.
    """
    require(actor, "transfers.transfer_own_money")
    if len(label) > MAX_LABEL_CHARS:
        raise ValueError("The label is too long.")
    payee = _locked(actor, public_id)
    if payee.label != label:
        payee.label = label
        payee.save(update_fields=["label"])
        record(Action.PAYEE_RENAMED, actor=actor, subject=payee, details=_details(payee))
    return payee


@own_transaction
def remove_payee(*, actor: User, public_id: UUID) -> None:
    """Forget a payee of the actor's: the next payment to this account is a first one again (R3.6).

    Raises:
        PermissionDenied, PayeeNotFound
    """
    require(actor, "transfers.transfer_own_money")
    payee = _locked(actor, public_id)
    record(Action.PAYEE_REMOVED, actor=actor, subject=payee, details=_details(payee))
    payee.delete()


def _locked(actor: User, public_id: UUID) -> Payee:
    # Alone: on SQL Server a lock over a join would reach the first table only, and the account needs none.
    payee = Payee.objects.select_for_update().filter(customer=actor, public_id=public_id).first()
    if payee is None:
        raise PayeeNotFound
    return payee


def _details(payee: Payee) -> dict[str, str]:
    return {"account": payee.account.masked_number}
