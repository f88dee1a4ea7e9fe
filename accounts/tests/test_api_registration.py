"""Registration and two-factor through the API: as on the pages, for a person without a token (R1.1, R1.3)."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import Registration, TotpDevice, User, UserSession
from accounts.programs import tokens as api_tokens
from accounts.programs.tokens import Use
from accounts.sign_in import enrolment_link
from tests.acts import NEWCOMER, WRONG_PASSWORD, link_for, mails, wrong_code_for
from tests.api_client import told
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NORA = {name: NEWCOMER[name] for name in ("first_name", "last_name", "email", "phone", "address")} | {
    "password": PASSWORD
}


@pytest.fixture(autouse=True)
def _often(settings: Any) -> None:
    settings.API_LOGINS_PER_MINUTE = 1000


@pytest.fixture
def dora(make_user: Any) -> Any:
    """She has a password and no second factor yet."""
    return make_user("Dora", two_factor=False)


def enrol(api: Any, user: Any, **changes: Any) -> Any:
    return api.post("auth/two-factor/enrol", {"email": user.email, "password": PASSWORD} | changes)


def confirm(api: Any, enrolment: Any, code: str) -> Any:
    token = enrolment.json()["enrolment_token"]
    return api.post("auth/two-factor/confirm", {"enrolment_token": token, "code": code})


def test_the_whole_way_from_nobody_to_a_token(api_of: Any, code_of: Any) -> None:
    # R1.1, R1.3, R7.1
    api = api_of(None)
    assert api.post("auth/register", NORA).status_code == 202
    token = link_for(NORA["email"]).rstrip("/").rpartition("/")[2]
    assert api.post("auth/register/confirm", {"token": token, "password": PASSWORD}).status_code == 204
    nora = User.objects.get(email=NORA["email"])
    assert (nora.role, nora.phone) == ("Customer", NORA["phone"])
    enrolment = enrol(api, nora)
    assert enrolment.json()["provisioning_uri"].startswith("otpauth://totp/")
    assert enrolment.json()["secret"] in enrolment.json()["provisioning_uri"]
    assert enrolment.json()["expires_in"] == 600
    done = confirm(api, enrolment, code_of(nora))
    assert done.status_code == 200
    assert len(done.json()["recovery_codes"]) == 10
    assert api.get("auth/session", Authorization=f"Bearer {done.json()['access_token']}").status_code == 200


def test_whether_an_address_is_taken_is_not_told(alice: Any, api_of: Any) -> None:
    # R1.1
    new, taken = (api_of(None).post("auth/register", NORA | {"email": to}) for to in ("new@example.com", alice.email))
    assert (new.status_code, new.content) == (taken.status_code, taken.content)
    assert [mail.subject for mail in mails("new@example.com")] != [mail.subject for mail in mails(alice.email)]


@in_one_world(
    ("changes", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "nora nora nora nora"[:11]}, "password"),
        ({"email": "no address"}, "email"),
        ({"first_name": "1"}, "first_name"),
        ({"first_name": "0"}, "first_name"),
        ({"phone": "ring me"}, "phone"),
        ({"phone": "+0 30 1234567"}, "phone"),
        ({"address": " "}, "address"),
        ({"address": "\u200b\u2060"}, "address"),
        ({"first_name": "\u202eNora"}, "first_name"),
    ],
)
def test_the_rules_are_those_of_the_page(changes: dict[str, str], field: str, api_of: Any) -> None:
    # R1.1, R1.2
    answer = api_of(None).post("auth/register", NORA | changes)
    assert told(answer) == (422, "invalid")
    assert {error["field"] for error in answer.json()["errors"]} == {field}
    assert not Registration.objects.exists()


def test_a_link_is_useless_without_the_password(api_of: Any) -> None:
    # R1.1
    api = api_of(None)
    api.post("auth/register", NORA)
    token = link_for(NORA["email"]).rstrip("/").rpartition("/")[2]
    answer = api.post("auth/register/confirm", {"token": token, "password": WRONG_PASSWORD})
    assert told(answer) == (422, "wrong_password")
    assert told(api.post("auth/register/confirm", {"token": "x" * 43, "password": PASSWORD})) == (404, "link_invalid")


def test_too_many_registrations_from_one_network(api_of: Any, settings: Any) -> None:
    settings.REGISTRATIONS_PER_HOUR = 1
    assert api_of(None).post("auth/register", NORA).status_code == 202
    assert told(api_of(None).post("auth/register", NORA)) == (429, "too_often")


def test_the_password_alone_replaces_no_second_factor(alice: Any, api_of: Any) -> None:
    # R1.3
    assert told(enrol(api_of(None), alice)) == (409, "already_enrolled")
    assert told(enrol(api_of(None), alice, password=WRONG_PASSWORD)) == (401, "sign_in_refused")
    assert TotpDevice.objects.filter(user=alice).count() == 1


def test_a_wrong_code_turns_nothing_on(dora: Any, api_of: Any, code_of: Any) -> None:
    # R1.3
    api = api_of(None)
    enrolment = enrol(api, dora)
    assert told(confirm(api, enrolment, wrong_code_for(code_of(dora)))) == (422, "wrong_code")
    assert not TotpDevice.objects.get(user=dora).confirmed
    assert not UserSession.objects.exists()


def test_a_newer_enrolment_makes_the_older_worthless(dora: Any, api_of: Any, code_of: Any) -> None:
    # R1.3: a person who saw the first secret cannot compute a code of the second.
    api = api_of(None)
    first = enrol(api, dora)
    second = enrol(api, dora)
    assert told(confirm(api, first, code_of(dora))) == (401, "token_invalid")
    assert confirm(api, second, code_of(dora)).status_code == 200
    assert told(confirm(api, second, code_of(dora))) == (409, "already_enrolled")


@in_one_world("change", [{"password": "another"}, {"is_active": False}, {"must_change_password": True}])
def test_what_happens_to_the_user_meanwhile_ends_it(
    change: dict[str, Any], dora: Any, api_of: Any, code_of: Any
) -> None:
    api = api_of(None)
    enrolment = enrol(api, dora)
    User.objects.filter(pk=dora.pk).update(**change)
    assert told(confirm(api, enrolment, code_of(dora))) == (401, "token_invalid")


def test_an_enrolment_lasts_ten_minutes_and_is_nothing_else(dora: Any, alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    old = api_tokens.sign(
        Use.ENROLMENT, user=dora.public_id, jti="x", now=timezone.now() - timedelta(minutes=11),
        lasts=timedelta(minutes=10), device=str(uuid4()), password="", proof="",
    )  # fmt: skip
    for token in (old, api.tokens.access_token, "nonsense"):
        answer = api.post("auth/two-factor/confirm", {"enrolment_token": token, "code": "123456"})
        assert told(answer) == (401, "token_invalid")
    token = enrol(api, dora).json()["enrolment_token"]
    assert told(api_of(None).get("auth/session", Authorization=f"Bearer {token}")) == (401, "token_invalid")


def test_after_a_reset_it_takes_the_link_in_the_mail(dora: Any, api_of: Any, code_of: Any) -> None:
    # R1.8
    token = enrolment_link.demand(dora)
    api = api_of(None)
    assert told(enrol(api, dora)) == (403, "link_needed")
    assert told(enrol(api, dora, link_token="x" * 43)) == (404, "link_invalid")
    assert confirm(api, enrol(api, dora, link_token=token), code_of(dora)).status_code == 200


def test_who_must_change_the_password_does_that_on_the_pages(make_user: Any, api_of: Any) -> None:
    # R9.2
    user = make_user("Mona", two_factor=False, must_change_password=True)
    assert told(enrol(api_of(None), user)) == (403, "password_change_required")


def test_enrolling_counts_as_signing_in(dora: Any, api_of: Any, settings: Any) -> None:
    # R7.4
    settings.API_LOGINS_PER_MINUTE = 1
    assert enrol(api_of(None), dora).status_code == 200
    assert told(enrol(api_of(None), dora)) == (429, "too_often")
