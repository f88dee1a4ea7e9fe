"""Changing one's own details (R1.8)."""

from accounts import outbox
from accounts.concurrency import own_transaction
from accounts.models import User
from accounts.roles import require_any_role
from audit.actions import Action
from audit.services import record


@own_transaction
def update_details(*, actor: User, first_name: str, last_name: str, phone: str, address: str) -> list[str]:
    """Write what differs from what stands there, and return the names of those fields.

    A user of any role changes their own and nobody else's: there is no user to name but the actor. The audit
    log and the mail name the fields, never what stands in them.

    Raises:
        PermissionDenied: a user who may not sign in, or has no role.
    """
    require_any_role(actor)
    wanted = {"first_name": first_name, "last_name": last_name, "phone": phone, "address": address}
    user = User.objects.select_for_update().get(pk=actor.pk)
    changed = [name for name, value in wanted.items() if getattr(user, name) != value]
    if not changed:
        return []
    for name in changed:
        setattr(user, name, wanted[name])
    user.save(update_fields=changed)
    record(Action.USER_UPDATED, actor=actor, subject=user, details={"fields": changed})
    outbox.tell("details_changed", user_id=user.pk, fields=changed)
    return changed
