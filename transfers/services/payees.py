"""Finding whom to pay. A service, since each look-up is counted: numbers could be tried out (R3.3)."""

import logging

from django.conf import settings

from accounts import limiter
from accounts.encryption import DecryptionFailed
from accounts.models import BankAccount, User
from accounts.roles import require
from accounts.services import bank_accounts
from transfers.services.sending import PayeeCannotReceive

logger = logging.getLogger(__name__)


def find_payee(*, actor: User, number: str) -> BankAccount:
    """The account with this number, to send money to; one of the actor's own, too.

    Raises:
        PermissionDenied
        InvalidAccountNumber: mistyped.
        PayeeCannotReceive: there is none, or it is not active, or its row was tampered with.
        TooOften: too many look-ups this hour.
    """
    require(actor, "transfers.transfer_own_money")
    limiter.take(f"payee:{actor.pk}", limiter.Limit(settings.PAYEE_LOOKUPS_PER_HOUR, 3600))
    try:
        account = bank_accounts.find_by_number(number)
    except DecryptionFailed as error:
        logger.critical("A payment was stopped: %s", error)
        raise PayeeCannotReceive from error
    if account is None or (not account.is_active and account.owner_id != actor.pk):
        raise PayeeCannotReceive
    return account
