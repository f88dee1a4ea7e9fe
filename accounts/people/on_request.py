"""Changes to a person that only an approved request of theirs allows (R4.2)."""

from accounts.models import RecoveryCode, TotpDevice, User
from accounts.people.common import end_what_was_begun, record_act, refuse_self, write_changes
from accounts.people.names import check_name
from accounts.permission.authority import ApprovedRequest, details_of, require_request
from accounts.permission.reasons import checked_reason
from accounts.roles import Role, require
from accounts.sign_in import enrolment_link
from accounts.sign_in.authenticator import harden
from audit.actions import Action
from foundation import outbox
from foundation.locking import lock
from foundation.refusals import WrongStatus
from foundation.transactions import own_transaction


class NothingToReset(WrongStatus):
    text = "There is nothing to reset: it was done already, or was never set up."


@own_transaction
def update_identity(
    *,
    actor: User,
    user: User,
    first_name: str,
    last_name: str,
    address: str,
    reason: str,
    authority: ApprovedRequest,
) -> list[str]:
    """Write the name and address that the person has proved, and return the names of the fields that changed.

    Args:
        first_name: "" leaves first and last name as they are.
        address: "" leaves it as it is.

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NameRefused: nobody may have this name.
    """
    row = _row_of_request(actor, user, "update_identity", authority)
    kept_reason = checked_reason(reason)
    wanted = {}
    if first_name:
        check_name(first_name, last_name)
        wanted = {"first_name": first_name, "last_name": last_name}
    if address:
        wanted["address"] = address
    changed = write_changes(row, wanted)
    if changed:
        record_act(Action.USER_UPDATED, actor, row, kept_reason, fields=changed, **details_of(authority))
        outbox.tell("details_changed_by_bank", user_id=row.pk, fields=changed)
    return changed


@own_transaction
def reset_two_factor(*, actor: User, user: User, reason: str, authority: ApprovedRequest) -> None:
    """Forget a person's authenticator app and recovery codes: they set up new ones with their password and a link in a
    mail.

    All their sessions end at once, and `User.hardened_at` is set (R1.8).

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NothingToReset
    """
    row = _row_of_request(actor, user, "reset_two_factor", authority)
    kept_reason = checked_reason(reason)
    devices, _ = TotpDevice.objects.filter(user=row).delete()
    if not devices:
        raise NothingToReset
    RecoveryCode.objects.filter(user=row).delete()
    harden(row)
    end_what_was_begun(row)
    record_act(Action.TWO_FACTOR_RESET, actor, row, kept_reason, **details_of(authority))
    outbox.tell("two_factor_reset", user_id=row.pk, token=enrolment_link.demand(row))


@own_transaction
def reset_pin(*, actor: User, user: User, reason: str, authority: ApprovedRequest) -> None:
    """Forget a person's PIN and its lock; they choose another on their profile.

    Raises:
        PermissionDenied, NotYourself, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NothingToReset
    """
    row = _row_of_request(actor, user, "reset_pin", authority)
    kept_reason = checked_reason(reason)
    if not row.has_pin and row.pin_locked_at is None:
        raise NothingToReset
    row.pin_hash, row.pin_failures, row.pin_locked_at = "", 0, None
    row.save(update_fields=["pin_hash", "pin_failures", "pin_locked_at"])
    record_act(Action.PIN_RESET, actor, row, kept_reason, **details_of(authority))
    outbox.tell("pin_reset", user_id=row.pk)


def _row_of_request(actor: User, user: User, verb: str, authority: ApprovedRequest) -> User:
    """Return the person's row, locked.

    Raises:
        PermissionDenied: also when the person is staff and the actor could not edit them directly: a clerk must not
            open an administrator's user to anybody who has the password.
        NotYourself
    """
    require_request(actor, verb=verb, subject=user, authority=authority)
    refuse_self(actor, user)
    row = lock(User.objects).get(pk=user.pk)
    if row.role != Role.CUSTOMER:
        require(actor, "accounts.edit_user")
    return row
