"""Every role through every door of the staff's area and the API, as the grants say (R1.3, R1.7, R5.1, R5.4, R7.2,
R9.6).

Pages and services: `tests/access/test_walk.py`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.access import operations, staff_area
from tests.access.doors import Door, undone, walk_through, without_what_no_flag_opens
from tests.access.visitors import GROUPS, Visitor, Walkers
from tests.access.world import World
from tests.asvs import proves

pytestmark = pytest.mark.django_db


def kinds_of_doors(visitor: Visitor, world: World) -> Iterator[tuple[str, list[Door]]]:
    # Without both factors all are the same here, and so are all customers.
    if (visitor.is_signed_in or visitor.name in {"nobody", "Admin without two-factor"}) and visitor.name != "Charlie":
        yield "the staff's area", without_what_no_flag_opens(visitor, staff_area.doors(visitor, world))
    # Without a token: `test_operations`. The API checks the role in the services, which ignore flags.
    if visitor.is_signed_in and not visitor.is_superuser:
        yield "the API", list(operations.doors(visitor, world))


@proves("V8.2.1", "V8.2.2")
@pytest.mark.parametrize("group", GROUPS)
def test_every_door_answers_as_the_grants_say(group: str, world: World, walkers: Walkers, subtests: Any) -> None:
    for visitor in GROUPS[group]:
        for kind, doors in kinds_of_doors(visitor, world):
            with subtests.test(f"{visitor}: {kind}"), undone():
                wrong = walk_through(doors, walkers(visitor), world.alice)
                assert not wrong, "\n".join(wrong)
