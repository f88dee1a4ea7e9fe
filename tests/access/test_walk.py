"""Every role through every door, as the grants say (R1.3, R1.7, R5.1, R5.4, R7.2, R9.6).

Every place names something of Alice's: visitors without the permission are refused, and see and change nothing of hers.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests.access import pages, services
from tests.access.doors import undone, walk_through, without_what_no_flag_opens
from tests.access.visitors import GROUPS, INSIDE, Visitor, Walkers
from tests.access.world import World
from tests.asvs import proves
from tests.staff_acts import stored

pytestmark = pytest.mark.django_db


@proves("V8.2.1")
@pytest.mark.parametrize("group", GROUPS)
def test_every_page_answers_as_the_grants_say(group: str, world: World, walkers: Walkers, subtests: Any) -> None:
    """The staff's area and the API: `slow/test_walk_of_staff_and_programs`."""
    for visitor in GROUPS[group]:
        with subtests.test(str(visitor)), undone():
            doors = without_what_no_flag_opens(visitor, pages.doors(visitor, world.hers))
            wrong = walk_through(doors, walkers(visitor), world.alice)
            assert not wrong, "\n".join(wrong)


def test_every_service_asks_by_itself(world: World, walkers: Walkers, subtests: Any) -> None:
    # R1.7, R5.1: a visitor who bypasses a page meets the service. An act is recorded, and told to the person concerned.
    for visitor in INSIDE:
        with undone():
            actor = walkers(visitor).user
            for name, row in services.STAFF.items():
                with subtests.test(f"{visitor}: {name}"), undone():
                    _asks(world, stored(actor), row, is_allowed=visitor.may(row.permission))


def _asks(world: World, actor: Any, row: services.Staffs, *, is_allowed: bool) -> None:
    before = AuditEntry.objects.count(), OutboxMessage.objects.count()
    if is_allowed:
        row.call(world, actor)
        newest = AuditEntry.objects.order_by("-pk")[0]
        assert newest.actor_id == actor.pk
        assert newest.concerns_id in {user.pk for user in (world.alice, world.bob, world.larry)}
        assert (OutboxMessage.objects.count() > before[1]) == row.tells
    else:
        with pytest.raises(PermissionDenied):
            row.call(world, actor)
        assert (AuditEntry.objects.count(), OutboxMessage.objects.count()) == before


def test_services_of_customers_ask_before_they_look_at_anything(walkers: Walkers, alice: Any, subtests: Any) -> None:
    # R1.7
    for visitor in INSIDE:
        with undone():
            actor = walkers(visitor).user
            for permission, service in _closed_to(visitor):
                needed = inspect.signature(service).parameters.values()
                given = {one.name: object() for one in needed if one.default is one.empty} | {"actor": stored(actor)}
                name = f"{visitor}: {service.__name__} without {permission}"
                with subtests.test(name), undone(), pytest.raises(PermissionDenied):
                    service(**given)


def _closed_to(visitor: Visitor) -> Iterator[tuple[str, Any]]:
    for permission, those in services.CUSTOMERS.items():
        if not visitor.may(permission):
            yield from ((permission, service) for service in those)
    if visitor.role is None:
        yield from (("a role", service) for service in services.EVERYBODYS)
