"""Compressed answers say the same to everybody: nothing about the reader or the request (docs/adr/0026).

Through the real firewall: `tests/firewall/test_compression.py`.
"""

import re
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.access import pages
from tests.access_walk import WORDS, Hers
from tests.asvs import proves
from tests.compressed import COOKIES, EVERYBODYS, VISITORS

pytestmark = pytest.mark.django_db

SENT = {
    "User-Agent": "reflected-agent",
    "Referer": "http://testserver/reflected-referer/",
    "Accept-Language": "de-reflected",
    "Accept": "text/reflected",
    "Origin": "http://reflected.example",
    "X-Forwarded-For": "203.0.113.77",
    "X-Request-ID": "reflected-id",
    "From": "reflected@example.com",
}


def said(client: Client, path: str, **headers: str) -> str:
    """Return the text without the tokens of forms: Django masks each one differently, so that their length reveals
    nothing."""
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    return re.sub(r'name="csrfmiddlewaretoken" value="\w{64}"', "", answer.content.decode())


def with_cookies() -> Client:
    """Return a client that was here before and has no session."""
    client = Client()
    client.cookies[settings.CSRF_COOKIE_NAME] = "r" * 32
    client.cookies[settings.DEVICE_COOKIE_NAME] = "reflected-device"
    return client


@proves("V12.2.1")
@pytest.mark.parametrize("path", sorted(VISITORS | EVERYBODYS))
def test_it_is_the_same_for_every_reader_and_request(path: str, hers: Hers) -> None:
    plain = said(Client(), path)
    assert said(with_cookies(), path, **SENT) == plain
    assert "reflected" not in plain
    assert "203.0.113.77" not in plain
    assert not [word for word in (*WORDS, "alice@example.com", hers.fields["number"]) if word in plain]


def test_these_are_pages_for_visitors_and_the_document_of_the_api() -> None:
    public = {pages.path_of(page, Hers({}, {})) for page in pages.every_page() if page.name in pages.PUBLIC}
    assert public >= VISITORS
    assert {"/api/v1/openapi.json"} == EVERYBODYS


@pytest.mark.parametrize("path", sorted(EVERYBODYS))
def test_what_asks_nobody_who_they_are_says_the_same_to_somebody(path: str, alice: Any, browser_of: Any) -> None:
    assert said(browser_of(alice), path) == said(Client(), path)


def test_a_cookie_that_makes_somebody_of_nobody_is_not_named() -> None:
    # Over HTTPS and without: tests/test_settings.py.
    assert {"__Host-bank-csrf", "csrftoken", "__Host-bank-device", "bank-device"} == COOKIES
    assert {settings.CSRF_COOKIE_NAME, settings.DEVICE_COOKIE_NAME} <= COOKIES
    assert not {settings.SESSION_COOKIE_NAME, "__Host-bank-session", "sessionid"} & COOKIES
