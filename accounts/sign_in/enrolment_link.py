"""After the bank has reset a person's second factor, setting up another takes the password and a link in a mail.

Otherwise a guessed password would be enough from the reset until its owner has enrolled again (R1.8). A user who had a
second factor and has none (they have signed in, or `User.hardened_at` is set) needs a link whatever rows exist: the
reset may be older than links are. A first enrolment needs none: a customer has just confirmed the address by a link,
and new users of staff have nothing to protect.
"""

from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import Q
from django.utils import timezone

from accounts.models import EnrolmentLink, TotpDevice, User
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.limiter import limiter
from foundation.locking import lock
from foundation.mail_links import LinkInvalid
from foundation.refusals import Refusal
from foundation.transactions import own_transaction

_KEY = "enrolment_link"
_MAILS_TO_ONE_USER = limiter.Limit(times=3, window_seconds=3600)


class LinkNeeded(Refusal):
    """The password alone does not set up another second factor: the link in the mail was not opened, or expired."""

    code = "link_needed"
    text = "Setting up two-factor again takes the link in the mail too."
    status = 403


def demand(user: User) -> str:
    """Require a link for this user's enrolment from now on; return its token. The caller's transaction has locked the
    user, since a user has one link."""
    link = EnrolmentLink.objects.filter(user=user).first() or EnrolmentLink(user=user)
    return link.issue(lasts=timedelta(hours=settings.REGISTRATION_LINK_HOURS))


def make_worthless(user: User) -> None:
    """Make the link that was sent worthless, since it may be in other hands; a link is still needed."""
    EnrolmentLink.objects.filter(user=user).update(expires_at=timezone.now())


def send_again(*, user: User) -> None:
    """Queue a mail with a link; the last one is worthless then. `user` has given the right password.

    Raises:
        TooOften
        LinkInvalid: no link is needed, or they may not sign in.
    """
    limiter.take(f"enrolment-link:{user.pk}", _MAILS_TO_ONE_USER)
    _send_again(user.pk)


@own_transaction
def _send_again(user_id: int) -> None:
    user = lock(User.objects).get(pk=user_id)
    if not user.can_sign_in or not (was_sent(user) or _had_a_second_factor(user)):
        raise LinkInvalid
    token = demand(user)
    record(Action.ENROLMENT_LINK_SENT, actor=None, actor_label=user.email, subject=user, concerns=user)
    outbox.tell("enrolment_link", user_id=user.pk, token=token)


def open_in(session: SessionBase, *, token: str) -> None:
    """Let this browser enrol, once the password has been given in it too.

    Raises:
        LinkInvalid: also when the user may no longer sign in.
    """
    session[_KEY] = EnrolmentLink.find(token).token_digest


def proof_in(session: SessionBase) -> str:
    """Return what this browser has opened, for `require_opened()`; "" if nothing."""
    return session.get(_KEY, "")


def forget_in(session: SessionBase) -> None:
    session.pop(_KEY, None)


def is_missing(user: User, proof: str) -> bool:
    """Return whether this user needs a link and the proof is not for it."""
    link = EnrolmentLink.objects.filter(user=user).first()
    if link is None:
        return _had_a_second_factor(user)
    return link.token_digest != proof or link.expires_at <= timezone.now()


def was_sent(user: User) -> bool:
    """Return whether a link was sent to this user; there may be none where the reset is older than links are."""
    return EnrolmentLink.objects.filter(user=user).exists()


def _had_a_second_factor(user: User) -> bool:
    """Return whether this user has no second factor, but had one. Nobody signs in without one, so a past sign-in proves
    it."""
    past = User.objects.filter(Q(last_login__isnull=False) | Q(hardened_at__isnull=False), pk=user.pk)
    return past.exists() and not TotpDevice.objects.filter(user=user, confirmed=True).exists()


def require_opened(user: User, proof: str) -> None:
    """Refuse unless this user needs no link, or has opened theirs.

    Raises:
        LinkNeeded
    """
    if is_missing(user, proof):
        raise LinkNeeded


def use_up(user: User) -> None:
    """End the need for a link, inside the caller's transaction, since another second factor is set up: the link is
    worthless."""
    EnrolmentLink.objects.filter(user=user).delete()
