from typing import Any

import pytest

from accounts.sign_in.sessions import rows
from tests.access.visitors import Walkers
from tests.access.world import World, world_of
from tests.access_walk import Hers


@pytest.fixture
def world(hers: Hers, alice: Any, bob: Any, make_user: Any, open_account: Any, api_of: Any) -> World:
    return world_of(hers, alice, bob, make_user, open_account, api_of)


@pytest.fixture
def walkers(
    request: pytest.FixtureRequest, make_user: Any, browser_of: Any, api_of: Any, monkeypatch: pytest.MonkeyPatch
) -> Walkers:
    """The visitors who walk through all doors. The note that they were seen again is not among the writes that a walk
    looks at: it would come once in fifteen seconds (`test_looking.py`)."""
    monkeypatch.setattr(rows, "note_seen", lambda row, *, now: None)
    monkeypatch.setattr(rows, "note_program", lambda pk, *, last_seen_at, now: None)
    return Walkers(request.getfixturevalue, make_user, browser_of, api_of)
