"""Changing one's own password (R1.2, R1.8)."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts.models import User
from accounts.sign_in.origin import Origin
from audit.models import AuditEntry
from tests.acts import give_password, hashing, is_signed_in, mails
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NEW = "a sentence that only Alice thinks of"


def change(client: Client, old: str = PASSWORD, new: str = NEW, again: str | None = None) -> Any:
    return client.post(
        "/password/",
        {"old_password": old, "new_password1": new, "new_password2": new if again is None else again},
    )


@proves("V6.2.2", "V6.3.7")
def test_the_password_is_changed_and_the_person_told(alice: Any, browser_of: Any) -> None:
    # R1.8
    browser = browser_of(alice)
    answer = change(browser)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    alice.refresh_from_db()
    assert alice.check_password(NEW)
    assert alice.password.startswith("argon2$")
    assert AuditEntry.objects.get(action="PASSWORD_CHANGED").actor_id == alice.pk
    assert [mail.subject for mail in mails(alice.email)] == ["Your password was changed"]
    assert "Your password is changed" in browser.get("/dashboard/").content.decode()


@proves("V7.4.3")
def test_all_other_sessions_end_and_this_one_goes_on(alice: Any, browser_of: Any) -> None:
    # R1.8
    here, elsewhere = browser_of(alice), browser_of(alice)
    change(here)
    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)


@proves("V6.2.3")
def test_the_old_password_is_needed(alice: Any, browser_of: Any) -> None:
    # R1.8, a peer's fault: credentials changed without the old one.
    browser = browser_of(alice)
    for old in ("", "not the old one at all"):
        answer = change(browser, old=old)
        assert answer.status_code == 200
        assert set(answer.context["form"].errors) == {"old_password"}
    assert browser.post("/password/", {"new_password1": NEW, "new_password2": NEW}).status_code == 200
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert is_signed_in(browser)


@proves("V6.2.3")
def test_guesses_at_the_old_password_are_counted_together_with_sign_in(alice: Any, browser_of: Any) -> None:
    # R1.4: a stolen session must not be a place to guess at.
    browser = browser_of(alice)
    for _ in range(3):
        assert change(browser, old="not the old one at all").status_code == 200
    assert give_password(Client(), alice.email, "not the old one at all").status_code == 200
    assert change(browser, old="not the old one at all").status_code == 200
    with hashing() as runs:
        answer = change(browser)
    assert runs == [], "not even the right one is looked at"
    assert (answer.status_code, 0 < int(answer["Retry-After"]) <= 600) == (429, True)
    assert give_password(Client(), alice.email).status_code == 429
    assert is_signed_in(browser), "the session itself goes on (R1.4)"


@in_one_world(
    ("new", "again", "field", "message"),
    [
        (PASSWORD, None, "new_password1", "is the old one"),
        ("short", None, "new_password1", "at least 12 characters"),
        ("alice@example.com", None, "new_password1", "too similar"),
        ("1234567890123", None, "new_password1", "follows a pattern"),
        (NEW, "something else here", "new_password2", "not the same"),
        (NEW, "", "new_password2", "Enter a password"),
        ("", "", "new_password1", "Enter a password"),
    ],
)
def test_a_bad_new_password_is_refused_at_its_field(
    alice: Any, browser_of: Any, new: str, again: str | None, field: str, message: str
) -> None:
    # R1.2
    answer = change(browser_of(alice), new=new, again=again)
    assert answer.status_code == 200
    assert message in " ".join(answer.context["form"].errors[field])
    assert "data-error-summary" in answer.content.decode()
    assert not any(secret in answer.content.decode() for secret in (PASSWORD, NEW))
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert not AuditEntry.objects.filter(action="PASSWORD_CHANGED").exists()


@proves("V6.3.4")
def test_the_service_itself_refuses_a_weak_password(alice: Any) -> None:
    # R1.2: a form in front must not be the only protection.
    from django.core.exceptions import ValidationError

    from accounts.sign_in.passwords.change import change_password

    with pytest.raises(ValidationError):
        change_password(actor=alice, old_password=PASSWORD, new_password="short", kept_session=uuid4(), origin=Origin())


def test_who_must_change_it_can_do_nothing_else_first(ada: Any, browser_of: Any) -> None:
    # R9.2
    User.objects.filter(pk=ada.pk).update(must_change_password=True)
    browser = browser_of(ada)
    for path in ("/dashboard/", "/admin/", "/admin/accounts/user/", "/accounts/open/"):
        answer = browser.get(path)
        assert (answer.status_code, answer["Location"]) == (302, "/password/"), path
    assert "given to you by someone else" in browser.get("/password/").content.decode()
    change(browser)
    assert browser.get("/admin/").status_code == 200
    assert "given to you by someone else" not in browser.get("/password/").content.decode()


def test_signing_out_works_before_the_change(ada: Any, browser_of: Any) -> None:
    # R1.6
    User.objects.filter(pk=ada.pk).update(must_change_password=True)
    browser = browser_of(ada)
    assert browser.post("/sign-out/")["Location"] == "/sign-in/"
    assert not is_signed_in(browser)
