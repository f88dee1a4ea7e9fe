"""For the day the phone and the recovery codes are gone: a request to reset two-factor, filed without signing in
(R4.2). It takes the password and a link in a mail; then two clerks, who know neither."""

import hashlib
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts import limiter, mail_links, outbox
from accounts.concurrency import own_transaction
from accounts.mail_links import LinkInvalid
from accounts.models import User
from accounts.roles import require_any_role
from audit.actions import Action
from audit.services import record
from support.models import LostFactorLink, RequestKind, ServiceRequest
from support.requests.services import save_new
from support.states import RequestState

_MAILS_TO_ONE_USER = limiter.Limit(times=3, window_seconds=3600)


def request_link(*, user: User) -> None:
    """Queue a mail with a link that files the request. `user` has given the right password, and nothing more.

    Open to staff as well, whose request administrators decide.

    Raises:
        PermissionDenied: somebody without a role, or who may not sign in.
        TooOften
    """
    require_any_role(user)
    limiter.take(f"lost-factor:{user.pk}", _MAILS_TO_ONE_USER)
    _request_link(user)


@own_transaction
def _request_link(user: User) -> None:
    now = timezone.now()
    LostFactorLink.objects.filter(expires_at__lt=now).delete()
    LostFactorLink.objects.filter(user=user).delete()
    token = mail_links.new_token()
    link = LostFactorLink(
        user=user,
        token_digest=mail_links.digest(token),
        stands_for=_present_state(user),
        expires_at=now + timedelta(minutes=settings.PASSWORD_RESET_LINK_MINUTES),
    )
    link.save()
    record(Action.TWO_FACTOR_LOST, actor=None, actor_label=user.email, subject=user, concerns=user)
    outbox.tell("lost_factor_link", link_id=link.pk, token=token)


def link_for(token: str) -> LostFactorLink:
    """The link behind a token. Looking changes nothing: mail scanners follow links.

    Raises:
        LinkInvalid: also when the user may no longer sign in, or has another password or address by now.
    """
    rows = LostFactorLink.objects.select_related("user")
    row = rows.filter(token_digest=mail_links.digest(token), expires_at__gt=timezone.now()).first()
    if row is None or not row.user.can_sign_in or row.stands_for != _present_state(row.user):
        raise LinkInvalid
    return row


def confirm(*, token: str) -> None:
    """File the request to reset two-factor, unless one waits already. The token stands for the actor.

    Raises:
        LinkInvalid
    """
    _confirm(link_for(token).user_id, token)


@own_transaction
def _confirm(user_id: int, token: str) -> None:
    User.objects.select_for_update().get(pk=user_id)
    user = link_for(token).user  # still there, now that nobody else can use it
    LostFactorLink.objects.filter(user=user).delete()
    waiting = ServiceRequest.objects.filter(
        customer=user, kind=RequestKind.RESET_TWO_FACTOR, state=RequestState.PENDING
    )
    if not waiting.exists():
        save_new(user, RequestKind.RESET_TWO_FACTOR)


def _present_state(user: User) -> str:
    return hashlib.sha256(f"{user.get_session_auth_hash()}|{user.email}".encode()).hexdigest()
