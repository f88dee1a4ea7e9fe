"""New recovery codes, and another authenticator app in place of the present one (R1.8)."""

import uuid
from collections.abc import Callable

import django_otp
from django.utils import timezone

from accounts.models import RecoveryCode, TotpDevice, User
from accounts.roles import require_any_role
from accounts.sign_in import two_factor
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from accounts.sign_in.sessions import rows as user_sessions
from accounts.sign_in.two_factor import WrongCode
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.locking import lock
from foundation.refusals import Refusal
from foundation.transactions import own_transaction

SECONDS = 10 * 60


class NothingToReplace(Refusal):
    """No code was given for a replacement, or too long ago; or another window was faster."""

    code = "nothing_to_replace"
    text = "There is nothing to replace."


def renew_recovery_codes(*, actor: User, code: str, origin: Origin) -> list[str]:
    """Return ten new recovery codes, shown only now; the old ones are worthless.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
    """
    require_any_role(actor)
    verify_fresh_code(actor=actor, code=code, origin=origin)
    rows, codes = two_factor.new_recovery_codes(actor)
    _renew(actor, rows)
    return codes


@own_transaction
def _renew(actor: User, rows: list[RecoveryCode]) -> None:
    _put_in_place(actor, rows)
    record(Action.RECOVERY_CODES_RENEWED, actor=actor, subject=actor)
    outbox.tell("recovery_codes_renewed", user_id=actor.pk)


def new_pending_device(*, actor: User, code: str, origin: Origin) -> TotpDevice:
    """Return a device for another app of the actor, instead of any that waited; `code` may be a recovery code.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
    """
    require_any_role(actor)
    verify_fresh_code(actor=actor, code=code, origin=origin, recovery_code_too=True)
    TotpDevice.objects.filter(user=actor, confirmed=False).delete()
    return two_factor.new_device(actor)


def replace_by(
    pending: TotpDevice,
    *,
    actor: User,
    code: str,
    kept_session: uuid.UUID,
    by_recovery_code: bool,
    on_replaced: Callable[[], object] = lambda: None,
) -> tuple[TotpDevice, list[str]]:
    """Make the waiting device the actor's only one, with a first code of it; return it and ten recovery codes. All
    sessions except `kept_session` end.

    Args:
        by_recovery_code: whether the replacement was begun with one. A finder of the paper may be an impostor, so
            `User.hardened_at` is set, as after a reset by the bank.
        on_replaced: called at the end of the same transaction; tokens are renewed there.

    Raises:
        PermissionDenied, NothingToReplace
        WrongCode: the device's throttle keeps count of it.
    """
    require_any_role(actor)
    device = django_otp.verify_token(actor, pending.persistent_id, code.replace(" ", ""))
    if not isinstance(device, TotpDevice):
        raise WrongCode
    rows, codes = two_factor.new_recovery_codes(actor)
    _replace(actor, device, rows, kept_session, by_recovery_code=by_recovery_code, on_replaced=on_replaced)
    return device, codes


@own_transaction
def _replace(
    actor: User,
    device: TotpDevice,
    rows: list[RecoveryCode],
    kept_session: uuid.UUID,
    *,
    by_recovery_code: bool,
    on_replaced: Callable[[], object] = lambda: None,
) -> None:
    row = _put_in_place(actor, rows)
    if not TotpDevice.objects.filter(pk=device.pk, confirmed=False).update(confirmed=True):
        raise NothingToReplace
    TotpDevice.objects.filter(user=actor).exclude(pk=device.pk).delete()
    user_sessions.mark_ended(actor, but=kept_session)
    if by_recovery_code:
        harden(row)
    by = "recovery_code" if by_recovery_code else "app"
    record(Action.TWO_FACTOR_REPLACED, actor=actor, subject=actor, details={"by": by})
    outbox.tell("two_factor_replaced", user_id=actor.pk, by_recovery_code=by_recovery_code)
    on_replaced()


def _put_in_place(actor: User, rows: list[RecoveryCode]) -> User:
    """Return the actor's row, locked: of two windows at once, one set of ten codes comes after the other."""
    row = lock(User.objects).get(pk=actor.pk)
    RecoveryCode.objects.filter(user=actor).delete()
    RecoveryCode.objects.bulk_create(rows)
    return row


def harden(row: User) -> None:
    row.hardened_at = timezone.now()
    row.save(update_fields=["hardened_at"])
