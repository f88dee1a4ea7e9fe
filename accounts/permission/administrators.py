"""The administrators, now and recently, and which of them count as the same person (R5.8).

Acts that need a second administrator ask here. Two rules keep one person from being two:

- A person who was an administrator within SECOND_ADMIN_DAYS counts, even if locked, demoted or deactivated meanwhile:
  nobody becomes the only one by locking the other.
- A person who became one within SECOND_ADMIN_DAYS counts as the administrator who asked for that, and so on upwards:
  one's own second login cannot agree to anything. An administrator made by an operator (`bootstrap_admin`) counts as
  themselves.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import Group
from django.db.models import Q
from django.utils import timezone

from accounts.models import AdministratorTerm, User
from accounts.roles import Role, require, with_roles
from foundation.locking import lock


def queue_up() -> None:
    """Wait, inside the caller's transaction, until no other administrator acts on people: then two cannot lock each
    other out at the same moment, and nobody becomes one while the administrators are counted."""
    lock(Group.objects).get(name=Role.ADMIN.value)


def take_turn(actor: User, permission: str) -> User:
    """Queue up, and return this administrator as they are now.

    Raises:
        PermissionDenied: a colleague has locked or demoted the actor meanwhile.
    """
    queue_up()
    present = User.objects.get(pk=actor.pk)
    require(present, permission)
    return present


def note_made(user: User, *, by: User) -> None:
    """Note that `user` is an administrator from now on, since `by` asked for it. A person who was one recently keeps
    their standing: demoting and promoting again takes nobody out of the count."""
    now = timezone.now()
    term = AdministratorTerm.objects.filter(user=user).first()
    if term is not None and (term.until is None or term.until > _horizon(now)):
        term.until = None
        term.save(update_fields=["until"])
        return
    values = {"since": now, "until": None, "made_by": by}
    AdministratorTerm.objects.update_or_create(user=user, defaults=values)


def note_ended(user: User) -> None:
    """Note that `user` is about to be demoted, locked or deactivated. A person locked before stopped counting at that
    time."""
    if user.role != Role.ADMIN or not user.can_sign_in:
        return
    term, _ = AdministratorTerm.objects.get_or_create(user=user, defaults={"since": user.created_at})
    term.until = timezone.now()
    term.save(update_fields=["until"])


def note_returned(user: User) -> None:
    """Note that `user` was unlocked or let in again."""
    if user.role == Role.ADMIN and user.can_sign_in:
        AdministratorTerm.objects.filter(user=user).update(until=None)


def present_ones() -> list[User]:
    """Return the administrators who can sign in now."""
    admins = User.objects.filter(groups__name=Role.ADMIN.value, is_active=True, locked_at__isnull=True)
    # The role is checked too: a person in two groups has none.
    return [user for user in with_roles(admins.order_by("pk")) if user.role == Role.ADMIN]


def lately(*, at: datetime) -> list[User]:
    """Return everybody who is an administrator, or was one within SECOND_ADMIN_DAYS before `at`, by key."""
    ended = User.objects.filter(
        Q(administrator_term__until__gt=_horizon(at)) | Q(groups__name=Role.ADMIN.value, locked_at__gt=_horizon(at))
    )
    found = {user.pk: user for user in [*present_ones(), *ended]}
    return [found[pk] for pk in sorted(found)]


def others_than(asker: User, *, at: datetime) -> list[User]:
    """Return the administrators who are another person than `asker`, and do not count as the same. A person concerned
    by an act is included, although they cannot agree to it."""
    makers = _makers(at)
    stand_for = _stands_for(asker.pk, makers)
    return [user for user in lately(at=at) if _stands_for(user.pk, makers) != stand_for]


def are_one(users: Iterable[User], *, at: datetime) -> bool:
    """Return whether all of them count as the same person."""
    makers = _makers(at)
    return len({_stands_for(user.pk, makers) for user in users}) == 1


def _makers(at: datetime) -> dict[int, int]:
    """Return who was made an administrator recently, and by whom."""
    terms = AdministratorTerm.objects.filter(since__gt=_horizon(at), made_by__isnull=False)
    return dict(terms.values_list("user_id", "made_by_id"))


def _stands_for(pk: int, makers: dict[int, int]) -> int:
    seen = {pk}
    while pk in makers and makers[pk] not in seen:
        pk = makers[pk]
        seen.add(pk)
    return pk


def _horizon(at: datetime) -> datetime:
    return at - timedelta(days=settings.SECOND_ADMIN_DAYS)
