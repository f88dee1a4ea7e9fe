"""Finding a payee and checking their name, and managing the list of payees.

A service, since each look-up is counted: otherwise numbers could be tried out (R3.3). Names could be, too: different
ones for one account are counted separately (R3.6). Who is on the list is not decided here: a payment adds its payee, in
its own transaction (`orders.known_payees`).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, F, FilteredRelation, Q, QuerySet

from accounts.account_numbers import InvalidAccountNumber, grouped, parse_number
from accounts.models import BankAccount, User
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation.compiled import Select
from foundation.idempotency import token_of
from foundation.keys.encryption import DecryptionFailed, lookup_digests
from foundation.limiter import limiter
from foundation.limiter.limiter import LimitsUnavailable, TooOften
from foundation.locking import lock
from foundation.refusals import NotFound
from foundation.transactions import own_transaction
from transfers.models import MAX_LABEL_CHARS, NameCheck, Payee
from transfers.orders import records as order_records
from transfers.orders.ownership import NotYourAccount
from transfers.orders.payee_names import NameGiven
from transfers.orders.sending import PayeeCannotReceive
from transfers.payees import selectors as payee_selectors
from transfers.payees.name_check import compare, guess_of
from transfers.payees.selectors import KnownAs, NamedPayee

logger = logging.getLogger(__name__)

# How many different names for one account are checked in a day; later ones are not checked.
NAMES_CHECKED_A_DAY = 5
# Counting goes on up to here, so that an answer beyond the bound takes as long as others. A person who means one payee
# never comes here.
_NAMES_A_DAY = limiter.Limit(times=100, window_seconds=24 * 3600)


def _with_digests(customer: Any, digests: Any) -> QuerySet[BankAccount]:
    """Return the accounts that have these digests, each with how the customer knows it, None in all if they never paid
    it."""
    known = FilteredRelation("payee_rows", condition=Q(payee_rows__customer=customer))
    columns = {f"payee_{name}": F(f"_payee__{name}") for name in ("label", "typed_name", "name_check")}
    accounts = BankAccount.objects.filter(number_digest__in=digests).select_related("owner")
    return accounts.annotate(_payee=known).annotate(**columns)


def _beside_own(customer: Any, digests: Any, owner: Any, own_digests: Any) -> QuerySet[BankAccount]:
    """Return the same, and none at all unless the owner has an account with the digests of their own: the time must not
    reveal which other accounts exist."""
    own = BankAccount.objects.filter(owner=owner, number_digest__in=own_digests)
    return _with_digests(customer, digests).filter(Exists(own))


_DIGEST = BankAccount._meta.get_field("number_digest")
_accounts: Select = Select(_with_digests, Payee._meta.get_field("customer"), _DIGEST)
_sides: Select = Select(
    _beside_own, Payee._meta.get_field("customer"), _DIGEST, BankAccount._meta.get_field("owner"), _DIGEST
)


class PayeeNotFound(NotFound):
    """There is none, or it belongs to another customer. Pages and API answer alike: 404 (R1.7)."""


@dataclass(frozen=True)
class FoundPayee:
    """An account that can be paid, how the actor knows it, and the name that they gave, checked; None if they gave
    none, or if it is their own account."""

    account: BankAccount
    known: KnownAs | None = None
    given: NameGiven | None = None

    def read_by(self, actor: User) -> NamedPayee:
        return payee_selectors.named(actor, self.account, self.known, self.given)


def find_payee(*, actor: User, number: str, name: str = "") -> FoundPayee:
    """Return the account with this number, to send money to; one of the actor's own, too. The look-up is counted,
    unless it finds one of their payees or their own accounts: they know those numbers. So is the name, unless it is the
    one by which they know the payee.

    Args:
        name: of the person or business, as the actor typed it; "" if they have not.

    Raises:
        PermissionDenied
        InvalidAccountNumber: mistyped.
        PayeeCannotReceive: there is none, or it is not active, or its row was tampered with.
        TooOften: too many look-ups this hour.
    """
    require(actor, "transfers.transfer_own_money")
    target = parse_number(number)
    digests = _digests_of([target])
    found = _by_number(digests, _accounts.instances(actor.pk, list(digests)))
    account = _payable(found, actor, target, token="")
    return _named(actor, account, name, is_skipped=False)


def find_sides(
    *,
    actor: User,
    source_number: str,
    target_number: str,
    idempotency_key: str,
    name: str = "",
    skip_check: bool = False,
) -> tuple[BankAccount, FoundPayee]:
    """Return both accounts of a transfer whose request names all numbers, in one statement: the actor's own, and the
    payee's, as `find_payee` finds it.

    Args:
        idempotency_key: of the transfer. A repeated request is not a second look-up, and an earlier transfer to this
            number under this key is found whatever the account's state is now: its answer is known.
        name, skip_check: the payee's name as the actor sent it, and whether they pay without a check of it.

    Raises:
        as `find_payee`
        NotYourAccount: the first is not the actor's.
    """
    require(actor, "transfers.transfer_own_money")
    try:
        source = parse_number(source_number)
    except InvalidAccountNumber as error:
        raise NotYourAccount from error
    target = parse_number(target_number)
    digests = _digests_of([source, target])
    found = _by_number(digests, _sides.instances(actor.pk, list(digests), actor.pk, list(lookup_digests(source))))
    own = found.get(source)
    if own is None or own.owner_id != actor.pk or payee_selectors.typed_number(own) != grouped(source):
        raise NotYourAccount
    try:
        account = _payable(found, actor, target, token=token_of(f"{idempotency_key} {target_number}"))
        return own, _named(actor, account, name, is_skipped=skip_check)
    except (PayeeCannotReceive, TooOften, LimitsUnavailable):
        earlier = order_records.order_of_key(actor, idempotency_key)
        if earlier is not None and payee_selectors.typed_number(earlier.target) == grouped(target):
            return own, FoundPayee(earlier.target, given=NameGiven.skipped(name) if name or skip_check else None)
        raise


def _payable(found: dict[str, BankAccount], actor: User, number: str, *, token: str) -> BankAccount:
    """Return the account with this number, if money can be sent there.

    Raises:
        PayeeCannotReceive, TooOften
    """
    account = found.get(number)
    is_own = account is not None and account.owner_id == actor.pk
    if account is None or not (is_own or _known_as(account)):
        limit = limiter.Limit(settings.PAYEE_LOOKUPS_PER_HOUR, 3600)
        limiter.take(f"payee:{actor.pk}", limit, token=token)
    if account is None or not (is_own or account.is_active) or not _is_untouched(account, number):
        raise PayeeCannotReceive
    return account


def _known_as(account: Any) -> KnownAs | None:
    """Return how the actor knows an account that was found."""
    if account.payee_name_check is None:
        return None
    return KnownAs(account.payee_label, account.payee_typed_name, account.payee_name_check)


def _named(actor: User, account: BankAccount, name: str, *, is_skipped: bool) -> FoundPayee:
    """Return the account with the name that the actor gave for it, checked if that tells them something.

    Raises:
        TooOften: more names in a day than a person can need for one payee.
    """
    known = _known_as(account)
    if account.owner_id == actor.pk or not (name or is_skipped):
        return FoundPayee(account, known)
    if known is not None and NameCheck(known.name_check).is_confirmed:
        check = NameCheck(known.name_check)
        given = NameGiven(name, check, all_the_same=is_skipped, is_another=_is_another(account, name))
    elif is_skipped:
        given = NameGiven.skipped(name)
    elif known is not None and guess_of(known.typed_name) == guess_of(name):
        given = NameGiven(name, NameCheck(known.name_check), all_the_same=True)
    else:
        given = NameGiven(name, _checked_name(actor, account, name))
    return FoundPayee(account, known, given)


def _is_another(account: BankAccount, name: str) -> bool:
    """Return whether the typed name, if any, is not the name of a payee whom the actor knows by their own: that is not
    a guess, since they read the name in full. The name itself is not a guess either, even if the check would not
    confirm it."""
    owner = account.owner
    if owner is None or not name or guess_of(name) == guess_of(owner.get_full_name()):
        return False
    return not compare(name, owner.first_name, owner.last_name).is_confirmed


def _checked_name(actor: User, account: BankAccount, name: str) -> NameCheck:
    """Return the result of the check of a name, if it is among the first of the day for this account.

    The statements are the same either way, so that the time reveals nothing.
    """
    owner = account.owner
    answer = compare(name, owner.first_name, owner.last_name) if owner is not None else NameCheck.NO_MATCH
    left = limiter.take(f"name:{actor.pk}:{account.pk}", _NAMES_A_DAY, token=token_of(guess_of(name)))
    is_checked = _NAMES_A_DAY.times - left <= NAMES_CHECKED_A_DAY
    return answer if is_checked else NameCheck.NOT_CHECKED


def _is_untouched(account: BankAccount, number: str) -> bool:
    """Return whether the row found by the digest of this number holds that number: otherwise digests were swapped in
    the database to redirect payments (R8.1)."""
    try:
        if account.number == number:
            return True
        logger.critical("A payment was stopped: the digest of account %s is another number's.", account.pk)
    except DecryptionFailed as error:
        logger.critical("A payment was stopped: %s", error)
    return False


def _digests_of(numbers: list[str]) -> dict[str, str]:
    """Return the numbers by their digests."""
    return {digest: number for number in numbers for digest in lookup_digests(number)}


def _by_number(digests: dict[str, str], accounts: Iterable[Any]) -> dict[str, BankAccount]:
    return {digests[account.number_digest]: account for account in accounts}


@own_transaction
def rename_payee(*, actor: User, public_id: UUID, label: str) -> Payee:
    """Give one of the actor's payees the name `label`; empty: the payee's own name again.

    The audit log names the account, not the label, which is private.

    Raises:
        PermissionDenied, PayeeNotFound
        ValueError: too long for a label.
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
    """Forget one of the actor's payees: the next payment to this account is a first one again (R3.6).

    Raises:
        PermissionDenied, PayeeNotFound
    """
    require(actor, "transfers.transfer_own_money")
    payee = _locked(actor, public_id)
    record(Action.PAYEE_REMOVED, actor=actor, subject=payee, details=_details(payee))
    payee.delete()


def _locked(actor: User, public_id: UUID) -> Payee:
    # Alone: on SQL Server a lock over a join would reach only the first table, and the account needs none.
    payee = lock(Payee.objects).filter(customer=actor, public_id=public_id).first()
    if payee is None:
        raise PayeeNotFound
    return payee


def _details(payee: Payee) -> dict[str, str]:
    return {"account": payee.account.masked_number}
