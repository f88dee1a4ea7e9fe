"""What the approval of a request does: one function for each kind, each of them one step of the transaction that
approves (R4.2).

Nobody else's rules are bent here: the service that makes the change accepts the approved request as its
authority, for its own verb and this row only, and refuses what it always refuses.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from accounts.authority import ApprovedRequest
from accounts.concurrency import joined
from accounts.models import BankAccount, User
from accounts.money import parse_amount
from accounts.services import account_status, people
from support.kinds import RequestKind
from support.models import ServiceRequest
from transfers.services import opening, own_limits


def perform(request: ServiceRequest, *, actor: User, reason: str) -> None:
    """Make the change that `request` asks for, inside the caller's transaction, in which it was approved.

    Raises:
        Refusal: whatever the changing service says no to.
    """
    PERFORMERS[RequestKind(request.kind)](request, actor, reason)


def _close_account(request: ServiceRequest, actor: User, reason: str) -> None:
    account = _account_of(request)
    authority = _authority(request, account)
    joined(opening.close_account_on_request)(actor=actor, account=account, reason=reason, authority=authority)


def _freeze_account(request: ServiceRequest, actor: User, reason: str) -> None:
    account = _account_of(request)
    authority = _authority(request, account)
    joined(account_status.freeze_account)(actor=actor, account=account, reason=reason, authority=authority)


def _unfreeze_account(request: ServiceRequest, actor: User, reason: str) -> None:
    account = _account_of(request)
    authority = _authority(request, account)
    joined(account_status.unfreeze_account)(actor=actor, account=account, reason=reason, authority=authority)


def _update_identity(request: ServiceRequest, actor: User, reason: str) -> None:
    customer = request.customer
    authority = _authority(request, customer)
    wanted = request.details
    joined(people.update_identity)(
        actor=actor,
        user=customer,
        first_name=wanted["first_name"],
        last_name=wanted["last_name"],
        address=wanted["address"],
        reason=reason,
        authority=authority,
    )


def _reset_two_factor(request: ServiceRequest, actor: User, reason: str) -> None:
    authority = _authority(request, request.customer)
    joined(people.reset_two_factor)(actor=actor, user=request.customer, reason=reason, authority=authority)


def _reset_pin(request: ServiceRequest, actor: User, reason: str) -> None:
    authority = _authority(request, request.customer)
    joined(people.reset_pin)(actor=actor, user=request.customer, reason=reason, authority=authority)


def _raise_daily_limit(request: ServiceRequest, actor: User, reason: str) -> None:
    authority = _authority(request, request.customer)
    joined(own_limits.raise_daily_limit)(
        actor=actor, customer=request.customer, amount=wanted_limit(request), reason=reason, authority=authority
    )


def wanted_limit(request: ServiceRequest) -> Decimal:
    """The daily limit that a request asks for (major units)."""
    return parse_amount(request.details["amount"])


PERFORMERS: Mapping[RequestKind, Callable[[ServiceRequest, User, str], None]] = {
    RequestKind.CLOSE_ACCOUNT: _close_account,
    RequestKind.FREEZE_ACCOUNT: _freeze_account,
    RequestKind.UNFREEZE_ACCOUNT: _unfreeze_account,
    RequestKind.UPDATE_IDENTITY: _update_identity,
    RequestKind.RESET_TWO_FACTOR: _reset_two_factor,
    RequestKind.RESET_PIN: _reset_pin,
    RequestKind.RAISE_DAILY_LIMIT: _raise_daily_limit,
}


def _account_of(request: ServiceRequest) -> BankAccount:
    if request.account is None:
        raise ValueError("A request of this kind is about an account.")
    return request.account


def _authority(request: ServiceRequest, subject: User | BankAccount) -> ApprovedRequest:
    # The services know their verbs by the values of the kinds.
    return ApprovedRequest(verb=request.kind, subject=subject, reference=str(request.public_id))
