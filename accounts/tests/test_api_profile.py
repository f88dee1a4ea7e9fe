"""One's own profile through the API, by the rules of the pages: audited, told by mail, for a fresh code (R1.8)."""

from typing import Any

import pytest

from accounts.models import TotpDevice, User, UserSession
from accounts.sign_in import two_factor
from audit.models import AuditEntry
from tests.acts import WRONG_PASSWORD, link_for, mails, wrong_code_for
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import an_origin
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

INVALID = (401, "token_invalid")


def fields(answer: Any) -> set[str]:
    """Return what was wrong in an invalid body."""
    assert told(answer) == (422, "invalid")
    return {error["field"] for error in answer.json()["errors"]}


def actions(user: Any) -> list[str]:
    return list(AuditEntry.objects.filter(actor_id=user.pk).order_by("id").values_list("action", flat=True))


@pytest.fixture
def fresh_code(code_of: Any) -> Any:
    """Return a code as if half a minute had passed since the last one."""

    def code(user: Any) -> str:
        TotpDevice.objects.update(last_step=-1)
        return code_of(user)

    return code


# --- Details ---------------------------------------------------------------------------------------------------


def test_the_profile_is_ones_own(alice: Any, api_of: Any) -> None:
    answer = api_of(alice).get("profile")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": str(alice.public_id),
        "email": "alice@example.com",
        "first_name": "Alice",
        "last_name": "Archer",
        "name_waiting": None,
        "phone": "+49 30 5550101",
        "address": "Lindenallee 4\nBerlin",
        "role": "Customer",
        "has_pin": False,
        "pin_is_locked": False,
        "recovery_codes_left": 0,
    }


@in_one_world("who", ["charlie", "sam", "audrey", "ada"])
def test_everybody_sees_and_changes_their_own_only(
    who: str, request: Any, alice: Any, api_of: Any, fresh_code: Any
) -> None:
    # R1.7: the user is the only one who can be named.
    user = request.getfixturevalue(who)
    api = api_of(user)
    assert api.patch("profile", {"address": "Ring 1", "code": fresh_code(user)}).json()["email"] == user.email
    assert api.get("profile").json()["address"] == "Ring 1"
    assert fields(api.patch("profile", {"id": str(alice.public_id), "address": "Ring 2"})) == {"id"}
    alice.refresh_from_db()
    assert alice.address == "Lindenallee 4\nBerlin"


def test_who_has_no_role_changes_nothing(ada: Any, api_of: Any) -> None:
    api = api_of(ada)
    ada.groups.clear()
    assert api.get("profile").json()["role"] is None
    assert told(api.patch("profile", {"address": "Ring 1", "code": "123456"})) == (403, "forbidden")


def test_what_is_sent_is_changed_and_told_and_the_rest_stays(alice: Any, api_of: Any, fresh_code: Any) -> None:
    # R1.8
    moved = {"phone": "+49 30 777", "address": " Am  Markt 1 \n\n Bremen", "code": fresh_code(alice)}
    answer = api_of(alice).patch("profile", moved)
    assert answer.status_code == 200
    assert (answer.json()["phone"], answer.json()["address"]) == ("+49 30 777", "Am Markt 1\nBremen")
    alice.refresh_from_db()
    assert (alice.first_name, alice.phone, alice.address) == ("Alice", "+49 30 777", "Am Markt 1\nBremen")
    assert AuditEntry.objects.get(action="USER_UPDATED").details == {"fields": ["phone", "address"]}
    assert len(mails(alice.email)) == 1


def test_nothing_sent_and_nothing_new_change_nothing(alice: Any, api_of: Any) -> None:
    api = api_of(alice)
    assert api.patch("profile", {}).json() == api.patch("profile", {"first_name": "Alice"}).json()
    assert not AuditEntry.objects.filter(action="USER_UPDATED").exists()
    assert mails(alice.email) == []


def test_an_eleventh_change_in_an_hour_is_one_too_many(alice: Any, api_of: Any, fresh_code: Any) -> None:
    # R1.8: mails must not bury the one that warns.
    api = api_of(alice)
    answers = [api.patch("profile", {"address": f"Ring {number}", "code": fresh_code(alice)}) for number in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert told(answers[-1]) == (429, "too_often")


def test_a_field_of_old_that_breaks_the_rules_stands_in_nobodys_way(bob: Any, api_of: Any, fresh_code: Any) -> None:
    # Bob has no phone: his body is not at fault for that.
    answer = api_of(bob).patch("profile", {"address": "Ring 1", "code": fresh_code(bob)})
    assert (answer.json()["address"], answer.json()["phone"]) == ("Ring 1", "")


def test_a_change_elsewhere_at_the_same_time_is_not_undone(alice: Any, api_of: Any, fresh_code: Any) -> None:
    from accounts.people import profile

    stale = User.objects.get(pk=alice.pk)
    api_of(alice).patch("profile", {"phone": "+49 30 777", "code": fresh_code(alice)})
    profile.update_details(actor=stale, address="Ring 1", code=fresh_code(alice), origin=an_origin())
    alice.refresh_from_db()
    assert (alice.address, alice.phone) == ("Ring 1", "+49 30 777")


@proves("V7.5.1")
@in_one_world("sent", [{"phone": "+49 30 777"}, {"address": "Ring 1"}])
def test_phone_and_address_take_a_code(sent: Any, alice: Any, api_of: Any, fresh_code: Any) -> None:
    # R1.8: a stolen token must not change where the bank calls and writes.
    api = api_of(alice)
    assert fields(api.patch("profile", sent)) == {"code"}
    assert told(api.patch("profile", sent | {"code": wrong_code_for(fresh_code(alice))})) == (422, "wrong_code")
    assert mails(alice.email) == []
    alice.refresh_from_db()
    assert (alice.phone, alice.address) == ("+49 30 5550101", "Lindenallee 4\nBerlin")


@proves("V2.3.5")
@in_one_world(
    "sent",
    [{"first_name": "Alder", "last_name": "Bank"}, {"first_name": "1"}, {"last_name": ""}, {"last_name": "Brandt"}],
)
def test_a_name_is_refused_and_told_where_to_ask(sent: Any, alice: Any, api_of: Any, fresh_code: Any) -> None:
    # R1.8, B7: nothing else of the same body is done either.
    answer = api_of(alice).patch("profile", sent | {"phone": "+49 30 777", "code": fresh_code(alice)})
    assert told(answer) == (409, "name_by_request")
    assert "update_identity" in answer.json()["detail"]
    alice.refresh_from_db()
    assert (alice.get_full_name(), alice.phone) == ("Alice Archer", "+49 30 5550101")


def test_a_name_that_waits_stands_on_the_profile(alice: Any, api_of: Any) -> None:
    # R1.8
    api = api_of(alice)
    asked = {"kind": "update_identity", "first_name": "Alice", "last_name": "Brandt", "reason": "I have married"}
    filed = api.post("requests", asked).json()
    assert api.get("profile").json()["name_waiting"] == "Alice Brandt"
    assert api.post(f"requests/{filed['id']}/cancel", {}).status_code == 204
    assert api.get("profile").json()["name_waiting"] is None


@in_one_world(
    ("data", "field"),
    [
        ({"first_name": ""}, "first_name"),
        ({"first_name": None}, "first_name"),
        ({"code": "<b>123"}, "code"),
        ({"last_name": 7}, "last_name"),
        ({"phone": "ring me"}, "phone"),
        ({"phone": ""}, "phone"),
        ({"address": " \n "}, "address"),
        ({"address": "a\u202eb"}, "address"),
        ({"address": "x" * 301}, "address"),
        ({"email": "eve@example.com"}, "email"),
        ({"role": "Admin"}, "role"),
        ({"is_superuser": True}, "is_superuser"),
    ],
)
def test_the_rules_are_those_of_the_page(data: Any, field: str, alice: Any, api_of: Any) -> None:
    # R1.8: and nothing else about oneself can be set.
    assert fields(api_of(alice).patch("profile", {"code": "123456"} | data)) == {field}
    assert not AuditEntry.objects.filter(action="USER_UPDATED").exists()


def test_staff_need_not_say_where_they_live(sam: Any, api_of: Any, fresh_code: Any) -> None:
    sam.phone = ""
    sam.save(update_fields=["phone"])
    sent = {"phone": "", "address": "", "code": fresh_code(sam)}
    assert api_of(sam).patch("profile", sent).status_code == 200


# --- Another e-mail address ------------------------------------------------------------------------------------


def email_change(user: Any, code: str, **changes: Any) -> dict[str, Any]:
    return {"email": "alice@new.example.com", "password": PASSWORD, "code": code} | changes


@proves("V6.3.7")
def test_an_address_is_confirmed_by_the_link_and_told_to_the_old_one(alice: Any, api_of: Any, code_of: Any) -> None:
    # R1.8
    api = api_of(alice)
    answer = api.post("profile/email", email_change(alice, code_of(alice)))
    assert answer.status_code == 202
    assert len(mails("alice@example.com")) == 1
    token = link_for("alice@new.example.com").rstrip("/").rpartition("/")[2]
    assert api.get("profile").json()["email"] == "alice@example.com", "nothing changes before"
    assert api.post("profile/email/confirm", {"token": token}).status_code == 204
    assert api.get("profile").json()["email"] == "alice@new.example.com"
    assert actions(alice)[-2:] == ["EMAIL_CHANGE_REQUESTED", "EMAIL_CHANGED"]
    assert len(mails("alice@example.com")) == 2
    assert told(api.post("profile/email/confirm", {"token": token})) == (404, "link_invalid")


def test_whether_an_address_is_taken_is_not_told(alice: Any, bob: Any, api_of: Any, fresh_code: Any) -> None:
    # R1.8
    api = api_of(alice)
    answers = [
        api.post("profile/email", email_change(alice, fresh_code(alice), email=email))
        for email in ("nobody@example.com", bob.email)
    ]
    assert answers[0].status_code == 202
    assert answers[0].content == answers[1].content
    assert "/profile/email/confirm/" not in mails(bob.email)[-1].message


@proves("V7.5.1")
def test_password_and_code_are_both_needed(alice: Any, api_of: Any, fresh_code: Any, code_of: Any) -> None:
    # R1.8: a stolen token must not do.
    api = api_of(alice)
    wrong = email_change(alice, fresh_code(alice), password=WRONG_PASSWORD)
    assert told(api.post("profile/email", wrong)) == (422, "wrong_password")
    wrong = email_change(alice, wrong_code_for(code_of(alice)))
    assert told(api.post("profile/email", wrong)) == (422, "wrong_code")
    soon = api.post("profile/email", email_change(alice, code_of(alice)))
    assert told(soon) == (429, "try_again_in")
    assert fields(api.post("profile/email", {"email": "alice@new.example.com"})) == {"password", "code"}
    assert "EMAIL_CHANGE_REQUESTED" not in actions(alice)


@in_one_world("email", ["no address", "älice@example.com", "a@b", "x" * 255])
def test_an_address_has_to_be_one(email: str, alice: Any, api_of: Any, code_of: Any) -> None:
    assert fields(api_of(alice).post("profile/email", email_change(alice, code_of(alice), email=email))) == {"email"}


def test_ones_own_address_is_no_other(alice: Any, api_of: Any, code_of: Any) -> None:
    same = email_change(alice, code_of(alice), email=" ALICE@example.com ")
    assert told(api_of(alice).post("profile/email", same)) == (409, "same_address")


def test_a_stranger_confirms_nobodys_address(alice: Any, charlie: Any, api_of: Any, code_of: Any) -> None:
    # R1.7: 404, as if there were no such link.
    api_of(alice).post("profile/email", email_change(alice, code_of(alice)))
    token = link_for("alice@new.example.com").rstrip("/").rpartition("/")[2]
    assert told(api_of(charlie).post("profile/email/confirm", {"token": token})) == (404, "link_invalid")
    assert fields(api_of(alice).post("profile/email/confirm", {"token": ""})) == {"token"}


# --- Sign-ins and sessions -------------------------------------------------------------------------------------


def test_recent_sign_ins_are_ones_own(alice: Any, bob: Any, api_of: Any, settings: Any) -> None:
    # R1.8
    settings.API_LOGINS_PER_MINUTE = 1000
    api = api_of(alice)
    api_of(bob)
    api_of(None, REMOTE_ADDR="203.0.113.9").post(
        "auth/login", {"email": alice.email, "password": WRONG_PASSWORD, "code": "123456"}
    )
    found = api.get("profile/sign-ins").json()["items"]
    assert [(one["ip"], one["succeeded"]) for one in found] == [("203.0.113.9", False), (None, True)]
    assert found[0]["at"].endswith("Z")


def test_all_sessions_but_this_one_end_at_once(
    alice: Any, bob: Any, api_of: Any, browser_of: Any, fresh_code: Any
) -> None:
    # R1.8
    here, other, browser, his = api_of(alice), api_of(alice), browser_of(alice), api_of(bob)
    assert here.post("auth/sessions/end-others", {"code": fresh_code(alice)}).json() == {"ended": 2}
    assert here.post("auth/sessions/end-others", {"code": fresh_code(alice)}).json() == {"ended": 0}
    assert told(other.get("profile")) == INVALID
    assert browser.get("/profile/").status_code == 302
    assert (here.get("profile").status_code, his.get("profile").status_code) == (200, 200)
    assert UserSession.objects.filter(user=alice, ended_at__isnull=True).count() == 1


@proves("V7.5.2")
def test_a_stolen_token_ends_no_other_session(
    alice: Any, api_of: Any, browser_of: Any, code_of: Any, fresh_code: Any
) -> None:
    # C5, R1.8: neither without a code nor with a wrong one, nor with somebody else's.
    thief, owner, browser = api_of(alice), api_of(alice), browser_of(alice)
    one = f"auth/sessions/{owner.tokens.session}"
    assert told(thief.post("auth/sessions/end-others", {})) == (422, "invalid")
    assert told(thief.delete(one)) == (403, "code_needed")
    assert told(thief.delete(one, {})) == (422, "invalid")
    wrong = {"code": wrong_code_for(code_of(alice))}
    assert told(thief.post("auth/sessions/end-others", wrong)) == (422, "wrong_code")
    assert told(thief.delete(one, wrong)) == (429, "try_again_in"), "as soon after a wrong one as anywhere"
    assert told(ApiClient().post("auth/sessions/end-others", {"code": fresh_code(alice)})) == (401, "token_invalid")
    assert owner.get("profile").status_code == browser.get("/profile/").status_code == 200
    assert UserSession.objects.filter(user=alice, ended_at__isnull=False).count() == 0


@proves("V7.5.2")
def test_a_recovery_code_ends_sessions_through_the_api(alice: Any, api_of: Any) -> None:
    here, other, third = api_of(alice), api_of(alice), api_of(alice)
    rows, codes = two_factor.new_recovery_codes(alice)
    alice.recovery_codes.bulk_create(rows)
    assert here.delete(f"auth/sessions/{other.tokens.session}", {"code": codes[0]}).status_code == 204
    assert told(other.get("profile")) == (401, "token_invalid")
    assert here.post("auth/sessions/end-others", {"code": codes[1]}).json() == {"ended": 1}
    assert told(third.get("profile")) == (401, "token_invalid")
