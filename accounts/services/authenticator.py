"""New recovery codes, and another authenticator app in place of the present one (R1.8)."""

import uuid

import django_otp
from django.http import HttpRequest
from django.utils import timezone

from accounts import outbox
from accounts.concurrency import own_transaction
from accounts.models import RecoveryCode, TotpDevice, User
from accounts.roles import require_any_role
from accounts.services import two_factor, user_sessions
from accounts.services.fresh_code import verify_fresh_code
from accounts.services.people.common import harden
from accounts.services.sign_in import is_recovery_code
from accounts.services.two_factor import WrongCode
from audit.actions import Action
from audit.services import record
from foundation.refusals import Refusal

_KEY = "new_authenticator"
SECONDS = 10 * 60


class NothingToReplace(Refusal):
    """No code was given for a replacement, or too long ago; or another window was faster."""

    code = "nothing_to_replace"
    text = "There is nothing to replace."


def renew_recovery_codes(request: HttpRequest, *, actor: User, code: str) -> list[str]:
    """Ten new recovery codes, told only now; the old ones are worthless.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
    """
    require_any_role(actor)
    verify_fresh_code(request, actor=actor, code=code)
    rows, codes = two_factor.new_recovery_codes(actor)
    _renew(actor, rows)
    user_sessions.renew_key(request)
    return codes


@own_transaction
def _renew(actor: User, rows: list[RecoveryCode]) -> None:
    _put_in_place(actor, rows)
    record(Action.RECOVERY_CODES_RENEWED, actor=actor, subject=actor)
    outbox.tell("recovery_codes_renewed", user_id=actor.pk)


def begin_replacement(request: HttpRequest, *, actor: User, code: str) -> None:
    """Let this session set up another app within ten minutes. The present one works on until that is done.

    The secret is shown under another session key, to nobody who has a copy of the cookie.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
    """
    device = new_pending_device(request, actor=actor, code=code)
    user_sessions.renew_key(request)
    request.session[_KEY] = {
        "device": device.pk,
        "at": int(timezone.now().timestamp()),
        "by_recovery_code": is_recovery_code(code),
    }


def new_pending_device(request: HttpRequest, *, actor: User, code: str) -> TotpDevice:
    """A device for another app of the actor's, in place of any that waited; `code` may be a recovery code.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
    """
    require_any_role(actor)
    verify_fresh_code(request, actor=actor, code=code, recovery_code_too=True)
    TotpDevice.objects.filter(user=actor, confirmed=False).delete()
    return two_factor.new_device(actor)


def replacement_device(request: HttpRequest, *, actor: User) -> TotpDevice:
    """The not yet confirmed device whose secret this session is shown.

    Raises:
        NothingToReplace
    """
    begun = request.session.get(_KEY)
    if not begun or timezone.now().timestamp() - begun["at"] > SECONDS:
        raise NothingToReplace
    device = TotpDevice.objects.filter(user=actor, confirmed=False, pk=begun["device"]).first()
    if device is None:
        raise NothingToReplace
    return device


def complete_replacement(request: HttpRequest, *, actor: User, code: str) -> list[str]:
    """Put the new app in the place of the old one; return ten new recovery codes. All other sessions end.

    Raises:
        PermissionDenied, NothingToReplace
        WrongCode: the new device's throttle keeps count of it.
    """
    require_any_role(actor)
    pending = replacement_device(request, actor=actor)
    device, codes = replace_by(
        pending,
        actor=actor,
        code=code,
        kept_session=user_sessions.id_of(request),
        by_recovery_code=request.session[_KEY]["by_recovery_code"],
    )
    del request.session[_KEY]
    user_sessions.renew_key(request)
    django_otp.login(request, device)
    return codes


def replace_by(
    pending: TotpDevice, *, actor: User, code: str, kept_session: uuid.UUID, by_recovery_code: bool
) -> tuple[TotpDevice, list[str]]:
    """Make the device that waits the actor's only one, by a first code of it; return it and ten recovery codes. All
    sessions but `kept_session` end.

    Args:
        by_recovery_code: whether the replacement was begun with one. Whoever found the paper may be somebody else,
            so `User.hardened_at` is set, as after a reset by the bank.

    Raises:
        PermissionDenied, NothingToReplace
        WrongCode: the device's throttle keeps count of it.
    """
    require_any_role(actor)
    device = django_otp.verify_token(actor, pending.persistent_id, code.replace(" ", ""))
    if not isinstance(device, TotpDevice):
        raise WrongCode
    rows, codes = two_factor.new_recovery_codes(actor)
    _replace(actor, device, rows, kept_session, by_recovery_code=by_recovery_code)
    return device, codes


@own_transaction
def _replace(
    actor: User, device: TotpDevice, rows: list[RecoveryCode], kept_session: uuid.UUID, *, by_recovery_code: bool
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


def _put_in_place(actor: User, rows: list[RecoveryCode]) -> User:
    """The actor's row, locked: of two windows at once, one set of ten comes after the other."""
    row = User.objects.select_for_update().get(pk=actor.pk)
    RecoveryCode.objects.filter(user=actor).delete()
    RecoveryCode.objects.bulk_create(rows)
    return row
