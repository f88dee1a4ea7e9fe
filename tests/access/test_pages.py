"""Pages outside the staff's area, for everybody (R1.3, R1.5, R1.7, R2.4). `test_walk` tests who may open which."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from tests.access.doors import undone
from tests.access.pages import EVERYBODY, PAGES, every_page, is_about, path_of
from tests.access.visitors import INSIDE, Walkers
from tests.access_walk import WORDS, Hers, made_up, text_of
from tests.asvs import proves

pytestmark = pytest.mark.django_db

ALICE = next(visitor for visitor in INSIDE if visitor.is_alice)
CHARLIE = next(visitor for visitor in INSIDE if visitor.name == "Charlie")
OF_CUSTOMERS = [page for page in every_page() if page.name in PAGES and PAGES[page.name].permission != EVERYBODY]


def test_alice_herself_sees_all_of_it(hers: Hers, walkers: Walkers) -> None:
    # R2.4: otherwise the refusals of the walk would prove nothing.
    browser, seen = walkers(ALICE).browser, set()
    for page in every_page():
        text = text_of(browser.get(path_of(page, hers)))
        seen |= {word for word in WORDS if word in text}
    assert seen == set(WORDS)


def told(answer: Any, path: str) -> tuple[int, str, str]:
    """Return status, address and text of an answer, without the parts that always differ."""
    text = re.sub(r'csrfmiddlewaretoken" value="\w+"|[0-9a-f-]{36}', "", text_of(answer).replace(path, ""))
    return answer.status_code, re.sub(r"[0-9a-f-]{36}", "", answer.headers.get("Location", "")), text


@proves("V8.2.2")
def test_what_is_alices_is_as_unknown_to_charlie_as_what_does_not_exist(
    hers: Hers, walkers: Walkers, subtests: Any
) -> None:
    # R1.7: not a word that differs.
    walker = walkers(CHARLIE)
    for page in every_page():
        if page.name in PAGES and is_about(page, hers):
            known, unknown = path_of(page, hers), page.path(made_up())
            for method in ("get", "post"):
                ask = getattr(walker.browser, method)
                with subtests.test(f"{method} {page.name}"), undone(walker):
                    assert told(ask(known), known) == told(ask(unknown), unknown)


@proves("V4.1.4")
def test_no_page_answers_to_a_method_it_does_not_know(hers: Hers, walkers: Walkers, subtests: Any) -> None:
    # A peer's fault: state changes by any method.
    walker = walkers(ALICE)
    for page in every_page():
        with subtests.test(page.name), undone(walker):
            for method in ("PUT", "PATCH", "DELETE"):
                answer = walker.browser.generic(method, path_of(page, hers))
                # An address that is not a route of the API has none for any method.
                known = {"home": (405, 302), "api_nowhere": (404,), "sign_out": (405, 302)}.get(page.name, (405,))
                assert answer.status_code in known, method


@pytest.mark.parametrize("state", [{"is_active": False}, {"locked_at": timezone.now()}])
def test_a_locked_person_sees_no_page_from_the_next_request_on(
    state: dict[str, Any], hers: Hers, alice: Any, walkers: Walkers
) -> None:
    # R1.5
    browser = walkers(ALICE).browser
    assert browser.get("/dashboard/").status_code == 200
    User.objects.filter(pk=alice.pk).update(**state)
    for page in OF_CUSTOMERS:
        assert browser.get(path_of(page, hers))["Location"].startswith("/sign-in/"), page.name


def test_roles_are_read_from_the_database_at_each_request(alice: Any, browser_of: Any, subtests: Any) -> None:
    # R1.7: a role that was taken away opens nothing from the next request on.
    browser = browser_of(alice)
    for role in [*Role, None]:
        with subtests.test(str(role)), undone():
            assert browser.get("/dashboard/").status_code == 200
            alice.groups.set([Group.objects.get(name=role)] if role else [])
            assert browser.get("/dashboard/").status_code in ((200,) if role == Role.CUSTOMER else (302, 403))


def test_someone_without_a_role_opens_nothing(make_user: Any, browser_of: Any) -> None:
    # R1.7: deny by default.
    nobody = make_user("Nobody")
    nobody.groups.clear()
    browser = browser_of(User.objects.get(pk=nobody.pk))
    for page in OF_CUSTOMERS:
        assert browser.get(page.path(made_up())).status_code in (403, 405), page.name
    assert browser.get("/admin/").status_code == 403
    assert browser.get("/")["Location"] == "/dashboard/"
