"""The mails of this app: which event is told to whom. `accounts.apps` registers them; `foundation.outbox` says how a
line is read. Transfers and support use the audiences with public names."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.models import BankAccount, EmailChange, PasswordReset, PendingAct, PendingState, Registration, User
from accounts.permission import second_person
from accounts.sign_in.emails import user_by_email
from foundation.outbox import Audience, Notice, Payload, Rows, Told

# --- Who is told ------------------------------------------------------------------------------------------------


def about_user(user: User) -> Told:
    return user.email, {"first_name": user.first_name}


def about_account(account: BankAccount) -> Told:
    """Return the owner's address, and what a mail calls them and the account.

    Raises:
        ValueError: the account is the bank's own.
    """
    if account.owner is None:
        raise ValueError("The bank's own accounts have nobody to write to.")
    email, about = about_user(account.owner)
    return email, about | {"account_name": account.display_name, "own_number": account.masked_number}


def _both_emails(user: User, payload: Payload) -> Iterable[Told]:
    """Tell both addresses: the owner of the old one must learn it where they read, even if an impostor talked the bank
    into the change (R1.8)."""
    email, about = about_user(user)
    return [(payload["old_email"], about), (email, about)]


def _who_signs_in_with_it(row: None, payload: Payload) -> Iterable[Told]:
    """Tell the user with this address, if there is one: looked up here, and not where the guesses come in."""
    user = user_by_email(payload["email"])
    return [about_user(user)] if user is not None and user.can_sign_in else []


_USERS = Rows("user_id", User.objects.all())
USER = Audience(lambda user, payload: [about_user(user)], _USERS)
OWNER = Audience(
    lambda account, payload: [about_account(account)],
    Rows("account_id", BankAccount.objects.select_related("owner")),
)
_BOTH_EMAILS = Audience(_both_emails, _USERS)
_ADDRESS = Audience(lambda row, payload: [(payload["email"], {})])
_WHO_SIGNS_IN_WITH_IT = Audience(_who_signs_in_with_it)


def _about_act(act: PendingAct) -> dict[str, Any]:
    return {
        "what": second_person.kind_of(act).said(act),
        "asked_by": act.asked_by.get_full_name(),
        "reason": act.reason,
        "effective_at": act.effective_at,
        "act_pk": act.pk,
    }


def _administrators(act: PendingAct, payload: Payload) -> Iterable[Told]:
    for user in second_person.told_of(act):
        email, about = about_user(user)
        yield email, about | _about_act(act)


def _whom_it_concerns(act: PendingAct, payload: Payload) -> Iterable[Told]:
    """Tell the person without a name in the greeting: a new address may be mistyped, and belong to a stranger."""
    what = second_person.kind_of(act).said_to_person(act)
    return [(payload["to"], {"what": what, "effective_at": act.effective_at})]


def _how_it_ended(act: PendingAct, payload: Payload) -> dict[str, Any]:
    return {
        "state_label": act.state_label.lower(),
        "is_done": act.state == PendingState.DONE,
        "decided_by": act.decided_by.get_full_name() if act.decided_by else "",
        "decision_reason": act.decision_reason,
    }


_ACTS = Rows("act_id", PendingAct.objects.select_related("asked_by", "person", "decided_by"))
_ADMINISTRATORS = Audience(_administrators, _ACTS)
_WHOM_IT_CONCERNS = Audience(_whom_it_concerns, _ACTS)

# These two greet nobody by name: a stranger could have typed a message into the name for the bank to deliver, and a
# mistyped address belongs to a stranger.
_WHO_REGISTERS = Audience(
    lambda registration, payload: [(registration.email, {})],
    Rows("registration_id", Registration.objects.all(), may_be_gone=True),
)
_NEW_ADDRESS = Audience(
    lambda change, payload: [(change.email, {})], Rows("change_id", EmailChange.objects.all(), may_be_gone=True)
)
_WHO_FORGOT_THE_PASSWORD = Audience(
    lambda reset, payload: [about_user(reset.whose)],
    Rows("reset_id", PasswordReset.objects.select_related("user"), may_be_gone=True),
)

# --- What a mail says beside that ---------------------------------------------------------------------------------


def _when(row: Any, payload: Payload) -> dict[str, Any]:
    return {"at": datetime.fromisoformat(payload["at"])}


def _what_was_changed(row: Any, payload: Payload) -> dict[str, Any]:
    return {"fields": [field.replace("_", " ") for field in payload["fields"]]}


def _whether_known(row: Any, payload: Payload) -> dict[str, Any]:
    """Say whether a user has this address and can sign in; only the bank can help a locked one."""
    return {"known": user_by_email(payload["email"]) is not None}


def link_hours(row: Any, payload: Payload) -> dict[str, Any]:
    return {"hours": settings.REGISTRATION_LINK_HOURS}


def link_minutes(row: Any, payload: Payload) -> dict[str, Any]:
    return {"minutes": settings.PASSWORD_RESET_LINK_MINUTES}


def _how_long_money_waits(user: User, payload: Payload) -> dict[str, Any]:
    """Say how long money waits: after a recovery code a customer's does; staff have none."""
    waits = payload.get("by_recovery_code", False) and not user.is_staff
    return {"wait_hours": settings.HARDENED_HOURS if waits else None}


MAILS = [
    Notice("registration_link", _WHO_REGISTERS),
    Notice("registration_taken", _ADDRESS),
    Notice("two_factor_enabled", USER),
    Notice("two_factor_replaced", USER, _how_long_money_waits),
    Notice("recovery_code_used", USER),
    Notice("recovery_codes_renewed", USER),
    Notice("password_changed", USER),
    Notice("password_reset_link", _WHO_FORGOT_THE_PASSWORD, link_minutes),
    Notice("password_reset_notice", _ADDRESS, _whether_known),
    Notice("sessions_ended", USER),
    Notice("device_new", USER, _when),
    Notice("api_token_reused", USER),
    Notice("locked_out", _WHO_SIGNS_IN_WITH_IT, _when),
    Notice("details_changed", USER, _what_was_changed),
    Notice("email_change_link", _NEW_ADDRESS, link_hours),
    Notice("email_change_taken", _ADDRESS),
    Notice("email_change_requested", USER),
    Notice("email_changed", _BOTH_EMAILS),
    Notice("pin_changed", USER),
    Notice("pin_locked", USER),
    Notice("pin_removed", USER),
    Notice("own_account_frozen", OWNER),
    # What staff did. None of these gives the reason: it is for colleagues and the audit log.
    Notice("user_locked", USER),
    Notice("user_unlocked", USER),
    Notice("user_deactivated", USER),
    Notice("user_reactivated", USER),
    Notice("role_changed", USER),
    Notice("details_changed_by_bank", USER, _what_was_changed),
    Notice("email_changed_by_bank", _BOTH_EMAILS),
    Notice("two_factor_reset", USER, link_hours),
    Notice("enrolment_link", USER, link_hours),
    Notice("pin_reset", USER),
    # What needs a second administrator. For administrators these do give the reason: they judge it.
    Notice("pending_act_asked", _ADMINISTRATORS),
    Notice("pending_act_announced", _WHOM_IT_CONCERNS),
    Notice("pending_act_ended", _ADMINISTRATORS, _how_it_ended),
    Notice("pending_act_called_off", _WHOM_IT_CONCERNS),
    Notice("pending_act_impossible", USER),
    Notice("account_frozen", OWNER),
    Notice("freeze_lifted", OWNER),
    Notice("account_unfrozen", OWNER),
]
