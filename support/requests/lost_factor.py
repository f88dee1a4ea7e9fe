"""For people who have lost the phone and the recovery codes: a request to reset two-factor, filed without signing in
(R4.2). It takes the password and a link in a mail; then two clerks, who know neither."""

from datetime import timedelta

from django.conf import settings

from accounts.models import User
from accounts.roles import require_any_role
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.limiter import limiter
from foundation.transactions import own_transaction
from support.models import LostFactorLink, RequestKind, ServiceRequest
from support.requests.services import save_new
from support.states import RequestState

_MAILS_TO_ONE_USER = limiter.Limit(times=3, window_seconds=3600)


def request_link(*, user: User) -> None:
    """Queue a mail with a link that files the request. `user` has given the right password, and nothing more.

    Staff may use it as well; administrators decide their request.

    Raises:
        PermissionDenied: a user without a role, or who may not sign in.
        TooOften
    """
    require_any_role(user)
    limiter.take(f"lost-factor:{user.pk}", _MAILS_TO_ONE_USER)
    _request_link(user)


@own_transaction
def _request_link(user: User) -> None:
    LostFactorLink.forget_expired()
    LostFactorLink.objects.filter(user=user).delete()
    link = LostFactorLink(user=user, stands_for=LostFactorLink.state_of(user))
    token = link.issue(lasts=timedelta(minutes=settings.PASSWORD_RESET_LINK_MINUTES))
    record(Action.TWO_FACTOR_LOST, actor=None, actor_label=user.email, subject=user, concerns=user)
    outbox.tell("lost_factor_link", link_id=link.pk, token=token)


@own_transaction
def confirm(*, token: str) -> None:
    """File the request to reset two-factor, unless one waits already. The token takes the place of an actor.

    Raises:
        LinkInvalid: also when the user may no longer sign in, or has changed password or address.
    """
    user = LostFactorLink.use_up(token).user
    waiting = ServiceRequest.objects.filter(
        customer=user, kind=RequestKind.RESET_TWO_FACTOR, state=RequestState.PENDING
    )
    if not waiting.exists():
        save_new(user, RequestKind.RESET_TWO_FACTOR)
