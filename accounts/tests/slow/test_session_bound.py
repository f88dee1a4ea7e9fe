"""The bound of one person's sessions is exact when they sign in everywhere at once."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import TotpDevice, UserSession
from accounts.programs import sessions as api_sessions
from accounts.sign_in.origin import Origin
from accounts.sign_in.sessions import pages
from accounts.sign_in.sessions.engine import SessionStore
from tests.acts import at_once
from tests.asvs import proves

pytestmark = pytest.mark.django_db(transaction=True)


@proves("V7.1.2")
def test_of_twelve_sign_ins_at_once_three_stay(alice: Any, settings: Any) -> None:
    settings.MAX_SESSIONS = 3
    device = TotpDevice.objects.get(user=alice)

    def by_program() -> object:
        return api_sessions.begin(user=alice, device=device, origin=Origin())

    def by_browser() -> None:
        pages.begin(SessionStore(), actor=alice, origin=Origin())

    acts: list[Callable[[], object]] = [by_program, by_browser] * 6
    results = at_once(*acts)
    assert not [result for result in results if isinstance(result, Exception)]
    assert UserSession.objects.filter(user=alice).count() == 12
    assert UserSession.objects.filter(user=alice, ended_at__isnull=True).count() == 3
