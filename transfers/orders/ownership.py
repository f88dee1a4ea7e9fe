"""Who owns an account, and whether it is still as the bank made it: checked before money moves in or out."""

import logging

from accounts.models import BankAccount, User
from accounts.roles import Role
from foundation.keys.encryption import DecryptionFailed
from foundation.refusals import NotFound, NotYourself, Refusal

logger = logging.getLogger(__name__)


class NotYourAccount(NotFound):
    """The account belongs to another customer. Pages and API answer as if it did not exist: 404 (R1.7)."""


class NotACustomer(Refusal):
    code = "not_a_customer"
    text = "Only customers whom the bank has not deactivated have accounts."
    status = 403


class NotACustomersAccount(Refusal):
    code = "not_a_customers_account"
    text = "This is one of the bank's own accounts, not a customer's."


class AccountUnreadable(Refusal):
    """Its number does not open for its row and owner: they were changed in the database."""

    code = "account_unreadable"
    text = "Something is wrong with this account, so no money moves in or out of it. Please write to us."


def require_untouched(*accounts: BankAccount) -> None:
    """Refuse if a customer's account was given to another owner in the database: its number, sealed for the first one,
    does not open any more (R8.1).

    Raises:
        AccountUnreadable
    """
    for account in accounts:
        try:
            if not account.is_internal and not account.number:
                raise DecryptionFailed("A customer's account has no number.")
        except DecryptionFailed as error:
            logger.critical("Money was stopped at account %s: %s", account.pk, error)
            raise AccountUnreadable from error


def require_owner(actor: User, account: BankAccount) -> None:
    """Refuse unless `account` is the actor's own.

    Raises:
        NotYourAccount
    """
    if account.owner_id != actor.pk:
        raise NotYourAccount


def served_customer(actor: User, account: BankAccount) -> User:
    """Return the owner of this account, for staff who act on it.

    Raises:
        NotACustomersAccount
        NotYourself: it is the actor's own.
    """
    if account.owner is None:
        raise NotACustomersAccount
    if account.owner_id == actor.pk:
        raise NotYourself
    return account.owner


def require_customer(user: User) -> None:
    """Refuse unless the user may have accounts.

    Raises:
        NotACustomer: staff, deactivated, or without a role.
    """
    if user.role != Role.CUSTOMER or not user.is_active:
        raise NotACustomer
