"""Changing one's own e-mail address: asked with password and code, confirmed by a link at the new address, told to the
old one (R1.8). Whether the new address already has a user is not revealed."""

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError

from accounts.models import EmailChange, PasswordReset, User, normalise_email
from accounts.roles import require_any_role
from accounts.sign_in import enrolment_link
from accounts.sign_in.emails import user_by_email
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.mail_bounds import place_of_day
from accounts.sign_in.origin import Origin
from accounts.sign_in.passwords.change import check_own_password
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.limiter import limiter
from foundation.mail_links import NO_ROW, LinkInvalid
from foundation.refusals import Refusal
from foundation.transactions import own_transaction

_REQUESTS_OF_ONE_USER = limiter.Limit(times=5, window_seconds=3600)


class SameEmail(Refusal):
    """The address is already the actor's own."""

    code = "same_address"
    text = "This is your address already."


def request_change(
    *,
    actor: User,
    new_email: str,
    password: str,
    code: str,
    origin: Origin,
    on_new_hash: Callable[[], object] | None = None,
) -> None:
    """Queue one mail to the new address, with a link or a notice that the address is taken, and one to the old. Nothing
    changes yet.

    Args:
        on_new_hash: as in `check_own_password()`.

    Raises:
        PermissionDenied, SameEmail, WrongCurrentPassword, WrongCode, TryAgainIn
        TooOften: too many wrong passwords or codes, too many requests of this user, or mails to this address.
    """
    require_any_role(actor)
    email = normalise_email(new_email)
    if email == actor.email:
        raise SameEmail
    check_own_password(actor=actor, password=password, origin=origin, on_new_hash=on_new_hash)
    verify_fresh_code(actor=actor, code=code, origin=origin)
    limiter.take_all([limiter.Place(f"email-change:{actor.pk}", _REQUESTS_OF_ONE_USER), place_of_day(email)])
    _request(actor, email)


@own_transaction
def _request(actor: User, email: str) -> None:
    EmailChange.forget_expired()
    change = EmailChange(user=actor, email=email)
    token = change.issue(lasts=timedelta(hours=settings.REGISTRATION_LINK_HOURS))
    taken = user_by_email(email) is not None
    # Earlier links are worthless now. For a taken address the same statements run, and keep no row (ASVS V6.3.8).
    EmailChange.objects.filter(user=actor).exclude(pk=NO_ROW if taken else change.pk).delete()
    if taken:
        outbox.tell("email_change_taken", email=email)
    else:
        outbox.tell("email_change_link", change_id=change.pk, token=token)
    record(Action.EMAIL_CHANGE_REQUESTED, actor=actor, subject=actor)
    outbox.tell("email_change_requested", user_id=actor.pk)


def confirm_change(*, actor: User, token: str) -> None:
    """Make the confirmed address the one that the actor signs in with; tell both.

    Raises:
        PermissionDenied
        LinkInvalid: also for anybody other than the user who asked, such as the owner of a mistyped address, and when
            another user has taken the address meanwhile.
    """
    require_any_role(actor)
    try:
        _confirm(actor, token)
    except IntegrityError as error:  # taken between look and write
        raise LinkInvalid from error


@own_transaction
def _confirm(actor: User, token: str) -> None:
    change = EmailChange.use_up(token, user=actor)
    if user_by_email(change.email) is not None:
        raise LinkInvalid
    user = change.user
    # These links wait at the old address.
    PasswordReset.objects.filter(user=user).delete()
    enrolment_link.make_worthless(user)
    old_email, user.email = user.email, change.email
    user.save(update_fields=["email"])
    record(Action.EMAIL_CHANGED, actor=actor, subject=user)
    outbox.tell("email_changed", user_id=user.pk, old_email=old_email)
