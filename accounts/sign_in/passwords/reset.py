"""A new password for a person who has forgotten theirs: by a link in a mail (R1.9).

The answer to a stranger, the statements and the number of mails are the same whether or not the address has a user
(ASVS V6.3.8). The link replaces only the password: it signs nobody in, and the code is still asked.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import Q

from accounts.models import PasswordReset, User, normalise_email
from accounts.sign_in.emails import user_by_email
from accounts.sign_in.mail_bounds import places_of_mail
from accounts.sign_in.passwords.change import save_new_password
from accounts.sign_in.passwords.hashing import make_hash
from accounts.sign_in.passwords.rules import check_new_password
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.hourly import HourlyBound
from foundation.limiter import limiter
from foundation.locking import lock
from foundation.mail_links import NO_ROW
from foundation.request_context import network_of
from foundation.transactions import own_transaction

# From all networks together, in one process and hour.
_RESETS = HourlyBound(each=1000, in_all=1000)


def request_reset(*, email: str, ip: str | None) -> None:
    """Queue one mail: a link to the user with this address, or a notice that no user with it can use one. A link that
    was sent before is worthless.

    Beyond a few mails an hour and a day to one address no more are sent, and nothing says so. The actor is the person
    who asks, signed out.

    Raises:
        TooOften: too many requests from this network, or from all.
    """
    email = normalise_email(email)
    limiter.take(f"reset:{network_of(ip)}", limiter.Limit(settings.PASSWORD_RESETS_PER_HOUR, 3600))
    _RESETS.require()
    try:
        limiter.take_all(places_of_mail("reset", email))
    except limiter.TooOften:
        return
    _request_reset(email)


@own_transaction
def _request_reset(email: str) -> None:
    user = user_by_email(email)
    whose = user if user is not None and user.can_sign_in else None
    # The later of two requests at once makes the link of the earlier worthless.
    list(lock(User.objects).filter(pk=whose.pk if whose else NO_ROW).values_list("pk"))
    PasswordReset.forget_expired()
    reset = PasswordReset(user=whose)
    token = reset.issue(lasts=timedelta(minutes=settings.PASSWORD_RESET_LINK_MINUTES))
    # For an address without a user the same statements run, and keep no row.
    worthless = Q(user=whose) & ~Q(pk=reset.pk) if whose else Q(pk=reset.pk)
    PasswordReset.objects.filter(worthless).delete()
    if whose:
        outbox.tell("password_reset_link", reset_id=reset.pk, token=token)
    else:
        outbox.tell("password_reset_notice", email=email)
    record(
        Action.PASSWORD_RESET_REQUESTED,
        actor=None,
        actor_label=email,
        concerns=user,
        details={"known": user is not None},
    )


def reset_password(*, token: str, new_password: str) -> None:
    """Set a new password; all sessions and other links of the user end. The token takes the place of an actor.

    Raises:
        LinkInvalid: also when the user may no longer sign in.
        ValidationError: the new password is too weak.
    """
    user = PasswordReset.find(token).whose
    check_new_password(new_password, user)
    _reset(token, make_hash(new_password))  # a slow hash must not hold a lock


@own_transaction
def _reset(token: str, password_hash: str) -> None:
    user = PasswordReset.use_up(token).whose
    user.password = password_hash
    save_new_password(user, action=Action.PASSWORD_RESET)
