"""One's own details: seen, changed, told, and nobody else's (R1.8)."""

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.utils import timezone

from accounts.models import RecoveryCode, User
from accounts.people import profile
from accounts.sign_in import two_factor
from audit.models import AuditEntry
from tests.acts import copy_of, is_signed_in, mails, wrong_code_for
from tests.api_client import told
from tests.asvs import proves
from tests.staff_acts import an_origin, fresh_code
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOW = {
    "phone": "+49 30 5550101",
    "address": "Lindenallee 4\nBerlin",
}


def change(browser: Any, user: Any, **changes: str) -> Any:
    """Save the form as it is shown, except for `changes`, with a fresh code."""
    return browser.post("/profile/details/", NOW | {"code": fresh_code(user)} | changes)


def test_the_profile_shows_what_the_bank_knows(alice: Any, browser_of: Any) -> None:
    # R1.8
    browser = browser_of(alice)
    page = browser.get("/profile/").content.decode()
    for text in ("Alice Archer", "alice@example.com", "+49 30 5550101", "Lindenallee 4<br>Berlin"):
        assert text in page
    assert 'href="/profile/"' in browser.get("/password/").content.decode(), "in the menu"


def test_a_user_without_recovery_codes_is_told_to_make_some(alice: Any, browser_of: Any) -> None:
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
    # R1.8, R6.2: the names of the fields, never their content.
    browser = browser_of(alice)
    answer = change(browser, alice, phone="+49 30 999000", address="Neue Straße 1\n\n  10115   Berlin ")
    assert (answer.status_code, answer["Location"]) == (302, "/profile/")
    assert "Your details are saved." in browser.get("/profile/").content.decode()
    alice = User.objects.get(pk=alice.pk)
    assert (alice.phone, alice.address) == ("+49 30 999000", "Neue Straße 1\n10115 Berlin")
    entry = AuditEntry.objects.get(action="USER_UPDATED")
    assert (entry.actor_id, entry.subject_id) == (alice.pk, str(alice.public_id))
    assert entry.details == {"fields": ["phone", "address"]}
    [mail] = mails(alice.email)
    assert mail.subject == "Your details were changed"
    assert "phone, address" in mail.message
    for text in (json.dumps(entry.details), mail.message, mail.html_message):
        assert not any(value in text for value in ("999000", "Neue Straße"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_user")
        assert not any(secret in repr(cursor.fetchall()) for secret in ("999000", "Neue Straße"))


def test_saving_what_stands_there_changes_nothing(alice: Any, browser_of: Any) -> None:
    # R6.1: no entry and no mail about nothing.
    browser = browser_of(alice)
    change(browser, alice)
    assert "Nothing was changed." in browser.get("/profile/").content.decode()
    assert not AuditEntry.objects.filter(action="USER_UPDATED").exists()
    assert mails() == []


@in_one_world("who", ["sam", "audrey", "ada"])
def test_staff_change_their_own_and_need_no_address(who: str, request: Any, browser_of: Any, alice: Any) -> None:
    # R1.8: always those of the signed-in user, whatever is sent along.
    user = request.getfixturevalue(who)
    sent = {"phone": "+49 30 777", "address": "", "code": fresh_code(user)}
    stray = {
        "first_name": "Stefan",
        "id": alice.pk,
        "public_id": str(alice.public_id),
        "email": "x@example.com",
        "groups": "1",
        "is_active": "",
    }
    assert browser_of(user).post("/profile/details/", sent | stray).status_code == 302
    user.refresh_from_db()
    assert (user.phone, user.email, user.is_active) == ("+49 30 777", f"{who}@example.com", True)
    assert user.first_name != "Stefan"
    assert User.objects.get(pk=alice.pk).phone == NOW["phone"]


@in_one_world(
    ("field", "value", "message"),
    [
        ("phone", "call me", "phone number in digits"),
        ("phone", "", "Enter your phone number"),
        ("address", "", "Enter your address"),
        ("address", "x" * 301, "at most 300 characters"),
        ("address", "a\u202egnp.exe", "characters that cannot be shown"),
        ("code", "", "Enter the code"),
        ("code", "<b>", "digits and letters only"),
    ],
)
def test_bad_input_is_answered_at_the_field(alice: Any, browser_of: Any, field: str, value: str, message: str) -> None:
    # R10.2: as at registration.
    answer = change(browser_of(alice), alice, **{field: value})
    assert answer.status_code == 200
    assert set(answer.context["form"].errors) == {field}
    assert message in " ".join(answer.context["form"].errors[field])
    assert User.objects.get(pk=alice.pk).address == NOW["address"]


def test_what_was_typed_is_shown_and_never_run(alice: Any, browser_of: Any) -> None:
    # R8.3
    browser = browser_of(alice)
    change(browser, alice, address="{{ 7|add:7 }}<script>")
    page = browser.get("/profile/").content.decode()
    assert "{{ 7|add:7 }}&lt;script&gt;" in page


@in_one_world("state", [{"is_active": False}, {"locked_at": timezone.now()}])
def test_the_service_itself_refuses_who_may_not(alice: Any, state: dict[str, Any]) -> None:
    # R1.7: a closed page must not be the only protection.
    User.objects.filter(pk=alice.pk).update(**state)
    with pytest.raises(PermissionDenied):
        profile.update_details(
            actor=User.objects.get(pk=alice.pk), phone="1", address="X", code=fresh_code(alice), origin=an_origin()
        )


def test_someone_without_a_role_changes_nothing(alice: Any, browser_of: Any) -> None:
    # R1.7: deny by default.
    alice.groups.clear()
    assert change(browser_of(User.objects.get(pk=alice.pk)), alice, address="X").status_code == 403
    assert User.objects.get(pk=alice.pk).address == NOW["address"]


def test_a_stolen_session_cannot_bury_a_warning_under_mails(alice: Any, browser_of: Any, api_of: Any) -> None:
    # R1.8: ten an hour, by page and API together; a form that changes nothing sends nothing and is not counted.
    browser, api = browser_of(alice), api_of(alice)
    for number in range(9):
        assert change(browser, alice, address=f"Ring {number % 2}").status_code == 302
        assert change(browser, alice, address=f"Ring {number % 2}").status_code == 302
    assert api.patch("profile", {"address": "Ring 9", "code": fresh_code(alice)}).status_code == 200
    refused = change(browser, alice, address="Buried")
    assert (refused.status_code, int(refused["Retry-After"]) > 0) == (429, True)
    assert "wrong codes" not in refused.content.decode(), "there were none"
    assert told(api.patch("profile", {"address": "Buried", "code": fresh_code(alice)})) == (429, "too_often")
    assert User.objects.get(pk=alice.pk).address == "Ring 9"
    assert len([mail for mail in mails(alice.email) if "details" in mail.subject.lower()]) == 10


# --- The code ---------------------------------------------------------------------------------------------------


@proves("V7.5.1")
def test_a_stolen_session_changes_neither_phone_nor_address(alice: Any, browser_of: Any) -> None:
    # R1.8: both need a fresh code, each code works once, and the typed text stays in the form.
    browser, code = browser_of(alice), fresh_code(alice)
    wrong = change(browser, alice, address="Elsewhere 1", code=wrong_code_for(code))
    assert set(wrong.context["form"].errors) == {"code"}
    assert "Elsewhere 1" in wrong.content.decode()
    assert User.objects.get(pk=alice.pk).address == NOW["address"]
    assert mails(alice.email) == []
    assert list(AuditEntry.objects.values_list("action", flat=True).order_by("-id")[:1]) == ["CODE_REFUSED"]


def test_a_code_changes_details_once(alice: Any, browser_of: Any) -> None:
    # R1.8
    browser, code = browser_of(alice), fresh_code(alice)
    assert browser.post("/profile/details/", NOW | {"phone": "+49 30 777", "code": code}).status_code == 302
    again = browser.post("/profile/details/", NOW | {"phone": "+49 30 888", "code": code})
    assert set(again.context["form"].errors) == {"code"}
    assert User.objects.get(pk=alice.pk).phone == "+49 30 777"


def test_a_recovery_code_will_do_on_the_day_the_phone_is_gone(alice: Any, browser_of: Any) -> None:
    # R1.8: that is when another number is to be told.
    rows, codes = two_factor.new_recovery_codes(alice)
    RecoveryCode.objects.bulk_create(rows)
    assert change(browser_of(alice), alice, phone="+49 30 777", code=codes[0]).status_code == 302
    assert User.objects.get(pk=alice.pk).phone == "+49 30 777"
    assert RecoveryCode.objects.filter(user=alice, used_at__isnull=False).count() == 1


def test_wrong_codes_are_counted_and_said_to_be_that(alice: Any, browser_of: Any, settings: Any) -> None:
    # R1.4: as at every other door.
    settings.AXES_FAILURE_LIMIT = 1
    browser, code = browser_of(alice), fresh_code(alice)
    change(browser, alice, address="Elsewhere 1", code=wrong_code_for(code))
    refused = change(browser, alice, address="Elsewhere 1", code=code)
    assert refused.status_code == 429
    assert "Too many wrong codes" in refused.content.decode()


def test_a_copy_of_the_cookie_is_worthless_once_the_owner_has_changed_the_number(alice: Any, browser_of: Any) -> None:
    # R1.6: the bank calls that number when the phone is lost.
    browser = browser_of(alice)
    thief = copy_of(browser)
    change(browser, alice, phone="+49 30 777")
    assert is_signed_in(browser)
    assert not is_signed_in(thief)


# --- The name ---------------------------------------------------------------------------------------------------


def test_the_details_form_changes_no_name_and_says_where_that_is_asked_for(
    alice: Any, sam: Any, browser_of: Any
) -> None:
    # R1.8, B7: at once and without a code, a customer could take the bank's name.
    browser = browser_of(alice)
    change(browser, alice, first_name="Alder", last_name="Bank", phone="+49 30 777")
    alice.refresh_from_db()
    assert (alice.get_full_name(), alice.phone) == ("Alice Archer", "+49 30 777")
    for page in ("/profile/", "/profile/details/"):
        assert 'href="/help/requests/new/?kind=update_identity"' in browser.get(page).content.decode()
    assert "An administrator changes your name." in browser_of(sam).get("/profile/details/").content.decode()


def test_the_service_has_no_way_to_change_a_name(alice: Any) -> None:
    # R1.8: a form without the field must not be the only protection.
    with pytest.raises(TypeError, match="first_name"):
        profile.update_details(actor=alice, first_name="X", code="", origin=an_origin())  # type: ignore[call-arg]  # it takes no name
