"""The demo's mailbox: readable signed out in demo mode, not there otherwise (R1.1)."""

from typing import Any

import pytest
from django.test import Client
from post_office.models import STATUS, Email

from foundation import outbox
from tests.acts import register
from tests.asvs import proves

pytestmark = pytest.mark.django_db


@pytest.fixture
def delivered(client: Client) -> Email:
    register(client)
    outbox.expand_waiting()
    Email.objects.update(status=STATUS.sent)
    return Email.objects.get()


@proves("V15.2.3")
def test_outside_demo_mode_it_does_not_exist(delivered: Email, alice: Any, ada: Any, browser_of: Any) -> None:
    # R1.1: not even for administrators: other people's links are in it.
    for browser in (Client(), browser_of(alice), browser_of(ada)):
        assert browser.get("/demo/mailbox/").status_code == 404
        assert browser.get(f"/demo/mailbox/{delivered.pk}/").status_code == 404
    assert "/demo/mailbox/" not in Client().get("/sign-in/").content.decode()


def test_in_demo_mode_anyone_reads_what_was_sent(delivered: Email, settings: Any) -> None:
    # R1.1
    settings.DEMO = True
    browser = Client()
    page = browser.get("/demo/mailbox/").content.decode()
    assert "Confirm your e-mail address" in page
    assert "nora@example.com" in page
    mail = browser.get(f"/demo/mailbox/{delivered.pk}/")
    [link] = [line["url"] for line in mail.context["lines"] if line["url"]]
    assert link.startswith("http://testserver/register/confirm/")
    assert f'href="{link}"' in mail.content.decode()
    assert browser.get(link.removeprefix("http://testserver")).status_code == 200


def test_an_empty_mailbox_says_what_comes_next(client: Client, settings: Any) -> None:
    # R10.3
    settings.DEMO = True
    assert "No mail yet" in client.get("/demo/mailbox/").content.decode()


def test_an_unsent_mail_is_not_shown(client: Client, settings: Any) -> None:
    # R3.8
    settings.DEMO = True
    register(client)
    outbox.expand_waiting()
    waiting = Email.objects.get()
    assert waiting.status == STATUS.queued
    assert "nora@example.com" not in client.get("/demo/mailbox/").content.decode()
    assert client.get(f"/demo/mailbox/{waiting.pk}/").status_code == 404
    assert client.get("/demo/mailbox/999999/").status_code == 404


@proves("V1.2.2")
def test_only_links_to_the_bank_become_links_and_text_stays_text(client: Client, settings: Any) -> None:
    # R8.3
    settings.DEMO = True
    text = "<b>hi</b>\nhttps://evil.example/x\nhttp://testserver.evil.example/\nhttp://testserver/sign-in/"
    mail = Email.objects.create(
        from_email="bank@example.com", to=["a@example.com"], subject="<i>x</i>", message=text, status=STATUS.sent
    )
    answer = client.get(f"/demo/mailbox/{mail.pk}/")
    assert [line["url"] for line in answer.context["lines"]] == [None, None, None, "http://testserver/sign-in/"]
    page = answer.content.decode()
    assert "<b>hi" not in page
    assert "<i>x" not in page
    assert 'href="https://evil' not in page


def test_it_is_for_reading_only(delivered: Email, client: Client, settings: Any) -> None:
    # A peer's fault: a state change by a stranger.
    settings.DEMO = True
    for method in (client.post, client.delete, client.put):
        assert method("/demo/mailbox/").status_code == 405
        assert method(f"/demo/mailbox/{delivered.pk}/").status_code == 405
