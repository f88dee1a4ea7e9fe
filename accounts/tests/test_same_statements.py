"""Neither the statements nor the hasher's runs tell whether an address has a user (R1.1, R1.2, R1.9, ASVS V6.3.8)."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import EmailChange, PasswordReset, Registration
from foundation.models import RateWindow
from tests.acts import NEWCOMER, WRONG_PASSWORD, give_password, hashing, mails, wrong_code_for
from tests.api_client import ApiClient
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import fresh_code

pytestmark = pytest.mark.django_db

KNOWN, LOCKED, UNKNOWN = "bob@example.com", "larry@example.com", "nobody@example.com"
_TABLE = re.compile(r'(?:FROM|INTO|UPDATE)\s+["[`]?(\w+)')


class Work(NamedTuple):
    statements: list[tuple[str, str]]  # the kind and its first table
    hashing: list[str]


@pytest.fixture(autouse=True)
def _people(make_user: Any, settings: Any) -> None:
    make_user("Bob")
    larry = make_user("Larry")
    larry.is_active = False
    larry.save()
    settings.API_LOGINS_PER_MINUTE = 1000


def work_of(act: Callable[[], Any]) -> tuple[Work, int]:
    RateWindow.objects.all().delete()
    with CaptureQueriesContext(connection) as captured, hashing() as runs:
        status = act().status_code
    statements = []
    for query in captured.captured_queries:
        text = query["sql"]
        found = _TABLE.search(text)
        statements.append((text.split()[0], found.group(1) if found else ""))
    return Work([one for one in statements if one[0] not in {"SAVEPOINT", "RELEASE"}], list(runs)), status


def register_on_the_page(email: str) -> Any:
    return Client().post("/register/", NEWCOMER | {"email": email})


def register_by_program(email: str) -> Any:
    fields = {name: NEWCOMER[name] for name in ("first_name", "last_name", "phone", "address")}
    return ApiClient().post("auth/register", fields | {"email": email, "password": PASSWORD})


def forget_on_the_page(email: str) -> Any:
    return Client().post("/password/forgot/", {"email": email})


def forget_by_program(email: str) -> Any:
    return ApiClient().post("auth/password-reset", {"email": email})


def sign_in_by_program(email: str) -> Any:
    return ApiClient().post("auth/login", {"email": email, "password": WRONG_PASSWORD, "code": "123456"})


def enrol_by_program(email: str) -> Any:
    return ApiClient().post("auth/two-factor/enrol", {"email": email, "password": WRONG_PASSWORD})


ACTS: dict[str, Callable[[str], Any]] = {
    "registration, page": register_on_the_page,
    "registration, program": register_by_program,
    "reset, page": forget_on_the_page,
    "reset, program": forget_by_program,
    "sign-in, page": lambda email: give_password(Client(), email, WRONG_PASSWORD),
    "sign-in, program": sign_in_by_program,
    "enrolment, program": enrol_by_program,
}


@proves("V6.3.8")
@pytest.mark.parametrize("name", ACTS)
def test_known_and_unknown_addresses_run_the_same_statements(name: str) -> None:
    # C1: registration and reset ran one statement more or less for a known address.
    act = ACTS[name]
    for email in (KNOWN, LOCKED, UNKNOWN):
        act(email)  # what is compiled, or looked up once a minute, is ready; axes has a row of each
    found = {email: work_of(partial(act, email)) for email in (KNOWN, LOCKED, UNKNOWN)}
    assert found[UNKNOWN][0].statements, "else the test would prove nothing"
    assert found[KNOWN] == found[UNKNOWN]
    assert found[LOCKED] == found[UNKNOWN]


@proves("V6.3.8")
def test_so_does_a_change_of_address(alice: Any, browser_of: Any, api_of: Any) -> None:
    browser, api = browser_of(alice), api_of(alice)

    def ask_on_the_page(email: str) -> Any:
        return browser.post("/profile/email/", {"email": email, "password": PASSWORD, "code": fresh_code(alice)})

    def ask_by_program(email: str) -> Any:
        return api.post("profile/email", {"email": email, "password": PASSWORD, "code": fresh_code(alice)})

    for ask in (ask_on_the_page, ask_by_program):
        ask(UNKNOWN)
        found = [work_of(partial(ask, email)) for email in (KNOWN, UNKNOWN, KNOWN)]
        assert found[0] == found[1] == found[2]


@proves("V6.3.8")
def test_so_does_the_wrong_password_that_locks() -> None:
    # The lockout's mail is written for any address; the mail worker finds out who reads it.
    found = []
    for email in (KNOWN, UNKNOWN):
        for _ in range(4):
            give_password(Client(), email, WRONG_PASSWORD)
        with CaptureQueriesContext(connection) as captured:
            assert give_password(Client(), email, WRONG_PASSWORD).status_code == 429
        found.append([query["sql"].split()[0] for query in captured.captured_queries])
    assert found[0] == found[1]


@proves("V6.3.8")
def test_nothing_is_kept_for_an_address_that_gets_no_link(alice: Any, browser_of: Any) -> None:
    register_on_the_page(KNOWN)
    forget_on_the_page(UNKNOWN)
    forget_on_the_page(LOCKED)
    code = fresh_code(alice)
    browser_of(alice).post("/profile/email/", {"email": KNOWN, "password": PASSWORD, "code": code})
    assert not any(rows.objects.exists() for rows in (Registration, PasswordReset, EmailChange))
    assert not [mail for mail in mails() if "/confirm/" in mail.message or "/password/reset/" in mail.message]


@proves("V6.3.8")
def test_a_lost_phone_is_reported_after_the_password_alone(alice: Any, code_of: Any) -> None:
    # Its mail is not a way to ask about addresses: without the right password there is no button.
    client = Client()
    give_password(client, alice.email, WRONG_PASSWORD)
    for path in ("/sign-in/lost-phone/", "/sign-in/code/"):
        answer = client.post(path, {"code": wrong_code_for(code_of(alice))})
        assert answer.status_code in {302, 404}
    assert not mails(alice.email)
