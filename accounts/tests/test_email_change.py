"""Another e-mail address: password and code, a link at the new one, a mail to the old one (R1.8)."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.test import Client

from accounts.models import EmailChange, User
from accounts.people import email_change
from accounts.sign_in.origin import Origin
from audit.models import AuditEntry
from foundation.mail_links import LinkInvalid
from foundation.models import OutboxMessage
from tests.acts import give_password, hashing, is_signed_in, link_for, mails, wrong_code_for
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
NEW = "alice.archer@example.net"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def browser(alice: Any, browser_of: Any, clock: Any) -> Any:
    return browser_of(alice)


@pytest.fixture
def ask(alice: Any, code_of: Any, clock: Any) -> Any:
    """Fill in the form, each time with a fresh code."""

    def fill_in(browser: Any, email: str = NEW, user: Any = None, **changes: str) -> Any:
        clock.shift(31)
        form = {"email": email, "password": PASSWORD, "code": code_of(user or alice)}
        return browser.post("/profile/email/", form | changes)

    return fill_in


@proves("V6.3.7")
def test_the_address_changes_when_the_new_one_is_confirmed(alice: Any, browser: Any, ask: Any) -> None:
    # R1.8
    assert ask(browser, f" {NEW.upper()} ")["Location"] == "/profile/"
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"
    link = link_for(NEW)
    assert NEW in browser.get(link).content.decode()
    assert browser.post(link)["Location"] == "/profile/"
    alice.refresh_from_db()
    assert alice.email == NEW
    assert is_signed_in(browser)
    assert give_password(Client(), NEW)["Location"] == "/sign-in/code/"
    assert give_password(Client(), "alice@example.com").status_code == 200
    assert [mail.subject for mail in mails("alice@example.com")] == [
        "A change of your e-mail address was asked for",
        "Your e-mail address was changed",
    ]
    assert [mail.subject for mail in mails(NEW)] == [
        "Confirm your new e-mail address",
        "Your e-mail address was changed",
    ]
    entries = AuditEntry.objects.filter(action__startswith="EMAIL_CHANGE").order_by("id")
    assert [(entry.action, entry.actor_id, entry.actor_label) for entry in entries] == [
        ("EMAIL_CHANGE_REQUESTED", alice.pk, "alice@example.com"),
        ("EMAIL_CHANGED", alice.pk, "alice@example.com"),
    ]


@proves("V6.3.8")
def test_a_taken_address_is_not_revealed(alice: Any, bob: Any, browser: Any, ask: Any) -> None:
    # R1.8: the same answer, the same work for the hasher, the same number of mails.
    seen = {}
    for email in (NEW, bob.email):
        before = OutboxMessage.objects.count()
        with hashing() as runs:
            answer = ask(browser, email)
        page = browser.get("/profile/").content.decode()
        told = f"We have written to {email}." in page
        seen[email] = (answer.status_code, answer["Location"], told, runs, OutboxMessage.objects.count() - before)
    assert seen[NEW] == seen[bob.email] == (302, "/profile/", True, ["verify"], 2)
    [notice] = mails(bob.email)
    assert notice.subject == "You already bank with this address"
    assert "/confirm/" not in notice.message
    assert "alice" not in notice.message + notice.html_message


@proves("V7.5.1")
@in_one_world(
    ("changes", "field"),
    [
        ({"password": "not the password"}, "password"),
        ({"password": ""}, "password"),
        ({"code": "000000"}, "code"),
        ({"code": ""}, "code"),
        ({"code": "ABCD-EFGH-JKMN"}, "code"),
        ({"email": "nonsense"}, "email"),
        ({"email": "ALICE@example.com"}, "email"),
        ({"email": "no\u017fa@example.com"}, "email"),
    ],
)
def test_password_and_fresh_code_are_needed(
    alice: Any, browser: Any, ask: Any, changes: dict[str, str], field: str
) -> None:
    # R1.8, a peer's fault: credentials changed without the old one.
    answer = ask(browser, **changes)
    assert answer.status_code == 200
    assert set(answer.context["form"].errors) == {field}
    assert PASSWORD not in answer.content.decode()
    assert not EmailChange.objects.exists()
    assert mails() == []


def test_a_code_works_once(alice: Any, browser: Any, ask: Any, code_of: Any, clock: Any) -> None:
    # R1.3
    ask(browser)
    answer = browser.post("/profile/email/", {"email": "x@example.net", "password": PASSWORD, "code": code_of(alice)})
    assert "was used already" in answer.content.decode()


def test_wrong_ones_are_counted_together_with_sign_in(alice: Any, browser: Any, ask: Any, code_of: Any) -> None:
    # R1.4: a stolen session must not be a place to guess at.
    for _ in range(3):
        ask(browser, password="wrong")
    ask(browser, code=wrong_code_for(code_of(alice)))
    assert AuditEntry.objects.filter(action="CODE_REFUSED", actor_id=alice.pk).count() == 1
    assert give_password(Client(), alice.email, "wrong").status_code == 429
    with hashing() as runs:
        assert ask(browser).status_code == 429
    assert runs == []
    assert is_signed_in(browser), "the session itself goes on"


def test_after_a_wrong_code_the_next_waits(alice: Any, browser: Any, ask: Any, code_of: Any, clock: Any) -> None:
    # As at sign-in: a guess that is not checked is not counted.
    ask(browser, code=wrong_code_for(code_of(alice)))
    form = {"email": NEW, "password": PASSWORD, "code": code_of(alice)}
    assert "A short pause after a wrong code" in browser.post("/profile/email/", form).content.decode()
    assert ask(browser).status_code == 302


def test_the_link_works_once_and_expires(alice: Any, browser: Any, ask: Any, clock: Any, browser_of: Any) -> None:
    # R1.8
    ask(browser)
    link = link_for(NEW)
    assert str(EmailChange.objects.get()).startswith(f"{NEW} until 2026-11-04 12:00")
    assert browser.post(link).status_code == 302
    assert browser.post(link).status_code == 404
    ask(browser, "third@example.org")
    link = link_for("third@example.org")
    clock.shift(24 * 3600 + 1)
    browser = browser_of(alice)
    for answer in (browser.get(link), browser.post(link)):
        assert answer.status_code == 404
        assert 'href="/profile/email/"' in answer.content.decode()
    assert User.objects.get(pk=alice.pk).email == NEW


def test_following_the_link_changes_nothing(alice: Any, browser: Any, ask: Any) -> None:
    # R1.8: mail scanners follow links, and are not signed in.
    ask(browser)
    link = link_for(NEW)
    assert Client().get(link)["Location"] == f"/sign-in/?next={link}"
    assert Client().post(link)["Location"] == "/sign-in/"
    browser.get(link)
    alice.refresh_from_db()
    assert alice.email == "alice@example.com"


@in_one_world("who", ["charlie", "sam", "ada"])
def test_nobody_else_can_use_the_link(
    who: str, request: Any, alice: Any, browser: Any, ask: Any, browser_of: Any
) -> None:
    # R1.7: least of all the owner of a mistyped address.
    ask(browser)
    link = link_for(NEW)
    stranger = browser_of(request.getfixturevalue(who))
    assert {stranger.get(link).status_code, stranger.post(link).status_code} == {404}
    assert browser.post(link).status_code == 302


def test_staff_change_theirs_too(sam: Any, ask: Any, browser_of: Any, clock: Any) -> None:
    # R1.8
    browser = browser_of(sam)
    ask(browser, user=sam)
    browser.post(link_for(NEW))
    sam.refresh_from_db()
    assert sam.email == NEW


def test_only_the_newest_request_counts_and_a_new_password_ends_it(alice: Any, browser: Any, ask: Any) -> None:
    # R1.8
    ask(browser)
    first = link_for(NEW)
    ask(browser, "second@example.net")
    assert browser.get(first).status_code == 404
    link = link_for("second@example.net")
    assert browser.get(link).status_code == 200
    new = "a sentence that only Alice thinks of"
    browser.post("/password/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert browser.post(link).status_code == 404


def test_the_old_addresss_reset_link_dies_with_it(alice: Any, browser: Any, ask: Any) -> None:
    # R1.9
    ask(browser)
    link = link_for(NEW)
    Client().post("/password/forgot/", {"email": alice.email})
    reset = link_for(alice.email)
    assert Client().get(reset).status_code == 200
    browser.post(link)
    assert Client().get(reset).status_code == 404


def test_an_address_taken_meanwhile_stays_with_whom_it_is(
    alice: Any, browser: Any, ask: Any, make_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # R1.8
    ask(browser)
    link = link_for(NEW)
    make_user("Other", email=NEW)
    assert browser.post(link).status_code == 404
    ask(browser, "third@example.org")
    token = link_for("third@example.org").strip("/").rpartition("/")[2]
    make_user("Third", email="third@example.org")
    # The fault: the look finds nothing, as on engines that let both look first.
    monkeypatch.setattr(email_change.User.objects, "filter", lambda **kwargs: User.objects.none())
    with pytest.raises(LinkInvalid):
        email_change.confirm_change(actor=alice, token=token)


def test_a_mail_that_comes_too_late_is_not_written(alice: Any, browser: Any, ask: Any) -> None:
    ask(browser)
    EmailChange.objects.all().delete()
    assert mails(NEW) == []


def test_one_user_asks_five_times_an_hour(alice: Any, browser: Any, ask: Any) -> None:
    # R1.8: the bank writes to strangers for nobody.
    for number in range(5):
        assert ask(browser, f"x{number}@example.net").status_code == 302
    answer = ask(browser, "x5@example.net")
    assert (answer.status_code, mails("x5@example.net")) == (429, [])


def test_a_forged_host_does_not_change_the_link(alice: Any, code_of: Any, browser: Any) -> None:
    # R1.9
    form = {"email": NEW, "password": PASSWORD, "code": code_of(alice)}
    browser.post("/profile/email/", form, headers={"X-Forwarded-Host": "evil.example"})
    assert "http://testserver/profile/email/confirm/" in mails(NEW)[0].message


def test_the_service_itself_refuses_who_may_not(alice: Any) -> None:
    # R1.7
    alice.is_active = False
    with pytest.raises(PermissionDenied):
        email_change.request_change(actor=alice, new_email=NEW, password=PASSWORD, code="1", origin=Origin())
    with pytest.raises(PermissionDenied):
        email_change.confirm_change(actor=alice, token="x")
