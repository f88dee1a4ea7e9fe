from collections.abc import Mapping

from accounts import people
from accounts.models import BankAccount, User
from accounts.permission.authority import ApprovedRequest
from support.models import RequestKind, ServiceRequest
from support.requests.kind import KindOfRequest


class ResetTwoFactor(KindOfRequest):
    """Filed by a link in a mail, for a person who cannot sign in (`support.requests.lost_factor`): a stolen session
    must not ask for it."""

    kind = RequestKind.RESET_TWO_FACTOR
    icon = "lock"
    explanation = "Your authenticator app and recovery codes stop working, and you set up new ones when you sign in."
    approval_does = (
        "removes the authenticator app and all recovery codes and ends all sessions. Whoever "
        "signs in next with the password sets up new ones, so be sure whom you are talking to."
    )
    needs_two_clerks = True
    on_the_page = False

    def check(self, customer: User, account: BankAccount | None, payload: Mapping[str, str]) -> None:
        """Check nothing more: the password and the link were checked before it was filed."""

    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        people.reset_two_factor.joined(actor=actor, user=asked.customer, reason=reason, authority=authority)
