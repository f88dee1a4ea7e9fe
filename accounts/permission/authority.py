"""What right a person acts on others by: the permission of their role, or one approved service request (R4.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.core.exceptions import PermissionDenied
from django.db.models import Model

from accounts.models import User
from accounts.roles import require

_APPROVES = "support.decide_request"  # declared by the app above, which is not imported here


@dataclass(frozen=True)
class ApprovedRequest:
    """Permission for one verb on one row. Only `support` makes it, inside the transaction that approves the request, so
    it is worthless a moment later and for anything else."""

    verb: str
    subject: Model
    reference: str  # the request's public id, for the audit log
    # Where it takes two administrators: who was the second one, or that a day has passed instead; for the log, too.
    second: Mapping[str, str] = field(default_factory=dict)
    # For an account: which of its freezes the approver has read (`accounts.freezes.version_of`); None: unknown.
    seen: int | None = None


def require_authority(
    actor: User, permission: str, *, verb: str, subject: Model, authority: ApprovedRequest | None
) -> None:
    """Refuse unless the actor's role has `permission`, or `authority` is for exactly this verb and row and the actor
    may approve it.

    Raises:
        PermissionDenied
    """
    if authority is None:
        require(actor, permission)
    else:
        require_request(actor, verb=verb, subject=subject, authority=authority)


def require_request(actor: User, *, verb: str, subject: Model, authority: ApprovedRequest) -> None:
    """Refuse unless `authority` is for exactly this verb and row, and the actor may approve: for acts that no role
    allows alone.

    Raises:
        PermissionDenied
    """
    require(actor, _APPROVES)
    if not isinstance(authority, ApprovedRequest):
        raise PermissionDenied(f"{verb} needs an approved request.")
    if (authority.verb, authority.subject) != (verb, subject):
        raise PermissionDenied(f"Request {authority.reference} is not for {verb} of {subject}.")


def details_of(authority: ApprovedRequest | None) -> dict[str, str]:
    """Return what the audit log says about it."""
    return {"request": authority.reference, **authority.second} if authority else {}
