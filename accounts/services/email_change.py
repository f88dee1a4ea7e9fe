"""Changing the address one signs in with: asked with password and code, confirmed by a link at the new address,
told to the old one (R1.8). Whether somebody has the new address already is not revealed."""

from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError
from django.http import HttpRequest
from django.utils import timezone

from accounts import limiter, mail_links, outbox
from accounts.addresses import user_by_email
from accounts.concurrency import own_transaction
from accounts.mail_links import LinkInvalid
from accounts.models import EmailChange, PasswordReset, User, normalise_email
from accounts.roles import require_any_role
from accounts.services.fresh_code import verify_fresh_code
from accounts.services.passwords import check_own_password
from audit.actions import Action
from audit.services import record

_REQUESTS_OF_ONE_USER = limiter.Limit(times=5, window_seconds=3600)


class SameAddress(Exception):
    """It is the actor's address already."""

    code = "same_address"


def request_change(request: HttpRequest, *, actor: User, new_email: str, password: str, code: str) -> None:
    """Queue a mail to the new address, a link or a notice that it is taken, and one to the old. Nothing changes yet.

    Raises:
        PermissionDenied, SameAddress, WrongCurrentPassword, WrongCode, TryAgainIn
        TooOften: too many wrong passwords or codes, or too many requests of this user.
    """
    require_any_role(actor)
    email = normalise_email(new_email)
    if email == actor.email:
        raise SameAddress
    check_own_password(request, actor=actor, password=password)
    verify_fresh_code(request, actor=actor, code=code)
    limiter.take(f"email-change:{actor.pk}", _REQUESTS_OF_ONE_USER)
    _request(actor, email)


@own_transaction
def _request(actor: User, email: str) -> None:
    now = timezone.now()
    EmailChange.objects.filter(expires_at__lt=now).delete()
    EmailChange.objects.filter(user=actor).delete()
    if user_by_email(email) is not None:
        outbox.tell("email_change_taken", email=email)
    else:
        token = mail_links.new_token()
        change = EmailChange(
            user=actor,
            email=email,
            token_digest=mail_links.digest(token),
            expires_at=now + timedelta(hours=settings.REGISTRATION_LINK_HOURS),
        )
        change.save()
        outbox.tell("email_change_link", change_id=change.pk, token=token)
    record(Action.EMAIL_CHANGE_REQUESTED, actor=actor, subject=actor)
    outbox.tell("email_change_requested", user_id=actor.pk)


def change_for(*, actor: User, token: str) -> EmailChange:
    """The change behind a link, for the user who asked for it. Looking changes nothing.

    Raises:
        LinkInvalid: also for anybody else, the owner of a mistyped address included.
    """
    rows = EmailChange.objects.filter(user=actor, token_digest=mail_links.digest(token))
    row = rows.filter(expires_at__gt=timezone.now()).first()
    if row is None:
        raise LinkInvalid
    return row


def confirm_change(*, actor: User, token: str) -> None:
    """Make the confirmed address the one that the actor signs in with; tell both.

    Raises:
        PermissionDenied
        LinkInvalid: also when somebody else has taken the address meanwhile.
    """
    require_any_role(actor)
    try:
        _confirm(actor, token)
    except IntegrityError as error:  # taken between look and write
        raise LinkInvalid from error


@own_transaction
def _confirm(actor: User, token: str) -> None:
    user = User.objects.select_for_update().get(pk=actor.pk)
    email = change_for(actor=user, token=token).email
    EmailChange.objects.filter(user=user).delete()
    if user_by_email(email) is not None:
        raise LinkInvalid
    PasswordReset.objects.filter(user=user).delete()  # those links wait at the old address
    old_email, user.email = user.email, email
    user.save(update_fields=["email"])
    record(Action.EMAIL_CHANGED, actor=actor, subject=user)
    outbox.tell("email_changed", user_id=user.pk, old_email=old_email)
