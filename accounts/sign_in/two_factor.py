"""The second factor: an authenticator app for everyone, recovery codes for people without their phone (R1.3)."""

import base64
import io
import os
import secrets
from urllib.parse import quote, urlencode

import django_otp
import qrcode
import qrcode.image.svg
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.utils import timezone
from django_otp.oath import hotp

from accounts.models import RecoveryCode, TotpDevice, User
from accounts.sign_in import enrolment_link
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.compiled import Select
from foundation.locking import lock
from foundation.refusals import Refusal
from foundation.transactions import own_transaction

RECOVERY_CODES = 10
# No 0, O, 1, I or L: codes are read from paper.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_SELECTOR_CHARS = 4
_SECRET_CHARS = 8  # 31^8, about 40 bits behind Argon2 and the lockout


class AlreadyEnrolled(Refusal):
    """The user has a second factor; replacing it is another act, with other checks."""

    code = "already_enrolled"
    text = "Two-factor is on already."


class WrongCode(Refusal):
    """The code does not match, was used before, or came too soon after a wrong one."""

    code = "wrong_code"
    text = (
        "This code is not right, or was used already. Wait for the next one, and check that your phone’s clock is"
        " right."
    )
    status = 422


_confirmed: Select[TotpDevice] = Select(
    lambda user: TotpDevice.objects.filter(user=user, confirmed=True).order_by("pk"), TotpDevice._meta.get_field("user")
)


def confirmed_device(user: User) -> TotpDevice | None:
    return next(iter(_confirmed.instances(user.pk)), None)


def enrolment_device(user: User, device_id: int | None = None, *, proof: str = "") -> TotpDevice:
    """Return the unconfirmed device whose secret the user is shown: `device_id`, or a new one instead of all others.

    Each sign-in gets a secret of its own. If it were shared, a person who knows a first password could look at it, wait
    until its owner has enrolled, and compute their codes.

    Args:
        proof: that the link was opened, which a person needs whose second factor the bank has reset
            (`enrolment_link.proof_in`).

    Raises:
        AlreadyEnrolled: the password alone must not replace a second factor.
        LinkNeeded: the bank has reset it, and the password alone must not set up another.
    """
    if confirmed_device(user):
        raise AlreadyEnrolled
    enrolment_link.require_opened(user, proof)
    pending = TotpDevice.objects.filter(user=user, confirmed=False)
    device = pending.filter(pk=device_id).first() if device_id is not None else None
    if device is None:
        pending.delete()
        device = new_device(user)
    return device


def new_device(user: User) -> TotpDevice:
    """Return a device with a fresh secret of 160 bits, worthless until a code of it confirms it."""
    device = TotpDevice(user=user, name="Authenticator app", confirmed=False, key=os.urandom(20).hex())
    device.save()
    return device


def confirm_enrolment(user: User, pending: TotpDevice, *, code: str, proof: str = "") -> tuple[TotpDevice, list[str]]:
    """Turn the second factor on with the device that the user was shown; return it and ten recovery codes, shown only
    now.

    Raises:
        WrongCode: the device's throttle keeps count of it.
        AlreadyEnrolled: also when another window was faster.
        LinkNeeded: as in `enrolment_device()`.
    """
    device = django_otp.verify_token(user, pending.persistent_id, code.replace(" ", ""))
    if not isinstance(device, TotpDevice):
        raise WrongCode
    rows, codes = new_recovery_codes(user)
    _switch_on(user, device, rows, proof)
    return device, codes


def new_recovery_codes(user: User) -> tuple[list[RecoveryCode], list[str]]:
    """Return ten rows, not yet saved, and the codes as the user is shown them. Call it outside a transaction: ten slow
    hashes must not hold a lock."""
    codes = _new_codes()
    rows = [
        RecoveryCode(user=user, selector=selector, code_hash=make_password(secret))
        for selector, secret in codes.items()
    ]
    return rows, [f"{selector}-{secret[:4]}-{secret[4:]}" for selector, secret in codes.items()]


@own_transaction
def _switch_on(user: User, device: TotpDevice, rows: list[RecoveryCode], proof: str = "") -> None:
    lock(User.objects).get(pk=user.pk)
    if confirmed_device(user):
        raise AlreadyEnrolled
    enrolment_link.require_opened(user, proof)
    device.confirmed = True
    device.save(update_fields=["confirmed"])
    RecoveryCode.objects.filter(user=user).delete()
    RecoveryCode.objects.bulk_create(rows)
    enrolment_link.use_up(user)
    record(Action.TWO_FACTOR_ENABLED, actor=user, subject=user)
    outbox.tell("two_factor_enabled", user_id=user.pk)


def verify_totp(user: User, code: str) -> TotpDevice | None:
    """Return the user's device if `code` is its current, unused code. The row is locked: a code works once.

    The caller counts the guesses (`accounts.sign_in.guesses`).
    """
    device = confirmed_device(user)
    if device is None:
        return None
    verified = django_otp.verify_token(user, device.persistent_id, code.replace(" ", ""))
    return verified if isinstance(verified, TotpDevice) else None


def use_recovery_code(user: User, code: str) -> TotpDevice | None:
    """Use up a recovery code, and return the user's device; None if the code is wrong or used."""
    text = "".join(code.upper().replace("-", " ").split())
    selector, secret = text[:_SELECTOR_CHARS], text[_SELECTOR_CHARS:]
    row = RecoveryCode.objects.filter(user=user, selector=selector, used_at__isnull=True).first()
    if row is None or not check_password(secret, row.code_hash):
        return None
    return _burn(user, row)


@own_transaction
def _burn(user: User, row: RecoveryCode) -> TotpDevice | None:
    unused = RecoveryCode.objects.filter(pk=row.pk, used_at__isnull=True)
    if not unused.update(used_at=timezone.now()):  # a parallel request was faster
        return None
    left = RecoveryCode.objects.filter(user=user, used_at__isnull=True).count()
    record(Action.RECOVERY_CODE_USED, actor=user, subject=user, details={"left": left})
    outbox.tell("recovery_code_used", user_id=user.pk, left=left)
    return confirmed_device(user)


def _new_codes() -> dict[str, str]:
    """Return ten fresh codes: selector to secret."""
    codes: dict[str, str] = {}
    while len(codes) < RECOVERY_CODES:
        selector = "".join(secrets.choice(_ALPHABET) for _ in range(_SELECTOR_CHARS))
        codes[selector] = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARS))
    return codes


def secret_text(device: TotpDevice) -> str:
    """Return the secret as people type it into an app: base32 in groups of four."""
    text = base64.b32encode(bytes.fromhex(device.key)).decode()
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def provisioning_uri(device: TotpDevice) -> str:
    """Return the otpauth:// URI in the QR code (Key URI Format of the authenticator apps)."""
    label = quote(f"{settings.BANK_NAME}:{device.user.email}")
    query = urlencode(
        {
            "secret": secret_text(device).replace(" ", ""),
            "issuer": settings.BANK_NAME,
            "digits": device.DIGITS,
            "period": device.STEP_SECONDS,
        },
        quote_via=quote,
    )
    return f"otpauth://totp/{label}?{query}"


def qr_data_uri(device: TotpDevice) -> str:
    """Return the QR code as an image for an <img>: it is never a URL, which a log could keep."""
    picture = io.BytesIO()
    qrcode.make(provisioning_uri(device), image_factory=qrcode.image.svg.SvgPathFillImage, box_size=12).save(picture)
    return "data:image/svg+xml;base64," + base64.b64encode(picture.getvalue()).decode()


def current_code(user: User, pending: TotpDevice | None = None) -> str | None:
    """Return a code that works now, for demo mode only: with real people it would not be a second factor.

    After a code was used it returns the next one, which the tolerance for slow clocks accepts; None if that is used
    too.

    Raises:
        RuntimeError: the bank is not in demo mode.
    """
    _demo_only()
    device = pending or confirmed_device(user) or TotpDevice.objects.filter(user=user).order_by("-pk").first()
    if device is None:
        return None
    now = int(timezone.now().timestamp()) // device.STEP_SECONDS
    step = max(now, device.last_step + 1)
    return f"{hotp(bytes.fromhex(device.key), step, device.DIGITS):0{device.DIGITS}d}" if step <= now + 1 else None


def enrol_for_demo(user: User) -> None:
    """Give a demo user a confirmed device without a phone.

    Raises:
        RuntimeError: the bank is not in demo mode.
    """
    _demo_only()
    if confirmed_device(user) is None:
        TotpDevice(user=user, name="Demo device", confirmed=True, key=os.urandom(20).hex()).save()


def _demo_only() -> None:
    if not settings.DEMO:
        raise RuntimeError("This exists in demo mode only.")
