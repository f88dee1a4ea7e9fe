"""Password, PIN, recovery codes and authenticator through the API: each for what a stolen token lacks (R1.8, R7.1)."""

from typing import Any

import pytest

from accounts.models import User, UserSession
from accounts.tests.test_api_credentials import INVALID, NEW
from tests.acts import at_once
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.plugin import PASSWORD

pytestmark = pytest.mark.django_db


@proves("V7.4.3")
@pytest.mark.django_db(transaction=True)
def test_no_token_of_before_outlives_another_password_however_the_requests_fall(alice: Any, api_of: Any) -> None:
    # R7.1: refreshes at the same moment come before it, and are worthless after it, or get nothing.
    here, others = api_of(alice), [api_of(alice) for _ in range(6)]
    change = {"current_password": PASSWORD, "new_password": NEW}

    def refresh(api: Any) -> Any:
        return lambda: ApiClient().post("auth/refresh", {"refresh_token": api.tokens.refresh_token})

    answers: list[Any] = at_once(
        lambda: here.post("profile/password", change), *[refresh(api) for api in (here, *others)]
    )
    changed, *refreshed = answers
    assert changed.status_code == 200
    assert {answer.status_code for answer in refreshed} <= {200, 401}
    for answer in refreshed:
        if answer.status_code == 200:
            assert told(ApiClient().get("profile", Authorization=f"Bearer {answer.json()['access_token']}")) == INVALID
    going_on = f"Bearer {changed.json()['access_token']}"
    assert ApiClient().get("profile", Authorization=going_on).status_code == 200
    assert UserSession.objects.filter(user=alice, ended_at__isnull=True).count() == 1


@pytest.mark.django_db(transaction=True)
def test_after_two_password_changes_at_once_one_session_goes_on(alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    passwords = [f"{NEW} number {number}" for number in range(2)]
    answers: list[Any] = at_once(
        *[
            lambda new=new: api.post("profile/password", {"current_password": PASSWORD, "new_password": new})
            for new in passwords
        ]
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 401], [200, 422]), [a.json() for a in answers]
    [won] = [index for index, answer in enumerate(answers) if answer.status_code == 200]
    assert User.objects.get(pk=alice.pk).check_password(passwords[won])
