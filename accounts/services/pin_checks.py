"""Whether a PIN is right: three wrong ones lock it until staff unlock it, however many are tried at once (R1.4)."""

from datetime import datetime

from django.db.models import F
from django.utils import timezone

from accounts import outbox, password_hashing
from accounts.concurrency import own_transaction
from accounts.models import User
from accounts.services.pins import PinLocked
from audit.actions import Action
from audit.services import record
from foundation.refusals import Refusal

TRIES = 3


class WrongPin(Refusal):
    """Not the PIN; or there is none, or nobody. The caller is not told which."""

    code = "wrong_pin"
    text = "This PIN is not right."
    status = 422


class PinBusy(Refusal):
    """All tries there are left are being looked at this moment; this one was not. Nothing was counted."""

    code = "pin_busy"
    text = "Other tries are being looked at just now. Try again in a moment."


def verify_pin(*, user: User | None, pin: str, at: datetime | None = None) -> None:
    """That `pin` is the user's. A right one begins the count anew; a wrong one is recorded, the third locks.

    A try is taken by one conditional UPDATE before the hasher runs, so of any number of parallel guesses three
    reach it. Where there is no PIN, or no user, the hasher works as long. The actor is whoever asks, signed out:
    ask only whose password was right, or strangers could lock anybody's PIN.

    Raises:
        WrongPin
        PinLocked: the hasher was not asked.
        PinBusy: likewise.
    """
    if user is None or not user.has_pin:
        password_hashing.matches(None, pin)
        if user is not None:
            record(Action.PIN_REFUSED, actor=None, subject=user, concerns=user, details={"has_pin": False})
        raise WrongPin
    pin_hash, place = _take_try(user)
    renewed: list[str] = []
    try:
        right = password_hashing.check_and_renew(pin_hash, pin, renew=renewed.append)
    except BaseException:  # out of memory, say, or the worker is ended: nothing was learnt, so no try was made
        _return_try(user, pin_hash)
        raise
    if not right:
        _count_wrong(user, pin_hash, place, at=at or timezone.now())
        raise WrongPin
    _forgive(user, pin_hash, place, renewed=renewed)


@own_transaction
def _take_try(user: User) -> tuple[str, int]:
    """The hash to look at, and which of the three tries this one is."""
    untried = User.objects.filter(pk=user.pk, pin_locked_at__isnull=True, pin_failures__lt=TRIES)
    taken = untried.exclude(pin_hash="").update(pin_failures=F("pin_failures") + 1)
    # In the transaction that has just written the row: nobody else counts meanwhile.
    row = User.objects.get(pk=user.pk)
    if taken:
        return row.pin_hash, row.pin_failures
    if row.pin_locked_at is not None:
        raise PinLocked
    if row.has_pin:
        raise PinBusy
    raise WrongPin  # removed since the user was read


@own_transaction
def _return_try(user: User, pin_hash: str) -> None:
    """Never below the start, and not where a right one, another PIN or a lock has come meanwhile."""
    taken = User.objects.filter(pk=user.pk, pin_hash=pin_hash, pin_locked_at__isnull=True, pin_failures__gt=0)
    taken.update(pin_failures=F("pin_failures") - 1)


@own_transaction
def _count_wrong(user: User, pin_hash: str, place: int, *, at: datetime) -> None:
    """The try stays taken. Whoever had the last one locks, if no right PIN has set the count back and it is the same
    PIN still."""
    record(Action.PIN_REFUSED, actor=None, subject=user, concerns=user, details={"has_pin": True})
    if place < TRIES:
        return
    full = User.objects.filter(pk=user.pk, pin_hash=pin_hash, pin_locked_at__isnull=True, pin_failures__gte=TRIES)
    if full.update(pin_locked_at=at):
        record(Action.PIN_LOCKED, actor=None, subject=user, concerns=user)
        outbox.tell("pin_locked", user_id=user.pk)


@own_transaction
def _forgive(user: User, pin_hash: str, place: int, *, renewed: list[str]) -> None:
    """Give back this try and those before it; one taken later is somebody else's and goes on counting."""
    row = User.objects.select_for_update().get(pk=user.pk)
    if row.pin_locked_at is not None:  # by a wrong one that was looked at meanwhile
        raise PinLocked
    if row.pin_hash != pin_hash:  # another PIN was set meanwhile
        raise WrongPin
    row.pin_failures = max(row.pin_failures - place, 0)
    row.pin_hash = renewed[0] if renewed else row.pin_hash
    row.save(update_fields=["pin_failures", "pin_hash"])
