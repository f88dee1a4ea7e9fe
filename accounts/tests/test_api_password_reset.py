"""A forgotten password through the API: equal answers, a link that works once, and the code as always (R1.9)."""

from typing import Any

import pytest

from accounts.models import PasswordReset, User
from audit.models import AuditEntry
from tests.acts import link_for, mails
from tests.api_client import told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NEW = "a sentence that only Alice thinks of"


def ask(api: Any, email: str) -> Any:
    return api.post("auth/password-reset", {"email": email})


def token_for(email: str) -> str:
    return link_for(email).rstrip("/").rpartition("/")[2]


def choose(api: Any, token: str, new: str = NEW) -> Any:
    return api.post("auth/password-reset/confirm", {"token": token, "new_password": new})


@proves("V6.4.3")
def test_a_new_password_by_mail_and_then_both_factors(
    alice: Any, api_of: Any, code_of: Any, browser_of: Any, settings: Any
) -> None:
    # R1.9: it signs nobody in, and the code is asked as always.
    settings.API_LOGINS_PER_MINUTE = 1000
    signed_in, browser, api = api_of(alice), browser_of(alice), api_of(None)
    assert ask(api, " ALICE@example.com ").status_code == 202
    token = token_for(alice.email)
    assert choose(api, token).status_code == 204
    assert told(signed_in.get("profile")) == (401, "token_invalid")
    assert browser.get("/profile/").status_code == 302
    login = {"email": alice.email, "password": NEW, "code": code_of(alice)}
    refused = (401, "sign_in_refused")
    assert told(api.post("auth/login", login | {"password": PASSWORD})) == refused
    assert told(api.post("auth/login", login | {"code": "000000"})) == refused
    assert [mail.subject for mail in mails(alice.email)] == ["Choose a new password", "Your password was changed"]
    assert AuditEntry.objects.filter(action="PASSWORD_RESET").count() == 1
    assert told(choose(api, token)) == (404, "link_invalid")


@proves("V6.3.8")
def test_nothing_reveals_who_owns_the_address(alice: Any, make_user: Any, api_of: Any) -> None:
    # R1.9
    locked = make_user("Lou")
    User.objects.filter(pk=locked.pk).update(locked_at=locked.created_at)
    answers = [ask(api_of(None), email) for email in (alice.email, locked.email, "nobody@example.com")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert [len(mails(to)) for to in (alice.email, locked.email, "nobody@example.com")] == [1, 1, 1]
    assert PasswordReset.objects.count() == 1


def test_too_many_from_one_network(alice: Any, api_of: Any, settings: Any) -> None:
    settings.PASSWORD_RESETS_PER_HOUR = 1
    assert ask(api_of(None), alice.email).status_code == 202
    assert told(ask(api_of(None), alice.email)) == (429, "too_often")
    assert told(ask(api_of(None), "nobody@example.com")) == (429, "too_often")


@in_one_world("email", ["", "no address", "älice@example.com", None, 5])
def test_an_address_has_to_be_one(email: Any, api_of: Any) -> None:
    answer = ask(api_of(None), email)
    assert told(answer) == (422, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["email"]


def test_a_weak_password_uses_up_no_link(alice: Any, api_of: Any) -> None:
    # R1.2
    api = api_of(None)
    ask(api, alice.email)
    token = token_for(alice.email)
    answer = choose(api, token, "short")
    assert told(answer) == (422, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["new_password"]
    assert choose(api, token).status_code == 204


@in_one_world("token", ["x" * 43, "../admin"])
def test_a_link_that_never_was_chooses_nothing(token: str, api_of: Any) -> None:
    assert told(choose(api_of(None), token)) == (404, "link_invalid")
