"""A forgotten password: a form, a link in a mail, a new one; and the code as always (R1.9)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as bank_settings
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import PasswordReset, User
from accounts.sign_in.passwords import reset as password_reset
from audit.models import AuditEntry
from foundation.mail_links import LinkInvalid
from foundation.models import OutboxMessage
from tests.acts import at_once, give_code, give_password, hashing, is_signed_in, link_for, mails
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
NEW = "a sentence that only Alice thinks of"


def forget(client: Client, email: str, **extra: Any) -> Any:
    return client.post("/password/forgot/", {"email": email}, **extra)


def choose(client: Client, link: str, new: str = NEW, again: str | None = None) -> Any:
    return client.post(link, {"new_password1": new, "new_password2": new if again is None else again})


@proves("V6.4.3")
def test_a_new_password_by_mail_and_then_both_factors(alice: Any, client: Client, code_of: Any) -> None:
    # R1.9: the link signs nobody in, and the second factor is asked as always.
    assert 'href="/password/forgot/"' in client.get("/sign-in/").content.decode()
    assert forget(client, " ALICE@example.com ")["Location"] == "/password/forgot/sent/"
    link = link_for(alice.email)
    assert "alice@example.com" in client.get(link).content.decode()
    answer = choose(client, link)
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/")
    assert not is_signed_in(client)
    assert "Your password is changed" in client.get("/sign-in/").content.decode()
    assert give_password(client, alice.email, NEW)["Location"] == "/sign-in/code/"
    assert not is_signed_in(client)
    give_code(client, code_of(alice))
    assert is_signed_in(client)
    assert [mail.subject for mail in mails(alice.email)] == ["Choose a new password", "Your password was changed"]
    entries = AuditEntry.objects.filter(action__startswith="PASSWORD_RESET").order_by("id")
    assert [(entry.action, entry.actor_id, entry.concerns_id) for entry in entries] == [
        ("PASSWORD_RESET_REQUESTED", None, alice.pk),
        ("PASSWORD_RESET", alice.pk, None),
    ]


@proves("V6.3.6", "V6.4.3")
def test_access_to_the_mailbox_does_not_turn_two_factor_on(make_user: Any, client: Client) -> None:
    # R1.9, R1.3: a user who never enrolled goes on as after any password.
    dora = make_user("Dora", two_factor=False)
    forget(client, dora.email)
    choose(client, link_for(dora.email))
    assert not is_signed_in(client)
    assert give_password(client, dora.email, NEW)["Location"] == "/two-factor/enrol/"


@proves("V6.3.8")
def test_nothing_tells_whether_somebody_has_an_address(alice: Any) -> None:
    # R1.9: the same answer, the same work for the hasher, the same number of mails.
    seen = {}
    for email in (alice.email, "nobody@example.com"):
        browser, before = Client(), OutboxMessage.objects.count()
        with hashing() as runs:
            answer = forget(browser, email)
        page = browser.get("/password/forgot/sent/").content.decode().replace(email, "[address]")
        sent = len(mails(email))
        seen[email] = (answer.status_code, answer["Location"], page, runs, OutboxMessage.objects.count() - before, sent)
    assert seen[alice.email] == seen["nobody@example.com"]
    assert seen[alice.email][-3:] == ([], 1, 1)
    [notice] = mails("nobody@example.com")
    assert "/password/reset/" not in notice.message
    assert "nobody is registered with it" in notice.message


@in_one_world("state", [{"is_active": False}, {"locked_at": timezone.now()}])
def test_a_locked_user_gets_no_link_and_an_older_one_is_dead(alice: Any, client: Client, state: dict[str, Any]) -> None:
    # R1.5: the lock stays a lock.
    forget(client, alice.email)
    link = link_for(alice.email)
    User.objects.filter(pk=alice.pk).update(**state)
    assert client.get(link).status_code == 404
    assert choose(client, link).status_code == 404
    assert forget(client, alice.email)["Location"] == "/password/forgot/sent/"
    newest = mails(alice.email)[-1]
    assert "/password/reset/" not in newest.message
    assert "come to our" in newest.message
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


@proves("V6.4.1", "V6.4.3")
def test_a_second_link_voids_the_first(alice: Any, client: Client) -> None:
    # R1.9, S9
    links = []
    for _ in range(2):
        forget(client, alice.email)
        links.append(link_for(alice.email))
    assert client.get(links[0]).status_code == 404
    assert choose(client, links[0]).status_code == 404
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert choose(client, links[1]).status_code == 302


def test_a_link_of_nobody_would_open_nothing() -> None:
    # Written and deleted in one transaction for an unknown address; no mail has it.
    row = PasswordReset(user=None)
    token = row.issue(lasts=timedelta(hours=1))
    with pytest.raises(LinkInvalid):
        password_reset.reset_password(token=token, new_password=NEW)
    with pytest.raises(LinkInvalid):
        _ = row.whose


@pytest.mark.django_db(transaction=True)
def test_of_links_asked_for_at_once_one_is_good(alice: Any) -> None:
    at_once(*[lambda: password_reset.request_reset(email=alice.email, ip=None)] * 4)
    assert PasswordReset.objects.count() == 1


@proves("V6.4.3")
def test_the_link_works_once(alice: Any, client: Client) -> None:
    # R1.9
    forget(client, alice.email)
    links = [link_for(alice.email)]
    assert choose(client, links[0]).status_code == 302
    for link in links:
        assert client.get(link).status_code == 404
        assert choose(client, link, "another sentence entirely").status_code == 404
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert not PasswordReset.objects.exists()


@proves("V6.4.3")
def test_the_link_expires_after_an_hour(alice: Any, client: Client) -> None:
    # R1.9
    with time_machine.travel(NOON, tick=False) as clock:
        forget(client, alice.email)
        link = link_for(alice.email)
        clock.shift(3599)
        assert client.get(link).status_code == 200
        clock.shift(2)
        answer = client.get(link)
        assert answer.status_code == 404
        assert 'href="/password/forgot/"' in answer.content.decode()
        assert choose(client, link).status_code == 404
        forget(client, "nobody@example.com")
        assert not PasswordReset.objects.exists(), "what expired is swept"


@proves("V3.5.3")
def test_following_the_link_changes_nothing(alice: Any, client: Client) -> None:
    # R1.9: mail scanners follow links.
    forget(client, alice.email)
    link = link_for(alice.email)
    for _ in range(2):
        assert client.get(link).status_code == 200
    client.head(link)
    assert client.put(link).status_code == 405
    assert PasswordReset.objects.count() == 1
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


@proves("V7.4.3")
def test_all_sessions_end(alice: Any, bob: Any, browser_of: Any) -> None:
    # R1.9: a person in another session may be why the password is changed.
    sessions, other = [browser_of(alice), browser_of(alice)], browser_of(bob)
    waiting = Client()
    give_password(waiting, alice.email)
    forget(Client(), alice.email)
    choose(Client(), link_for(alice.email))
    assert not any(is_signed_in(browser) for browser in sessions)
    assert waiting.get("/sign-in/code/")["Location"] == "/sign-in/", "the old password had been given"
    assert is_signed_in(other)
    assert not alice.sessions.filter(ended_at__isnull=True).exists()


def test_a_changed_password_kills_the_link(alice: Any, browser_of: Any) -> None:
    # R1.9: links in a mailbox must not undo it.
    forget(Client(), alice.email)
    link = link_for(alice.email)
    browser_of(alice).post("/password/", {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW})
    assert choose(Client(), link, "another sentence entirely").status_code == 404


@proves("V6.3.4")
@in_one_world(
    ("new", "again", "field", "message"),
    [
        ("short", None, "new_password1", "at least 12 characters"),
        ("alice@example.com", None, "new_password1", "too similar"),
        ("1234567890123", None, "new_password1", "follows a pattern"),
        (NEW, "something else", "new_password2", "not the same"),
        ("", "", "new_password1", "Enter a password"),
        ("x" * 257, None, "new_password1", "at most 256 characters"),
    ],
)
def test_the_same_rules_for_passwords_as_always(
    alice: Any, client: Client, new: str, again: str | None, field: str, message: str
) -> None:
    # R1.2
    forget(client, alice.email)
    link = link_for(alice.email)
    with hashing() as runs:
        answer = choose(client, link, new, again)
    assert (answer.status_code, runs) == (200, [])
    assert message in " ".join(answer.context["form"].errors[field])
    assert client.get(link).status_code == 200, "the link is not used up"


@proves("V6.4.3")
def test_a_forged_host_does_not_change_the_link(alice: Any, client: Client) -> None:
    # R1.9
    assert forget(client, alice.email, headers={"Host": "evil.example"}).status_code == 400
    forget(client, alice.email, headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"})
    [mail] = mails(alice.email)
    assert "evil.example" not in mail.message + mail.html_message
    assert f"{bank_settings.SITE_URL}/password/reset/" in mail.message


@proves("V14.2.4")
def test_the_token_is_nowhere_in_clear_but_in_the_mail(alice: Any, client: Client) -> None:
    # R8.1
    forget(client, alice.email)
    token = link_for(alice.email).strip("/").rpartition("/")[2]
    row = PasswordReset.objects.get()
    assert len(token) >= 43
    for table in ("accounts_passwordreset", "foundation_outboxmessage", "audit_auditentry", "django_session"):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            assert token not in repr(cursor.fetchall()), table
    assert str(row).startswith("alice@example.com until ")


@in_one_world("token", ["x", "A" * 43, "%00", "é", "a" * 500])
def test_an_unknown_link_says_only_that_it_does_not_work(client: Client, token: str) -> None:
    # R1.9
    with hashing() as runs:
        answers = [client.get(f"/password/reset/{token}/"), choose(client, f"/password/reset/{token}/")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert runs == []
    with pytest.raises(LinkInvalid):
        password_reset.reset_password(token=token, new_password=NEW)


def test_one_network_asks_so_many_times_an_hour(client: Client, settings: Any) -> None:
    # R1.9
    settings.PASSWORD_RESETS_PER_HOUR = 2
    for number in range(2):
        client.get("/password/forgot/")
        assert forget(client, "nonsense").status_code == 200
        assert forget(client, f"n{number}@example.com").status_code == 302
    answer = forget(client, "n3@example.com")
    assert "Too many people asked just now" in answer.content.decode()
    assert OutboxMessage.objects.count() == 2
    assert forget(Client(REMOTE_ADDR="198.51.100.77"), "n3@example.com").status_code == 302


def test_nobodys_mailbox_can_be_filled(alice: Any) -> None:
    # R1.9
    for email in (alice.email, "nobody@example.com"):
        for number in range(7):
            assert forget(Client(REMOTE_ADDR=f"198.51.100.{number}"), email)["Location"] == "/password/forgot/sent/"
            mails()  # written at once: of a link that a newer one has voided no mail is written any more
        assert len(mails(email)) == 5


def test_a_mail_that_comes_too_late_is_not_written(alice: Any, client: Client) -> None:
    # R1.9
    forget(client, alice.email)
    PasswordReset.objects.all().delete()
    assert mails() == []


def test_somebody_signed_in_is_sent_home(alice: Any, browser_of: Any) -> None:
    # They know their password, and change it on its own page.
    assert browser_of(alice).get("/password/forgot/")["Location"] == "/"


def test_a_reset_does_not_lift_a_lockout(alice: Any, client: Client) -> None:
    # R1.4: otherwise the link would be a way to go on guessing codes.
    for _ in range(5):
        give_password(client, alice.email, "wrong")
    forget(client, alice.email)
    choose(client, link_for(alice.email))
    assert give_password(client, alice.email, NEW).status_code == 429
