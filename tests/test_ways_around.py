"""Where each role's day begins, and its way around (R1.10, R10.1, R10.2)."""

from typing import Any

import pytest
from django.db.backends.signals import connection_created
from django.test import Client

from bankproject.databases import wait_at_most
from tests.asvs import proves

pytestmark = pytest.mark.django_db


@proves("V7.4.4")
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


def test_the_servers_entry_point_answers(rf: Any) -> None:
    # R9.3: what gunicorn imports.
    from bankproject.wsgi import application

    connection_created.disconnect(wait_at_most)  # the connections of other tests are not a server's
    started: list[str] = []

    def start(status: str, headers: Any, error: Any = None) -> Any:
        started.append(status)

    body = b"".join(application(rf.get("/sign-in/").environ, start))
    assert started == ["200 OK"]
    assert b"Sign in" in body
