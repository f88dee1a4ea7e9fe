"""The user whose address wrong passwords and codes were tried with is told about the lockout, once an hour; the mail
reveals to nobody whether an address is known (R1.2, R1.4)."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.sign_in import guesses
from accounts.sign_in.guesses import email_in
from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests.acts import WRONG_PASSWORD, give_code, give_password, is_signed_in, mails, wrong_code_for
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
SUBJECT = "Wrong passwords or codes for your sign-in"


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def lock_out(email: str = "alice@example.com", **extra: Any) -> None:
    answers = [give_password(Client(), email, WRONG_PASSWORD, **extra) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]


def test_the_owner_is_told_what_happened_from_where_and_what_to_do(alice: Any, browser_of: Any) -> None:
    running = browser_of(alice)
    lock_out(REMOTE_ADDR="203.0.113.9")
    [mail] = mails(alice.email)
    assert mail.subject == SUBJECT
    for text in (mail.message, mail.html_message):
        assert "Hello Alice" in text
        assert "3 November 2026, 12:00 UTC" in text
        assert "203.0.113.9" in text
        assert "for 10 minutes" in text
        assert "wherever you are signed in, you stay so" in text
        assert "http://testserver/password/forgot/" in text
    assert is_signed_in(running), "as the mail says"


def test_wrong_codes_of_somebody_with_the_password_are_told_too(
    alice: Any, client: Client, code_of: Any, clock: Any
) -> None:
    give_password(client, alice.email)
    for _ in range(5):
        clock.shift(20)
        give_code(client, wrong_code_for(code_of(alice)))
    assert [mail.subject for mail in mails(alice.email)] == [SUBJECT]


@proves("V6.3.5")
def test_one_mail_an_hour_however_many_lockouts_from_however_many_places(alice: Any, bob: Any, clock: Any) -> None:
    for number in range(6):
        lock_out(REMOTE_ADDR=f"203.0.113.{number}")
    assert len(mails(alice.email)) == 1
    lock_out(bob.email)
    assert len(mails(bob.email)) == 1, "one person's flood hides nothing from another"
    clock.shift(timedelta(minutes=61))
    lock_out()
    assert len(mails(alice.email)) == 2
    assert AuditEntry.objects.filter(action="LOCKED_OUT").count() == 8, "each is recorded"


@in_one_world("state", [{"is_active": False}, {"locked_at": timezone.now()}])
def test_who_may_not_sign_in_anyway_is_not_told(alice: Any, state: dict[str, Any]) -> None:
    User.objects.filter(pk=alice.pk).update(**state)
    lock_out()
    assert mails() == []


@proves("V6.3.8")
def test_an_unknown_address_is_written_no_mail_and_costs_the_same(alice: Any) -> None:
    # R1.2: neither the answer nor the work tells them apart.
    seen = []
    for email in (alice.email, "nobody@example.com"):
        for _ in range(4):
            give_password(Client(), email, WRONG_PASSWORD)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = give_password(Client(), email, WRONG_PASSWORD)
        # Without the names of savepoints, their content, and the one column that is NULL for unknown people.
        statements = [
            re.sub(r"\bs\d+_x\d+|\"concerns_id\", |'.*", "", query["sql"], flags=re.DOTALL) for query in queries
        ]
        page = answer.content.decode().replace(email, "")
        seen.append((answer.status_code, answer["Retry-After"], page, statements))
    assert seen[0] == seen[1]
    assert OutboxMessage.objects.count() == 2
    assert [mail.to for mail in mails()] == [[alice.email]]


@proves("V16.2.5")
@in_one_world("typed", ["correct horse battery staple", "x" * 300 + "@example.com", "", "registration:1"])
def test_a_text_that_is_not_an_address_is_neither_told_nor_recorded(db: Any, typed: str) -> None:
    # People type passwords into the e-mail field.
    for _ in range(5):
        with guesses.counted(email=typed, ip=None):
            pass
    assert AuditEntry.objects.get(action="LOCKED_OUT").actor_label == "unknown"
    assert not OutboxMessage.objects.exists()


@in_one_world(
    ("typed", "address"),
    [
        (" Alice@Example.COM ", "alice@example.com"),
        ("a@" + "b" * 249 + ".ch", "a@" + "b" * 249 + ".ch"),
        ("a@" + "b" * 250 + ".ch", ""),
        ("hunter@2hunter2", ""),
        ("a@b.", ""),
        ("a@.b", ""),
        ("a@b@c", ""),
        ("a b@c", ""),
        ("@", ""),
    ],
)
def test_what_looks_like_an_address(typed: str, address: str) -> None:
    assert email_in(typed) == address


def test_the_longest_address_fits_the_outbox(db: Any) -> None:
    # Four bytes a letter, sealed.
    for _ in range(5):
        with guesses.counted(email="a@" + "𝔟" * 249 + ".ch", ip="2001:db8:1111:2222:3333:4444:5555:6666"):
            pass
    assert OutboxMessage.objects.count() == 1
    assert mails() == []
