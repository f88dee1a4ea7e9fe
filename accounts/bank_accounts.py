"""The account rows themselves. `transfers.accounts` decides when they change; nothing here moves money."""

import uuid
from datetime import datetime

from accounts import account_numbers
from accounts.models import AccountKind, AccountStatus, BankAccount, User
from foundation.compiled import Insert, Select
from foundation.keys.encryption import DecryptionFailed, lookup_digest, lookup_digests

_TRIES = 10

_insert = Insert(BankAccount)

_of_digests: Select = Select(
    lambda digests: BankAccount.objects.filter(number_digest__in=digests).values_list("pk"),
    BankAccount._meta.get_field("number_digest"),
)


def create(*, owner: User, kind: AccountKind, nickname: str, public_id: uuid.UUID, at: datetime) -> BankAccount:
    """Make a new, empty, active account under a number that no other account has."""
    number = _unused_number()
    account = BankAccount(
        public_id=public_id,
        owner=owner,
        kind=kind.value,
        number=number,
        number_digest=lookup_digest(number),
        nickname=nickname,
        opened_at=at,
    )
    _insert.save(account)
    return account


def rename(account: BankAccount, *, nickname: str) -> None:
    """Give another nickname, or none, to a row that the caller has locked."""
    account.nickname = nickname
    account.save(update_fields=["nickname"])


def close(account: BankAccount, *, at: datetime) -> None:
    """Mark a row as closed that the caller has locked and found empty."""
    account.status = AccountStatus.CLOSED
    account.closed_at = at
    account.save(update_fields=["status", "closed_at"])


def find_by_number(text: str) -> BankAccount | None:
    """Return the customer account with this number, spaces and hyphens allowed; None if there is none.

    Raises:
        InvalidAccountNumber: mistyped; nothing was looked up.
        DecryptionFailed: the digest found a row with another number: digests were swapped in the database to redirect
            payments (R8.1).
    """
    number = account_numbers.parse_number(text)
    rows = BankAccount.objects.filter(number_digest__in=lookup_digests(number)).select_related("owner")
    account = rows.first()
    if account is not None and account.number != number:
        raise DecryptionFailed("A look-up digest points at an account with another number.")
    return account


def _unused_number() -> str:
    for _ in range(_TRIES):
        number = account_numbers.new_number()
        if not _of_digests.rows(list(lookup_digests(number))):
            return number
    raise RuntimeError("No unused account number was found; is the random source sound?")
