"""Addresses that browsers, password managers and finders of faults know by convention (RFC 8615, RFC 9116)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone

from bankproject.environment import BankEnv
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db


def test_security_txt_says_where_faults_are_reported_to(client: Client, settings: Any) -> None:
    settings.SECURITY_CONTACT = "mailto:security@bank.example"
    settings.SITE_URL = "https://bank.example"
    answer = client.get("/.well-known/security.txt")
    lines = answer.content.decode().splitlines()
    told = dict(line.split(": ", 1) for line in lines)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert told.pop("Contact") == "mailto:security@bank.example"
    ends = datetime.strptime(told.pop("Expires"), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(days=30) < ends - timezone.now() < timedelta(days=365), "RFC 9116, 2.5.5"
    assert told == {
        "Preferred-Languages": "en",
        "Canonical": "https://bank.example/.well-known/security.txt",
    }
    assert len(lines) == 4


@in_one_world("is_demo", [True, False])
def test_without_a_contact_there_is_none(client: Client, settings: Any, is_demo: bool) -> None:
    settings.SECURITY_CONTACT, settings.DEMO = "", is_demo
    assert client.get("/.well-known/security.txt").status_code == 404


@in_one_world(
    "given", ["security@bank.example", "http://bank.example", "mailto:", "mailto:a@b.c\nExpires: x", "ftp://x"]
)
def test_a_contact_that_nobody_could_use_is_refused_at_start(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURITY_CONTACT", given)
    with pytest.raises(
        ImproperlyConfigured, match=r"^SECURITY_CONTACT must be empty, or an address that begins with mailto:"
    ):
        BankEnv().contact("SECURITY_CONTACT")


@in_one_world("given", ["", "mailto:security@bank.example", "https://bank.example/security", "tel:+49-30-5550101"])
def test_a_contact_is_an_address_of_mail_web_or_telephone(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURITY_CONTACT", given)
    assert BankEnv().contact("SECURITY_CONTACT") == given


def test_password_managers_find_the_page_for_the_password(client: Client, alice: Any, browser_of: Any) -> None:
    for browser in (client, browser_of(alice)):
        answer = browser.get("/.well-known/change-password")
        assert (answer.status_code, answer["Location"]) == (302, "/password/")


def test_search_engines_are_kept_out(client: Client) -> None:
    answer = client.get("/robots.txt")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode() == "User-agent: *\nDisallow: /\n"


def test_the_icon_that_browsers_ask_for_by_themselves_is_ours(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer["Location"]) == (302, "/static/img/favicon.svg")
    assert client.get(answer["Location"])["Content-Type"] == "image/svg+xml"
