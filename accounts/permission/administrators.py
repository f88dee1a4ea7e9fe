"""Who is an administrator, who was one lately, and who of them stands for somebody else (R5.8).

What needs a second administrator asks here. Two rules keep one person from being two:

- Whoever was an administrator within SECOND_ADMIN_DAYS counts, locked, demoted or deactivated meanwhile or not: nobody
  becomes the only one by locking the other.
- Whoever became one within SECOND_ADMIN_DAYS stands for whoever asked for that, and so on upwards: a second login of
  one's own agrees to nothing. Whom an operator made (`bootstrap_admin`) stands for nobody.
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
    """Wait, inside the caller's transaction, until no other administrator acts on people: no two lock each other out at
    the same moment, and nobody becomes one while it is asked who counts."""
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
    """`user` is an administrator from now on, since `by` asked for it. Whoever was one lately is what they were: nobody
    is taken out of the count by being demoted and promoted again."""
    now = timezone.now()
    term = AdministratorTerm.objects.filter(user=user).first()
    if term is not None and (term.until is None or term.until > _horizon(now)):
        term.until = None
        term.save(update_fields=["until"])
        return
    values = {"since": now, "until": None, "made_by": by}
    AdministratorTerm.objects.update_or_create(user=user, defaults=values)


def note_ended(user: User) -> None:
    """`user` is about to be demoted, locked or deactivated. Whoever was locked before stopped counting from then on."""
    if user.role != Role.ADMIN or not user.can_sign_in:
        return
    term, _ = AdministratorTerm.objects.get_or_create(user=user, defaults={"since": user.created_at})
    term.until = timezone.now()
    term.save(update_fields=["until"])


def note_returned(user: User) -> None:
    """`user` was unlocked or let in again."""
    if user.role == Role.ADMIN and user.can_sign_in:
        AdministratorTerm.objects.filter(user=user).update(until=None)


def present_ones() -> list[User]:
    """Return the administrators who can sign in now."""
    admins = User.objects.filter(groups__name=Role.ADMIN.value, is_active=True, locked_at__isnull=True)
    # The role is asked too: somebody in two groups has none.
    return [user for user in with_roles(admins.order_by("pk")) if user.role == Role.ADMIN]


def lately(*, at: datetime) -> list[User]:
    """Return whoever is an administrator, or was one within SECOND_ADMIN_DAYS before `at`, by their keys."""
    ended = User.objects.filter(
        Q(administrator_term__until__gt=_horizon(at)) | Q(groups__name=Role.ADMIN.value, locked_at__gt=_horizon(at))
    )
    found = {user.pk: user for user in [*present_ones(), *ended]}
    return [found[pk] for pk in sorted(found)]


def others_than(asker: User, *, at: datetime) -> list[User]:
    """Return those who count as somebody else than `asker`: neither they, nor anybody who stands for the same person.
    Whoever an act concerns counts as well, though they agree to nothing that does."""
    makers = _makers(at)
    stand_for = _stands_for(asker.pk, makers)
    return [user for user in lately(at=at) if _stands_for(user.pk, makers) != stand_for]


def are_one(users: Iterable[User], *, at: datetime) -> bool:
    """Return whether all of them stand for the same person."""
    makers = _makers(at)
    return len({_stands_for(user.pk, makers) for user in users}) == 1


def _makers(at: datetime) -> dict[int, int]:
    """Return who was made an administrator lately, by whom."""
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
