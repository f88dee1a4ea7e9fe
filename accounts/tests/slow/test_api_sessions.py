"""The tokens of the API: what they are, how they are renewed, and that they end at once (R7.1, R1.5, R1.8)."""

from typing import Any

import pytest

from accounts.programs.tokens import TokenInvalid
from accounts.tests.test_api_sessions import is_in, renewed
from audit.models import AuditEntry
from tests.acts import at_once
from tests.asvs import proves

pytestmark = pytest.mark.django_db


@proves("V10.4.5")
@pytest.mark.django_db(transaction=True)
def test_of_sixteen_refreshes_at_once_exactly_one_wins(alice: Any, api_of: Any) -> None:
    # R7.1: the others are uses of a used token, so that the session is over for all.
    api = api_of(alice)
    results = at_once(*[lambda: renewed(api)] * 16)
    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert {type(result) for result in results if isinstance(result, Exception)} == {TokenInvalid}
    assert AuditEntry.objects.filter(action="API_TOKEN_REUSED").count() == 1
    assert not is_in(api)
