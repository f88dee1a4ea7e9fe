"""Looking writes nothing, whoever looks, at any page (issue 16; R8.2): `tests/access/test_looking.py` for all visitors,
with the staff's area and by HEAD."""

from itertools import chain
from typing import Any

import pytest

from accounts.roles import Role
from tests.access.looking import of_pages, of_the_api, of_the_staff_area, unforeseen, writes_of
from tests.access.visitors import INSIDE, OUTSIDE, Visitor, Walkers
from tests.access.world import World
from tests.asvs import proves

pytestmark = pytest.mark.django_db

# Without both factors all roles are the same.
NOBODY_ELSE = {"nobody", "Alice with her password alone", "Customer without two-factor"}
WHO_LOOKS = [visitor for visitor in OUTSIDE if visitor.name in NOBODY_ELSE]
WHO_LOOKS += [visitor for visitor in INSIDE if not visitor.is_superuser]


@proves("V3.5.3")
@pytest.mark.parametrize("visitor", WHO_LOOKS, ids=str)
def test_nobody_writes_by_looking(visitor: Visitor, world: World, walkers: Walkers, settings: Any) -> None:
    settings.DEMO = True  # which has a page of mails
    walker = walkers(visitor)
    for method in ("get", "head") if visitor.is_alice or visitor.role == Role.ADMIN else ("get",):
        there = chain(of_pages(world), of_the_staff_area(visitor, world), of_the_api(world))
        assert unforeseen(writes_of(walker, there, method)) == {}, method
