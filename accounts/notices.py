"""The mails of this app. Importing it registers their writers (`accounts.apps`)."""

from collections.abc import Iterable

from accounts.models import User
from accounts.outbox import Mail, writes_mails_of


@writes_mails_of("registration_link")
def registration_link(email: str, first_name: str, token: str) -> Iterable[Mail]:
    return [Mail(email, "registration_link", {"first_name": first_name, "token": token})]


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
