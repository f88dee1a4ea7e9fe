"""One's own details: seen, changed, told, and nobody else's (R1.8)."""

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from accounts.models import RecoveryCode, User
from accounts.people import profile
from audit.models import AuditEntry
from tests.acts import mails
from tests.api_client import told
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOW = {
    "first_name": "Alice",
    "last_name": "Archer",
    "phone": "+49 30 5550101",
    "address": "Lindenallee 4\nBerlin",
}


def change(browser: Any, **changes: str) -> Any:
    return browser.post("/profile/details/", NOW | changes)


def test_the_profile_shows_what_the_bank_knows(alice: Any, browser_of: Any) -> None:
    # R1.8
    browser = browser_of(alice)
    page = browser.get("/profile/").content.decode()
    for text in ("Alice Archer", "alice@example.com", "+49 30 5550101", "Lindenallee 4<br>Berlin"):
        assert text in page
    assert 'href="/profile/"' in browser.get("/password/").content.decode(), "in the menu"


def test_whoever_has_no_recovery_codes_is_told_to_make_some(alice: Any, browser_of: Any) -> None:
    # R1.3
    browser = browser_of(alice)
    hint = "You have no recovery codes."
    assert hint in browser.get("/profile/").content.decode()
    RecoveryCode.objects.create(user=alice, selector="ABCD", code_hash="x")
    assert hint not in browser.get("/profile/").content.decode()


def test_the_dashboard_leads_to_the_details(alice: Any, browser_of: Any, open_account: Any) -> None:
    # R2.4
    open_account(alice)
    assert 'href="/profile/details/"' in browser_of(alice).get("/dashboard/").content.decode()


def test_details_are_changed_audited_and_told(alice: Any, browser_of: Any) -> None:
    # R1.8, R6.2: the names of the fields, never what stands in them.
    browser = browser_of(alice)
    answer = change(browser, last_name="O’Archer", phone="+49 30 999000", address="Neue Straße 1\n\n  10115   Berlin ")
    assert (answer.status_code, answer["Location"]) == (302, "/profile/")
    assert "Your details are saved." in browser.get("/profile/").content.decode()
    alice = User.objects.get(pk=alice.pk)
    assert (alice.first_name, alice.last_name) == ("Alice", "O’Archer")
    assert (alice.phone, alice.address) == ("+49 30 999000", "Neue Straße 1\n10115 Berlin")
    entry = AuditEntry.objects.get(action="USER_UPDATED")
    assert (entry.actor_id, entry.subject_id) == (alice.pk, str(alice.public_id))
    assert entry.details == {"fields": ["last_name", "phone", "address"]}
    [mail] = mails(alice.email)
    assert mail.subject == "Your details were changed"
    assert "last name, phone, address" in mail.message
    for text in (json.dumps(entry.details), mail.message, mail.html_message):
        assert not any(value in text for value in ("O’Archer", "999000", "Neue Straße"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_user")
        assert not any(secret in repr(cursor.fetchall()) for secret in ("999000", "Neue Straße"))


def test_saving_what_stands_there_changes_nothing(alice: Any, browser_of: Any) -> None:
    # R6.1: no entry and no mail about nothing.
    browser = browser_of(alice)
    change(browser)
    assert "Nothing was changed." in browser.get("/profile/").content.decode()
    assert not AuditEntry.objects.filter(action="USER_UPDATED").exists()
    assert mails() == []


@in_one_world("who", ["sam", "audrey", "ada"])
def test_staff_change_their_own_and_need_no_address(who: str, request: Any, browser_of: Any, alice: Any) -> None:
    # R1.8; whose it is rests on who is signed in, whatever is sent along.
    user = request.getfixturevalue(who)
    sent = {"first_name": "Stefan", "last_name": "", "phone": "", "address": ""}
    stray = {
        "id": alice.pk,
        "public_id": str(alice.public_id),
        "email": "x@example.com",
        "groups": "1",
        "is_active": "",
    }
    assert browser_of(user).post("/profile/details/", sent | stray).status_code == 302
    user.refresh_from_db()
    assert (user.first_name, user.email, user.is_active) == ("Stefan", f"{who}@example.com", True)
    assert User.objects.get(pk=alice.pk).first_name == "Alice"


@in_one_world(
    ("field", "value", "message"),
    [
        ("first_name", "", "Enter your first name"),
        ("first_name", "a\u202egnp.exe", "characters that cannot be shown"),
        ("last_name", "x" * 101, "At most 100 characters"),
        ("phone", "call me", "phone number in digits"),
        ("phone", "", "Enter your phone number"),
        ("address", "", "Enter your address"),
        ("address", "x" * 301, "at most 300 characters"),
    ],
)
def test_bad_input_is_answered_at_the_field(alice: Any, browser_of: Any, field: str, value: str, message: str) -> None:
    # R10.2: as at registration.
    answer = change(browser_of(alice), **{field: value})
    assert answer.status_code == 200
    assert set(answer.context["form"].errors) == {field}
    assert message in " ".join(answer.context["form"].errors[field])
    assert User.objects.get(pk=alice.pk).address == NOW["address"]


def test_what_was_typed_is_shown_and_never_run(alice: Any, browser_of: Any) -> None:
    # R8.3
    browser = browser_of(alice)
    change(browser, first_name="<b>Al</b>", address="{{ 7|add:7 }}<script>")
    page = browser.get("/profile/").content.decode()
    assert "<b>Al" not in page
    assert "{{ 7|add:7 }}&lt;script&gt;" in page


@in_one_world("state", [{"is_active": False}, {"locked_at": timezone.now()}])
def test_the_service_itself_refuses_who_may_not(alice: Any, state: dict[str, Any]) -> None:
    # R1.7: no path is safe only because a page is closed.
    User.objects.filter(pk=alice.pk).update(**state)
    with pytest.raises(PermissionDenied):
        profile.update_details(actor=User.objects.get(pk=alice.pk), **NOW | {"first_name": "X"})


def test_someone_without_a_role_changes_nothing(alice: Any, browser_of: Any) -> None:
    # R1.7: deny by default.
    alice.groups.clear()
    assert change(browser_of(User.objects.get(pk=alice.pk)), first_name="X").status_code == 403
    assert User.objects.get(pk=alice.pk).first_name == "Alice"


def test_a_stolen_session_cannot_bury_a_warning_under_mails(alice: Any, browser_of: Any, api_of: Any) -> None:
    # R1.8: ten an hour, by page and API together; what changes nothing sends nothing and is not counted.
    browser, api = browser_of(alice), api_of(alice)
    for number in range(9):
        assert change(browser, last_name=f"Archer {number % 2}").status_code == 302
        assert change(browser, last_name=f"Archer {number % 2}").status_code == 302
    assert api.patch("profile", {"last_name": "Archer"}).status_code == 200
    refused = change(browser, last_name="Buried")
    assert (refused.status_code, int(refused["Retry-After"]) > 0) == (429, True)
    assert told(api.patch("profile", {"last_name": "Buried"})) == (429, "too_often")
    assert User.objects.get(pk=alice.pk).last_name == "Archer"
    assert len([mail for mail in mails(alice.email) if "details" in mail.subject.lower()]) == 10
