"""The mails of this app. Importing it registers their writers (`accounts.apps`)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.addresses import user_by_email
from accounts.models import BankAccount, EmailChange, PasswordReset, Registration, User
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
    return [Mail(email, "password_reset_notice", {"known": user_by_email(email) is not None})]


@writes_mails_of("sessions_ended")
def sessions_ended(user_id: int, count: int) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "sessions_ended", {"first_name": user.first_name, "count": count})]


@writes_mails_of("device_new")
def device_new(user_id: int, at: str, device: str, network: str) -> Iterable[Mail]:
    return [_to_user(user_id, "device_new", at=datetime.fromisoformat(at), device=device, network=network)]


@writes_mails_of("api_token_reused")
def api_token_reused(user_id: int) -> Iterable[Mail]:
    return [_to_user(user_id, "api_token_reused")]


@writes_mails_of("locked_out")
def locked_out(email: str, at: str, network: str, minutes: int) -> Iterable[Mail]:
    """To whoever's address it is, if somebody signs in with it: looked up here, and not where the guesses come in."""
    user = user_by_email(email)
    if user is None or not user.can_sign_in:
        return []
    context = {"at": datetime.fromisoformat(at), "network": network, "minutes": minutes}
    return [_to_user(user.pk, "locked_out", **context)]


@writes_mails_of("details_changed")
def details_changed(user_id: int, fields: list[str]) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    names = [field.replace("_", " ") for field in fields]
    return [Mail(user.email, "details_changed", {"first_name": user.first_name, "fields": names})]


@writes_mails_of("email_change_link")
def email_change_link(change_id: int, token: str) -> Iterable[Mail]:
    """Greets nobody by name: the address may have been mistyped, and be a stranger's."""
    change = EmailChange.objects.filter(pk=change_id).first()
    if change is None:
        return []
    context = {"token": token, "hours": settings.REGISTRATION_LINK_HOURS}
    return [Mail(change.email, "email_change_link", context)]


@writes_mails_of("email_change_taken")
def email_change_taken(email: str) -> Iterable[Mail]:
    return [Mail(email, "email_change_taken", {})]


@writes_mails_of("email_change_requested")
def email_change_requested(user_id: int) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "email_change_requested", {"first_name": user.first_name})]


@writes_mails_of("email_changed")
def email_changed(user_id: int, old_email: str) -> Iterable[Mail]:
    """To both addresses: whoever had the old one must hear of it where they read."""
    user = User.objects.get(pk=user_id)
    context = {"first_name": user.first_name}
    return [Mail(to, "email_changed", context) for to in (old_email, user.email)]


@writes_mails_of("recovery_codes_renewed")
def recovery_codes_renewed(user_id: int) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "recovery_codes_renewed", {"first_name": user.first_name})]


@writes_mails_of("two_factor_replaced")
def two_factor_replaced(user_id: int, by_recovery_code: bool = False) -> Iterable[Mail]:
    """With a recovery code, a customer's money waits; whoever works here has none to wait for."""
    user = User.objects.get(pk=user_id)
    wait_hours = settings.HARDENED_HOURS if by_recovery_code and not user.is_staff else None
    return [_to_user(user_id, "two_factor_replaced", wait_hours=wait_hours)]


@writes_mails_of("pin_changed")
def pin_changed(user_id: int) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "pin_changed", {"first_name": user.first_name})]


@writes_mails_of("pin_locked")
def pin_locked(user_id: int) -> Iterable[Mail]:
    return [_to_user(user_id, "pin_locked")]


@writes_mails_of("pin_removed")
def pin_removed(user_id: int) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "pin_removed", {"first_name": user.first_name})]


# --- What staff did -----------------------------------------------------------------------------------------
# None of these gives the reason: it is written for colleagues and the audit log.


@writes_mails_of("user_locked")
def user_locked(user_id: int) -> Iterable[Mail]:
    return [_to_user(user_id, "user_locked")]


@writes_mails_of("user_unlocked")
def user_unlocked(user_id: int) -> Iterable[Mail]:
    return [_to_user(user_id, "user_unlocked")]


@writes_mails_of("role_changed")
def role_changed(user_id: int, role: str) -> Iterable[Mail]:
    return [_to_user(user_id, "role_changed", role=role)]


@writes_mails_of("details_changed_by_bank")
def details_changed_by_bank(user_id: int, fields: list[str]) -> Iterable[Mail]:
    names = [field.replace("_", " ") for field in fields]
    return [_to_user(user_id, "details_changed_by_bank", fields=names)]


@writes_mails_of("email_changed_by_bank")
def email_changed_by_bank(user_id: int, old_email: str) -> Iterable[Mail]:
    """To both addresses: if somebody talked the bank into it, its owner hears of it at the old one (R1.8)."""
    mail = _to_user(user_id, "email_changed_by_bank")
    return [replace(mail, to=old_email), mail]


@writes_mails_of("user_deactivated")
def user_deactivated(user_id: int) -> Iterable[Mail]:
    return [_to_user(user_id, "user_deactivated")]


@writes_mails_of("user_reactivated")
def user_reactivated(user_id: int) -> Iterable[Mail]:
    return [_to_user(user_id, "user_reactivated")]


@writes_mails_of("two_factor_reset")
def two_factor_reset(user_id: int, token: str) -> Iterable[Mail]:
    return [_to_user(user_id, "two_factor_reset", token=token, hours=settings.REGISTRATION_LINK_HOURS)]


@writes_mails_of("enrolment_link")
def enrolment_link(user_id: int, token: str) -> Iterable[Mail]:
    return [_to_user(user_id, "enrolment_link", token=token, hours=settings.REGISTRATION_LINK_HOURS)]


@writes_mails_of("pin_reset")
def pin_reset(user_id: int) -> Iterable[Mail]:
    return [_to_user(user_id, "pin_reset")]


@writes_mails_of("account_frozen")
def account_frozen(account_id: int) -> Iterable[Mail]:
    return [_to_owner(account_id, "account_frozen")]


@writes_mails_of("account_unfrozen")
def account_unfrozen(account_id: int) -> Iterable[Mail]:
    return [_to_owner(account_id, "account_unfrozen")]


def _to_user(user_id: int, template: str, **context: Any) -> Mail:
    user = User.objects.get(pk=user_id)
    return Mail(user.email, template, {"first_name": user.first_name} | context)


def _to_owner(account_id: int, template: str) -> Mail:
    account = BankAccount.objects.get(pk=account_id)
    if account.owner_id is None:
        raise ValueError("The bank's own accounts have nobody to write to.")
    names = {"account_name": account.display_name, "own_number": account.masked_number}
    return _to_user(account.owner_id, template, **names)
