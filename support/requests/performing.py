"""What the approval of a request does: one step of the transaction that approves (R4.2).

Nobody else's rules are bent here: the service that makes the change accepts the approved request as its
authority, for its own verb and this row only, and refuses what it always refuses.
"""

from accounts.models import User
from accounts.permission.authority import ApprovedRequest
from support.models import ServiceRequest
from support.requests.kinds import kind_of


def perform(request: ServiceRequest, *, actor: User, reason: str) -> None:
    """Make the change that `request` asks for, inside the caller's transaction, in which it was approved.

    Raises:
        Refusal: whatever the changing service says no to.
    """
    kind = kind_of(request)
    subject = request.its_account if kind.is_about_an_account else request.customer
    # The services know their verbs by the values of the kinds.
    authority = ApprovedRequest(verb=request.kind, subject=subject, reference=str(request.public_id))
    kind.perform(request, actor=actor, reason=reason, authority=authority)
