"""Who may open which page: every named URL, every kind of visitor (R1.3, R1.7, R1.10). A new page is walked too.

The quick part, for every day; with objects of Alice's in every parameter, by POST as well: `test_access_matrix`.
"""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from accounts.models import User
from tests.access_walk import Hers, made_up, pages

pytestmark = pytest.mark.django_db

# What a visitor who is not signed in gets; every page that is not here leads to sign-in.
PUBLIC = {
    "home": (302, "/sign-in/"),
    "sign_in": (200, None),
    "sign_in_code": (302, "/sign-in/"),
    "sign_out": (405, None),
    "session_left": (200, None),
    "register": (200, None),
    "register_sent": (200, None),
    "register_confirm": (404, None),
    "password_forgot": (200, None),
    "password_forgot_sent": (200, None),
    "password_reset": (404, None),
    "two_factor_enrol": (302, "/sign-in/"),
    "enrolment_link_needed": (302, "/sign-in/"),
    "enrolment_link": (404, None),
    "lost_factor": (302, "/sign-in/"),
    "lost_factor_sent": (302, "/sign-in/"),
    "lost_factor_confirm": (404, None),
    "mailbox": (404, None),
    "mail": (404, None),
    "components": (404, None),
    "api_docs": (200, None),
    "api_nowhere": (404, None),
}
# Open to every role: they are about oneself. What a GET answers to somebody who has nothing that it names.
FOR_EVERYONE = {
    "password_change": 200,
    "profile": 200,
    "profile_details": 200,
    "session_end": 405,
    "session_extend": 405,
    "sessions_end_others": 405,
    "email_change": 200,
    "email_change_confirm": 404,
    "recovery_codes_renew": 200,
    "recovery_codes_shown": 302,
    "authenticator_replace": 200,
    "authenticator_new": 302,
    "pin": 200,
    "pin_remove": 302,
}


PAGES = pages()
PRIVATE = sorted(set(PAGES) - set(PUBLIC) - set(FOR_EVERYONE))


def path_of(name: str, objects: dict[str, Any] | None = None) -> str:
    """The page's path, about these objects or about ones that do not exist."""
    return PAGES[name].path(made_up() | (objects or {}))


@pytest.fixture
def objects_of_alice(hers: Hers) -> dict[str, dict[str, Any]]:
    """For each page of customers that is about something: what Alice has of it."""
    return {name: values for name, values in hers.of_page.items() if name in PRIVATE}


def test_the_walk_knows_every_page_that_is_about_something(objects_of_alice: dict[str, Any]) -> None:
    # R1.7: whoever adds such a page says here what Alice has of it.
    assert {name for name in PRIVATE if PAGES[name].arguments} == set(objects_of_alice)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_visitor_gets_public_pages_and_is_sent_to_sign_in_by_all_others(name: str, client: Client) -> None:
    # R1.3
    path = path_of(name)
    answer = client.get(path)
    if name in PUBLIC:
        assert (answer.status_code, answer.headers.get("Location")) == PUBLIC[name]
    else:
        assert (answer.status_code, answer["Location"]) == (302, f"/sign-in/?next={path}")
        posted = client.post(path)
        assert (posted.status_code, posted["Location"]) == (302, "/sign-in/")


@pytest.mark.parametrize("name", sorted(set(PAGES) - set(PUBLIC)))
def test_the_password_alone_opens_none_of_them(name: str, make_user: Any, browser_of: Any) -> None:
    # R1.3
    answer = browser_of(make_user("Dora", two_factor=False)).get(path_of(name))
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")


def test_alice_opens_all_of_hers(objects_of_alice: dict[str, Any], alice: Any, browser_of: Any) -> None:
    # R2.4: else the refusals below would prove nothing. The draft lives in the session that made it.
    browser = browser_of(alice)
    for name in [*PRIVATE, *FOR_EVERYONE]:
        expected = {"transfer_review": 302, "withdraw_confirm": 302, "request_cancel": 405}.get(
            name, FOR_EVERYONE.get(name, 200)
        )
        assert browser.get(path_of(name, objects_of_alice.get(name))).status_code == expected, name


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.parametrize("role", ["Support", "Auditor", "Admin"])
def test_staff_are_refused_the_pages_of_customers(
    name: str, role: str, objects_of_alice: dict[str, Any], sam: Any, browser_of: Any
) -> None:
    # R1.7: a role that may not gets 403, whatever it is about, by GET and by POST.
    sam.groups.set([Group.objects.get(name=role)])
    browser = browser_of(sam)
    path = path_of(name, objects_of_alice.get(name))
    answers = {browser.get(path).status_code, browser.post(path).status_code}
    assert answers <= {403, 405}
    assert 403 in answers


def test_a_superuser_opens_no_page_of_customers(alice: Any, ada: Any, browser_of: Any) -> None:
    # R1.7
    User.objects.filter(pk=ada.pk).update(is_superuser=True)
    browser = browser_of(ada)
    assert {browser.get(path_of(name)).status_code for name in PRIVATE} <= {403, 405}


def test_someone_without_a_role_opens_nothing(db: Any, make_user: Any, browser_of: Any) -> None:
    # R1.7: deny by default.
    nobody = make_user("Nobody")
    nobody.groups.clear()
    browser = browser_of(User.objects.get(pk=nobody.pk))
    for name in PRIVATE:
        assert browser.get(path_of(name)).status_code in (403, 405), name
    assert browser.get("/admin/").status_code == 403
    assert browser.get("/")["Location"] == "/dashboard/"


@pytest.mark.parametrize(
    ("who", "target"),
    [("alice", "/dashboard/"), ("sam", "/admin/"), ("audrey", "/admin/"), ("ada", "/admin/")],
)
def test_the_front_door_leads_each_role_to_where_its_day_begins(
    who: str, target: str, request: Any, browser_of: Any
) -> None:
    # R1.10
    browser = browser_of(request.getfixturevalue(who))
    assert browser.get("/")["Location"] == target
    assert browser.get(target).status_code == 200


@pytest.mark.parametrize(
    ("who", "labels"),
    [
        ("alice", ["Overview", "History", "Send money", "Move money", "Help", "Open account", "Payees"]),
        ("sam", ["Staff area"]),
        ("audrey", ["Staff area", "Audit log"]),
        ("ada", ["Staff area", "Audit log"]),
    ],
)
def test_each_role_sees_its_own_way_around(who: str, labels: list[str], request: Any, browser_of: Any) -> None:
    # R10.1: navigation, name, role and sign-out; and every link in it opens.
    user = request.getfixturevalue(who)
    browser = browser_of(user)
    answer = browser.get("/password/")
    page = answer.content.decode()
    assert [link.label for link in answer.context["nav"]] == labels
    assert all(f'href="{link.url}"' in page for link in answer.context["nav"])
    assert {browser.get(link.url).status_code for link in answer.context["nav"]} == {200}
    assert user.get_full_name() in page
    assert str(user.role) in page
    assert 'action="/sign-out/"' in page


def test_the_page_one_is_on_is_marked(alice: Any, browser_of: Any) -> None:
    # R10.2
    nav = browser_of(alice).get("/dashboard/").context["nav"]
    assert [link.label for link in nav if link.current] == ["Overview"]


def test_a_visitor_sees_no_way_into_the_bank(client: Client) -> None:
    # R10.1
    page = client.get("/sign-in/").content.decode()
    assert "/dashboard/" not in page
    assert "/admin/" not in page
    assert "Open an account" in page


@pytest.mark.parametrize("state", [{"is_active": False}, {"locked_at": timezone.now()}])
def test_a_locked_person_sees_no_page_from_the_next_request_on(
    state: dict[str, Any], alice: Any, browser_of: Any
) -> None:
    # R1.5
    browser = browser_of(alice)
    assert browser.get("/dashboard/").status_code == 200
    User.objects.filter(pk=alice.pk).update(**state)
    for name in PRIVATE:
        assert browser.get(path_of(name))["Location"].startswith("/sign-in/"), name


# Where there is no route of the API, there is none for any method.
@pytest.mark.parametrize("name", sorted(set(PAGES) - {"sign_out", "api_nowhere"}))
def test_no_page_answers_to_a_method_it_does_not_know(name: str, alice: Any, browser_of: Any) -> None:
    # A peer's fault: state changes by whatever method comes.
    browser = browser_of(alice)
    for method in ("put", "patch", "delete"):
        answer = getattr(browser, method)(path_of(name))
        assert answer.status_code in (405, 302) if name == "home" else answer.status_code == 405


@pytest.mark.django_db
def test_the_servers_entry_point_answers(rf: Any) -> None:
    # R9.3: what gunicorn imports.
    from bankproject.wsgi import application

    started: list[str] = []

    def start(status: str, headers: Any, error: Any = None) -> Any:
        started.append(status)

    body = b"".join(application(rf.get("/sign-in/").environ, start))
    assert started == ["200 OK"]
    assert b"Sign in" in body
