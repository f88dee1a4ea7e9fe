"""Changing one's own details (R1.8)."""

from accounts.models import User
from accounts.roles import require_any_role
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.limiter import limiter
from foundation.transactions import own_transaction

_CHANGES = limiter.Limit(times=10, window_seconds=3600)


def update_details(
    *,
    actor: User,
    first_name: str | None = None,
    last_name: str | None = None,
    phone: str | None = None,
    address: str | None = None,
) -> list[str]:
    """Write what differs from what stands there, and return the names of those fields. None: leave it as it is.

    A user of any role changes their own and nobody else's: there is no user to name but the actor. The audit
    log and the mail name the fields, never what stands in them.

    Raises:
        PermissionDenied: a user who may not sign in, or has no role.
        TooOften: ten changes an hour. Each sends a mail, under which somebody with a stolen session could bury the
            one that warns of them.
    """
    require_any_role(actor)
    key = f"details:{actor.pk}"
    limiter.take(key, _CHANGES)
    wanted = {"first_name": first_name, "last_name": last_name, "phone": phone, "address": address}
    changed = _update(actor, wanted)
    if not changed:
        limiter.give_back(key)
    return changed


@own_transaction
def _update(actor: User, wanted: dict[str, str | None]) -> list[str]:
    user = User.objects.select_for_update().get(pk=actor.pk)
    changed = [name for name, value in wanted.items() if value not in (None, getattr(user, name))]
    if not changed:
        return []
    for name in changed:
        setattr(user, name, wanted[name])
    user.save(update_fields=changed)
    record(Action.USER_UPDATED, actor=actor, subject=user, details={"fields": changed})
    outbox.tell("details_changed", user_id=user.pk, fields=changed)
    return changed
