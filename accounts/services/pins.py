"""The PIN that the API may ask an app for: set, changed and removed by its owner (R1.8). No page asks for it."""

from accounts import outbox
from accounts.concurrency import own_transaction
from accounts.models import User
from accounts.origin import Origin
from accounts.password_hashing import make_hash
from accounts.pin_rules import check_pin
from accounts.roles import require_any_role
from accounts.services.fresh_code import verify_fresh_code
from audit.actions import Action
from audit.services import record
from foundation.refusals import Refusal


class PinLocked(Refusal):
    """Locked after wrong tries (R1.4). Could its owner replace or remove it, whoever guesses would guess on."""

    code = "pin_locked"
    text = "This PIN is locked. Only the bank unlocks it."


class NoPin(Refusal):
    """There is none to remove."""

    code = "no_pin"
    text = "There is no PIN."


def set_pin(*, actor: User, pin: str, code: str, origin: Origin) -> None:
    """Make `pin` the actor's own, in place of the one there was, if any.

    A PIN that is refused uses up no code. Only its hash is kept: the audit log and the mail say that it changed.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
        InvalidPin: not six digits, or guessed first.
        PinLocked: only staff unlock it.
    """
    require_any_role(actor)
    check_pin(pin)
    if actor.pin_locked_at is not None:
        raise PinLocked
    verify_fresh_code(actor=actor, code=code, origin=origin)
    _write(actor, make_hash(pin), Action.PIN_CHANGED, "pin_changed")  # hashed before any row is locked


def remove_pin(*, actor: User, code: str, origin: Origin) -> None:
    """Have no PIN from now on: an app that must give one no longer signs in.

    Raises:
        PermissionDenied, WrongCode, TryAgainIn, TooOften
        NoPin, PinLocked
    """
    require_any_role(actor)
    if not actor.has_pin:
        raise NoPin
    if actor.pin_locked_at is not None:
        raise PinLocked
    verify_fresh_code(actor=actor, code=code, origin=origin)
    _write(actor, "", Action.PIN_REMOVED, "pin_removed")


@own_transaction
def _write(actor: User, pin_hash: str, action: Action, event: str) -> None:
    user = User.objects.select_for_update().get(pk=actor.pk)
    if user.pin_locked_at is not None:  # by wrong tries since the page was asked for
        raise PinLocked
    if not pin_hash and not user.has_pin:  # removed in another window
        raise NoPin
    user.pin_hash, user.pin_failures = pin_hash, 0
    user.save(update_fields=["pin_hash", "pin_failures"])
    record(action, actor=actor, subject=user)
    outbox.tell(event, user_id=user.pk)
