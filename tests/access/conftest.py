from typing import Any

import pytest

from tests.access.visitors import Walkers
from tests.access.world import World, world_of
from tests.access_walk import Hers


@pytest.fixture
def world(hers: Hers, alice: Any, bob: Any, make_user: Any, open_account: Any, api_of: Any) -> World:
    return world_of(hers, alice, bob, make_user, open_account, api_of)


@pytest.fixture
def walkers(request: pytest.FixtureRequest, make_user: Any, browser_of: Any, api_of: Any) -> Walkers:
    return Walkers(request.getfixturevalue, make_user, browser_of, api_of)
