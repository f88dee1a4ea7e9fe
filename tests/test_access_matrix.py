"""Every address of the bank, for everybody, by every method (R1.3, R1.7, R9.6; issue 5, Shows 7).

The addresses come from the URL resolver. What is expected of each stands in the tables below; one that is in none
of them fails the test. The staff's area has its own tables (`test_admin_matrix`), over which the walk goes as well, and
so has the API (`test_api_matrix`).
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from tests.access_walk import (
    WORDS,
    Hers,
    Page,
    form_fields,
    made_up,
    pages,
    rows_about,
    text_of,
    walk,
)
from tests.acts import give_password

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

# --- The tables -------------------------------------------------------------------------------------------------

# Who walks, and as whom the pages of customers take them.
PEOPLE = {
    "nobody": "outside",
    "Alice with her password alone": "outside",
    "a customer without two-factor": "outside",
    "support without two-factor": "outside",
    "auditor without two-factor": "outside",
    "admin without two-factor": "outside",
    "Charlie": "stranger",
    "support": "staff",
    "auditor": "staff",
    "admin": "staff",
    "superuser without a role": "staff",
}


class To(NamedTuple):
    """What GET and POST answer; more than one where it depends on what was sent."""

    get: str
    post: str


# About something of Alice's: what they answer to her. To Charlie each of them is 404 (405 where it is nobody's),
# to all others what pages of customers are.
HERS = {
    "account": To("200", "405"),
    "account_close": To("200", "200 302"),
    "account_settings": To("200", "200 302"),
    "deposit": To("200", "200 302"),
    "withdraw": To("200", "200 302"),
    "withdraw_confirm": To("302", "302"),
    "entry": To("200", "405"),
    "payee": To("200", "200 302"),
    "payee_remove": To("200", "302"),
    "receipt": To("200", "405"),
    "receipt_pdf": To("200", "405"),
    "service_request": To("200", "405"),
    "request_cancel": To("405", "302"),
    "statement": To("200", "405"),
    "statements": To("200", "405"),
    "ticket": To("200", "200 302"),
}
# About nothing but whoever asks: what they answer to customers.
OF_CUSTOMERS = {
    "account_open": To("200", "200 302"),
    "daily_limit": To("200", "200 302"),
    "dashboard": To("200", "405"),
    "dashboard_live": To("200", "405"),
    "help": To("200", "405"),
    "history": To("200 302", "405"),
    "history_export": To("200 302", "405"),
    "payees": To("200", "405"),
    "pictures": To("200 404", "405"),
    "request_new": To("200", "200 302"),
    "service_requests": To("200", "405"),
    "ticket_open": To("200", "200 302"),
    "tickets": To("200", "405"),
    "transfer_own": To("200", "200"),
    # A review is remembered in one session only: any other is sent back to the form, whoever asks.
    "transfer_review": To("302", "302"),
    "transfer_send": To("200", "200"),
}
# The same, for every role.
OF_EVERYBODY = {
    "authenticator_new": To("302", "302"),
    "authenticator_replace": To("200", "200"),
    "email_change": To("200", "200"),
    "email_change_confirm": To("404", "404"),
    "password_change": To("200", "200"),
    "pin": To("200", "200"),
    "pin_remove": To("302", "302"),
    "profile": To("200", "405"),
    "profile_details": To("200", "200 302 403"),  # 403: without a role there is nothing to change
    "recovery_codes_renew": To("200", "200"),
    "recovery_codes_shown": To("302", "405 302"),
    "session_end": To("405", "404"),
    "session_extend": To("405", "200"),
    "sessions_end_others": To("405", "302"),
}
# Open to who is not signed in: what they answer to them, and to everybody else.
PUBLIC = {
    "api_docs": (To("200", "405"), To("200", "405")),
    "api_nowhere": (To("404", "404"), To("404", "404")),
    "components": (To("404", "405"), To("404", "405")),  # with DEBUG only
    "enrolment_link": (To("404", "404"), To("404", "404")),
    "enrolment_link_needed": (To("302", "302"), To("302", "302")),
    "home": (To("302", "302"), To("302", "302")),
    "lost_factor": (To("302", "302"), To("302", "302")),
    "lost_factor_confirm": (To("404", "404"), To("404", "404")),
    "lost_factor_sent": (To("302", "302 405"), To("302", "302 405")),
    "mail": (To("404", "405"), To("404", "405")),  # in the demo only
    "mailbox": (To("404", "405"), To("404", "405")),
    "password_forgot": (To("200", "302 200"), To("200 302", "302 200")),
    "password_forgot_sent": (To("200", "405"), To("200", "405")),
    "password_reset": (To("404", "404"), To("404", "404")),
    "register": (To("200", "200"), To("302 200", "302 200")),
    "register_confirm": (To("404", "404"), To("404", "404")),
    "register_sent": (To("200", "405"), To("200", "405")),
    "session_left": (To("200", "405"), To("200", "405")),
    "sign_in": (To("200", "200"), To("302", "302")),
    "sign_in_code": (To("302", "302"), To("302", "302")),
    "sign_out": (To("405", "302"), To("405", "302")),
    "two_factor_enrol": (To("302", "302"), To("302", "302")),
}
# What else the password opens while the code is still to come.
WITH_A_PASSWORD = {
    "sign_in_code": To("200", "200"),
    "lost_factor": To("200", "200 302"),
    "lost_factor_sent": To("302 200", "405 302"),
}
# What a page may add to what is Alice's, though it was not she who asked: a link, mailed to her alone.
MAY_ADD = {"password_forgot": "accounts.PasswordReset", "lost_factor": "support.LostFactorLink"}
# Guesses, which `test_guessing` makes; sent here they would lock the walk out.
NOT_SENT = {
    "admin_key", "code", "customer_code", "new_password1", "new_password2", "old_password", "password", "password1",
    "password2", "pin", "pin_again",
}  # fmt: skip

# --- The walk ---------------------------------------------------------------------------------------------------


def expected(name: str, who: str) -> To:
    standing = PEOPLE.get(who, "Alice")
    if name in PUBLIC:
        if who == "Alice with her password alone" and name in WITH_A_PASSWORD:
            return WITH_A_PASSWORD[name]
        return PUBLIC[name][standing != "outside"]
    if standing == "outside":
        return To("302", "302")
    if name in OF_EVERYBODY:
        return OF_EVERYBODY[name]
    answers = HERS.get(name) or OF_CUSTOMERS[name]
    if standing == "Alice" or (standing == "stranger" and name in OF_CUSTOMERS):
        return answers
    refused = {"stranger": "404", "staff": "403"}[standing]
    return To(*("405" if answer == "405" else refused for answer in answers))


@pytest.fixture
def walker(request: Any, make_user: Callable[..., Any], browser_of: Callable[[Any], Any]) -> Callable[[str], Client]:
    """`walker(who)`: the browser of one of `PEOPLE`, or of Alice herself."""

    def walk_as(who: str) -> Client:
        if who == "nobody":
            return Client()
        if who == "Alice with her password alone":
            browser = Client()
            give_password(browser, "alice@example.com")
            return browser
        if who in ("Alice", "Charlie"):
            return browser_of(request.getfixturevalue(who.lower()))
        role = next((role for role in Role if who.startswith(role.value.lower())), Role.CUSTOMER)
        user = make_user("Walter", role, two_factor="without two-factor" not in who)
        if who == "superuser without a role":
            user.groups.clear()
            User.objects.filter(pk=user.pk).update(is_superuser=True)
        return browser_of(user)

    return walk_as


def test_every_address_is_in_a_table() -> None:
    known = set(HERS) | set(OF_CUSTOMERS) | set(OF_EVERYBODY) | set(PUBLIC)
    assert set(pages()) == known, "a new page: say in tests/test_access_matrix.py to whom it answers what"
    others = {page.name.partition(":")[0] for page in walk() if ":" in page.name}
    assert others <= {"admin", "api"}, "a new part of the site: walk over it"


def test_what_a_page_is_about_is_named(hers: Hers) -> None:
    about = {name for name, page in pages().items() if page.arguments and "token" not in dict(page.arguments)}
    assert about == set(hers.of_page), "a new page about something: say in tests/access_walk.py what Alice has of it"
    unknown = form_fields().keys() - hers.fields.keys() - NOT_SENT
    assert not unknown, "a new field of a form: say in tests/access_walk.py what of Alice's it could name"


def ours() -> list[Page]:
    """Every page outside the staff's area; what ends the walk comes last."""
    return sorted(pages().values(), key=lambda page: page.name == "sign_out")


def addresses(page: Page, hers: Hers) -> Iterator[str]:
    """About what is Alice's, and about what is nobody's."""
    yield page.path(made_up() | hers.of_page.get(page.name, {}))
    if page.arguments:
        yield page.path(made_up())


def requests_to(page: Page, hers: Hers) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, address and fields: empty, and with something of Alice's in each field there is."""
    for path in addresses(page, hers):
        for fields in ({}, hers.fields):
            yield "get", path, fields
            yield "post", path, fields


@pytest.mark.parametrize("who", PEOPLE)
def test_every_address_answers_as_the_tables_say_and_nothing_of_alices_is_seen_or_changed(
    who: str, hers: Hers, alice: Any, walker: Callable[[str], Client]
) -> None:
    browser, wrong, walked, was = walker(who), [], 0, rows_about(alice)
    for page in ours():
        for method, path, fields in requests_to(page, hers):
            answer = getattr(browser, method)(path, fields)
            walked += 1
            allowed = getattr(expected(page.name, who), method)
            if str(answer.status_code) not in allowed.split():
                wrong.append(f"{method} {path} ({page.name}): {answer.status_code}, not {allowed}")
            seen = [word for word in WORDS if word in text_of(answer)]
            if seen:
                wrong.append(f"{method} {path} ({page.name}) shows {seen}")
        now = rows_about(alice)
        added = {label for label, _ in now.keys() - was.keys()}
        if {**now, **was} != now or added - {MAY_ADD.get(page.name)}:
            wrong.append(
                f"{page.name} changed what is Alice's: {added or [key for key in was if now.get(key) != was[key]]}"
            )
        was = now
    assert not wrong, "\n".join(map(str, wrong))
    assert walked > 200


def test_alice_herself_sees_all_of_it(hers: Hers, walker: Callable[[str], Client]) -> None:
    # R2.4: else the refusals above would prove nothing.
    browser, seen = walker("Alice"), set()
    for page in ours():
        answer = browser.get(next(addresses(page, hers)))
        assert str(answer.status_code) in expected(page.name, "Alice").get.split(), page.name
        seen |= {word for word in WORDS if word in text_of(answer)}
    assert seen == set(WORDS)
    for name, answers in HERS.items():
        if answers.get == "405":
            posted = browser.post(next(addresses(pages()[name], hers)))
            assert str(posted.status_code) in answers.post.split(), name


def told(answer: Any, path: str) -> tuple[int, str, str]:
    """Status, address and text of an answer, without what differs between any two."""
    text = re.sub(r'csrfmiddlewaretoken" value="\w+"|[0-9a-f-]{36}', "", text_of(answer).replace(path, ""))
    return answer.status_code, re.sub(r"[0-9a-f-]{36}", "", answer.headers.get("Location", "")), text


@pytest.mark.parametrize("name", [*HERS, "transfer_review", "session_end"])
def test_what_is_alices_is_as_unknown_to_charlie_as_what_does_not_exist(
    name: str, hers: Hers, walker: Callable[[str], Client]
) -> None:
    # R1.7: not a word that differs.
    browser = walker("Charlie")
    for method in (browser.get, browser.post):
        known, unknown = addresses(pages()[name], hers)
        assert told(method(known), known) == told(method(unknown), unknown)


@pytest.mark.parametrize("who", ["Alice", *PEOPLE])
def test_other_methods_change_nothing_and_show_nothing(
    who: str, hers: Hers, alice: Any, walker: Callable[[str], Client]
) -> None:
    # R8.2: state is changed by POST alone, and HEAD is a GET without a body.
    browser, was, wrong = walker(who), rows_about(alice), []
    for page in ours():
        path = next(addresses(page, hers))
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
            answer = browser.generic(method, path, "amount=1", content_type="application/x-www-form-urlencoded")
            if answer.status_code not in (302, 403, 404, 405) or any(word in text_of(answer) for word in WORDS):
                wrong.append((method, path, answer.status_code))
        if page.name != "sign_out":
            head = browser.head(path)
            if str(head.status_code) not in [*expected(page.name, who).get.split(), "405"] or head.content:
                wrong.append(("HEAD", path, head.status_code))
    assert not wrong, "\n".join(map(str, wrong))
    now = rows_about(alice)
    seen = {key: text for key, text in was.items() if now.get(key) != text}
    assert not seen


@pytest.mark.parametrize("role", [*Role, None])
def test_roles_are_read_from_the_database_at_each_request(
    role: Role | None, hers: Hers, alice: Any, browser_of: Callable[[Any], Any]
) -> None:
    # R1.7: a role that was taken away opens nothing from the next request on.
    browser = browser_of(alice)
    assert browser.get("/dashboard/").status_code == 200
    alice.groups.set([Group.objects.get(name=role)] if role else [])
    assert browser.get("/dashboard/").status_code in ((200,) if role == Role.CUSTOMER else (302, 403))
