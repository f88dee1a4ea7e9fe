"""Changing one's own phone number and address (R1.8). A name is changed by a request that a clerk approves."""

from accounts.models import User
from accounts.roles import require_any_role
from accounts.sign_in.fresh_code import verify_fresh_code
from accounts.sign_in.origin import Origin
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.limiter import limiter
from foundation.locking import lock
from foundation.refusals import Refusal
from foundation.transactions import own_transaction

_CHANGES = limiter.Limit(times=10, window_seconds=3600)


class TooManyChanges(limiter.TooOften):
    """Too many changes of details; wrong codes have another page."""


def update_details(
    *, actor: User, code: str, origin: Origin, phone: str | None = None, address: str | None = None
) -> list[str]:
    """Write the values that differ from the stored ones, and return the names of those fields. None leaves a field
    unchanged.

    A user of any role changes only their own details, so the actor is the only argument that names a user. The audit
    log and the mail name the fields, never their content.

    Args:
        code: a fresh one, or a recovery code; looked at and used up only if something changes.

    Raises:
        PermissionDenied: a user who may not sign in, or has no role.
        WrongCode, TryAgainIn, TooOften: of the code.
        TooManyChanges: ten an hour. Each sends a mail, and a thief with a stolen session could bury the warning under
            such mails.
    """
    require_any_role(actor)
    wanted = {"phone": phone, "address": address}
    if not _differing(User.objects.get(pk=actor.pk), wanted):
        return []
    key = f"details:{actor.pk}"
    try:
        limiter.take(key, _CHANGES)
    except limiter.TooOften as error:
        raise TooManyChanges(error.retry_after, error.place) from error
    try:
        verify_fresh_code(actor=actor, code=code, origin=origin, recovery_code_too=True)
    except Refusal:
        limiter.give_back(key)
        raise
    return _update(actor, wanted)


@own_transaction
def _update(actor: User, wanted: dict[str, str | None]) -> list[str]:
    user = lock(User.objects).get(pk=actor.pk)
    changed = _differing(user, wanted)
    if not changed:  # by another window of theirs, meanwhile
        return []
    for name in changed:
        setattr(user, name, wanted[name])
    user.save(update_fields=changed)
    record(Action.USER_UPDATED, actor=actor, subject=user, details={"fields": changed})
    outbox.tell("details_changed", user_id=user.pk, fields=changed)
    return changed


def _differing(user: User, wanted: dict[str, str | None]) -> list[str]:
    return [name for name, value in wanted.items() if value not in (None, getattr(user, name))]
