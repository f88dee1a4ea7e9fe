"""The mails of this app. Importing it registers their writers (`accounts.apps`)."""

from collections.abc import Iterable

from django.conf import settings

from accounts.models import PasswordReset, Registration, User
from accounts.outbox import Mail, writes_mails_of


@writes_mails_of("registration_link")
def registration_link(registration_id: int, token: str) -> Iterable[Mail]:
    """Greets nobody by name: a stranger could have typed a message into it, for the bank to deliver."""
    registration = Registration.objects.filter(pk=registration_id).first()
    if registration is None:  # confirmed by another link, or expired, before the mail was written
        return []
    return [Mail(registration.email, "registration_link", {"token": token})]


@writes_mails_of("registration_taken")
def registration_taken(email: str) -> Iterable[Mail]:
    return [Mail(email, "registration_taken", {})]


@writes_mails_of("two_factor_enabled")
def two_factor_enabled(user_id: int) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "two_factor_enabled", {"first_name": user.first_name})]


@writes_mails_of("recovery_code_used")
def recovery_code_used(user_id: int, left: int) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "recovery_code_used", {"first_name": user.first_name, "left": left})]


@writes_mails_of("password_changed")
def password_changed(user_id: int) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "password_changed", {"first_name": user.first_name})]


@writes_mails_of("password_reset_link")
def password_reset_link(reset_id: int, token: str) -> Iterable[Mail]:
    reset = PasswordReset.objects.select_related("user").filter(pk=reset_id).first()
    if reset is None:  # another link was used, or this one expired, before the mail was written
        return []
    context = {"first_name": reset.user.first_name, "token": token, "minutes": settings.PASSWORD_RESET_LINK_MINUTES}
    return [Mail(reset.user.email, "password_reset_link", context)]


@writes_mails_of("password_reset_notice")
def password_reset_notice(email: str) -> Iterable[Mail]:
    """To an address that nobody can sign in with; to a locked user too, whom only the bank can help."""
    return [Mail(email, "password_reset_notice", {"known": User.objects.filter(email=email).exists()})]


@writes_mails_of("sessions_ended")
def sessions_ended(user_id: int, count: int) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "sessions_ended", {"first_name": user.first_name, "count": count})]
