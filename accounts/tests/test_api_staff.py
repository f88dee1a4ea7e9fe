"""What staff do to people and accounts through the API, and the audit log (R1.5, R2.3, R5.4, R6.4, R7.2)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from accounts import account_numbers
from accounts.models import AccountStatus, BankAccount, User
from accounts.roles import Role
from foundation import paging
from tests.acts import mails
from tests.api_client import ApiClient, told
from tests.staff_acts import REASON, entry_of, fresh_code, stored

pytestmark = pytest.mark.django_db

NOBODYS = "1000000000" + account_numbers.check_digits("1000000000")
FORBIDDEN, NOT_FOUND = (403, "forbidden"), (404, "not_found")


@pytest.fixture
def adas(ada: Any, api_of: Callable[..., ApiClient]) -> ApiClient:
    return api_of(ada)


@pytest.fixture
def account(alice: Any, open_account: Callable[..., Any]) -> Any:
    return open_account(alice, "100.00")


def status_of(account: Any) -> str:
    return BankAccount.objects.get(pk=account.pk).status


# --- Freezing ---------------------------------------------------------------------------------------------------


def test_an_administrator_freezes_an_account_and_lifts_the_freeze(adas: ApiClient, account: Any, alice: Any) -> None:
    # R2.3, R7.2
    assert adas.post(f"accounts/{account.number}/freeze", {"reason": REASON}).status_code == 204
    assert status_of(account) == AccountStatus.FROZEN
    assert entry_of("ACCOUNT_FROZEN").details["reason"] == REASON
    assert told(adas.post(f"accounts/{account.number}/freeze", {"reason": REASON})) == (409, "wrong_status")
    assert adas.post(f"accounts/{account.number}/unfreeze", {"reason": REASON}).status_code == 204
    assert status_of(account) == AccountStatus.ACTIVE
    assert told(adas.post(f"accounts/{account.number}/unfreeze", {"reason": REASON})) == (409, "wrong_status")
    subjects = [mail.subject for mail in mails(alice.email)]
    assert subjects[-2:] == ["Your account is frozen", "Your account is no longer frozen"]


def test_the_number_may_be_written_as_people_write_it(adas: ApiClient, account: Any) -> None:
    number = f"{account.number[:4]} {account.number[4:8]}-{account.number[8:]}"
    assert adas.post(f"accounts/{quote(number)}/freeze", {"reason": REASON}).status_code == 204


def test_nobody_else_does(
    account: Any, alice: Any, charlie: Any, sam: Any, audrey: Any, api_of: Any, subtests: Any
) -> None:
    # R1.7: customers do not learn whether such an account exists either.
    for user in (alice, charlie, sam, audrey):
        api, is_customer = api_of(user), user in (alice, charlie)
        for verb in ("freeze", "unfreeze"):
            # For customers, an account of another is like one that does not exist.
            refused = NOT_FOUND if is_customer and verb == "freeze" else FORBIDDEN
            with subtests.test(f"{user}: {verb}"):
                if not (user == alice and verb == "freeze"):
                    assert told(api.post(f"accounts/{account.number}/{verb}", {"reason": REASON})) == refused
                if is_customer:
                    assert told(api.post(f"accounts/1/{verb}", {"reason": REASON})) == refused
                assert status_of(account) == AccountStatus.ACTIVE


def test_its_owner_freezes_it_without_reason_or_code_and_lifts_nothing(
    account: Any, alice: Any, api_of: Any, ada: Any
) -> None:
    """R2.5: commit 11100bd answered 403."""
    api = api_of(alice)
    assert api.post(f"accounts/{account.number}/freeze", {}).status_code == 204
    assert status_of(account) == AccountStatus.FROZEN
    assert told(api.post(f"accounts/{account.number}/freeze", {})) == (409, "wrong_status")
    assert told(api.post(f"accounts/{account.number}/unfreeze", {"reason": REASON})) == FORBIDDEN
    assert told(api.get(f"accounts/{account.number}/freezes")) == FORBIDDEN
    api_of(ada).post(f"accounts/{account.number}/freeze", {"reason": REASON})
    frozen = api.get(f"accounts/{account.number}").json()["frozen"]
    assert [one["by"] for one in frozen] == ["owner", "bank"]
    assert REASON not in api.get(f"accounts/{account.number}").content.decode()


def test_staff_read_why_and_an_administrator_lifts_one_of_several(
    account: Any, alice: Any, ada: Any, sam: Any, api_of: Any, adas: ApiClient
) -> None:
    path = f"accounts/{account.number}"
    api_of(alice).post(f"{path}/freeze", {"reason": "My phone is gone"})
    adas.post(f"{path}/freeze", {"reason": REASON})
    shown = api_of(sam).get(f"{path}/freezes").json()["items"]
    assert [(one["kind"], one["frozen_by"]["email"], one["reason"]) for one in shown] == [
        ("customer", alice.email, "My phone is gone"),
        ("administrator", ada.email, REASON),
    ]
    assert told(adas.post(f"{path}/unfreeze", {"reason": REASON, "kinds": []})) == (422, "invalid")
    assert told(adas.post(f"{path}/unfreeze", {"reason": REASON, "kinds": ["police"]})) == (422, "invalid")
    assert adas.post(f"{path}/unfreeze", {"reason": REASON, "kinds": ["administrator"]}).status_code == 204
    assert status_of(account) == AccountStatus.FROZEN
    assert told(adas.post(f"{path}/unfreeze", {"reason": REASON, "kinds": ["support"]})) == (409, "wrong_status")
    assert adas.post(f"{path}/unfreeze", {"reason": REASON}).status_code == 204
    assert status_of(account) == AccountStatus.ACTIVE
    lifted = adas.get(f"{path}/freezes").json()["items"]
    assert [(one["kind"], one["lift_reason"]) for one in lifted] == [("administrator", REASON), ("customer", REASON)]


def test_a_program_lifts_no_freeze_that_came_since_it_read_them(
    account: Any, alice: Any, api_of: Any, adas: ApiClient
) -> None:
    """R2.5: it names the kinds to lift; a freeze of another kind does not stop it."""
    path = f"accounts/{account.number}"
    adas.post(f"{path}/freeze", {"reason": REASON})
    read = {"reason": REASON, "freezes_version": adas.get(f"{path}/freezes").json()["freezes_version"]}
    api_of(alice).post(f"{path}/freeze", {"reason": "My phone is gone"})
    assert told(adas.post(f"{path}/unfreeze", read)) == (409, "freeze_came_since")
    assert len([one for one in adas.get(f"{path}/freezes").json()["items"] if one["lifted_at"] is None]) == 2
    assert adas.post(f"{path}/unfreeze", read | {"kinds": ["administrator"]}).status_code == 204
    assert status_of(account) == AccountStatus.FROZEN
    read["freezes_version"] = adas.get(f"{path}/freezes").json()["freezes_version"]
    assert adas.post(f"{path}/unfreeze", read).status_code == 204
    assert status_of(account) == AccountStatus.ACTIVE


def test_an_account_that_there_is_not_is_404(adas: ApiClient, subtests: Any) -> None:
    for number in ("1", "000000000000", "%00", "1' OR '1'='1", NOBODYS, "٠" * 12, "x" * 500):
        with subtests.test(number):
            assert told(adas.post(f"accounts/{quote(number, safe='%')}/freeze", {"reason": REASON})) == NOT_FOUND


WITHOUT_A_REASON: list[tuple[dict[str, Any], str]] = [
    ({}, "reason"),
    ({"reason": ""}, "reason"),
    ({"reason": "  "}, "reason"),
    ({"reason": 5}, "reason"),
    ({"reason": None}, "reason"),
    ({"reason": "x" * 301}, "reason"),
    ({"reason": "\u202eevil"}, "reason"),
    ({"reason": REASON, "status": "closed"}, "status"),
]


def test_a_reason_is_asked_for(adas: ApiClient, account: Any, subtests: Any) -> None:
    # R5.1
    for body, field in WITHOUT_A_REASON:
        with subtests.test(str(body)):
            answer = adas.post(f"accounts/{account.number}/freeze", body)
            assert told(answer) == (422, "invalid")
            assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert told(adas.post(f"accounts/{account.number}/freeze", {"reason": "…"})) == (422, "reason_missing")
    assert status_of(account) == AccountStatus.ACTIVE


# --- Locking ----------------------------------------------------------------------------------------------------


def a_lock(ada: Any, **changes: Any) -> dict[str, Any]:
    return {"reason": REASON, "code": fresh_code(ada)} | changes


def test_an_administrator_locks_somebody_out_and_lets_them_in_again(
    adas: ApiClient, ada: Any, alice: Any, api_of: Any
) -> None:
    # R1.5, R7.1: her token is worthless at once.
    hers = api_of(alice)
    assert adas.post(f"users/{alice.public_id}/lock", a_lock(ada)).status_code == 204
    assert stored(alice).locked_at is not None
    assert told(hers.get("auth/session")) == (401, "token_invalid")
    assert told(adas.post(f"users/{alice.public_id}/lock", a_lock(ada))) == (409, "wrong_status")
    assert adas.post(f"users/{alice.public_id}/unlock", a_lock(ada)).status_code == 204
    assert stored(alice).can_sign_in
    assert entry_of("USER_UNLOCKED").details["lifted"] == ["lock"]
    assert told(hers.get("auth/session")) == (401, "token_invalid"), "what was ended stays ended"
    assert told(adas.post(f"users/{alice.public_id}/unlock", a_lock(ada))) == (409, "wrong_status")


def test_a_fresh_code_is_asked_for_and_works_once(adas: ApiClient, ada: Any, alice: Any, bob: Any) -> None:
    # R1.5: a stolen token alone locks nobody.
    answer = adas.post(f"users/{bob.public_id}/lock", {"reason": REASON})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["code"]
    body = a_lock(ada)
    assert adas.post(f"users/{alice.public_id}/lock", body).status_code == 204
    assert told(adas.post(f"users/{bob.public_id}/lock", body)) == (422, "wrong_code")
    assert stored(bob).can_sign_in


def test_too_soon_after_a_wrong_code_is_429(adas: ApiClient, ada: Any, alice: Any) -> None:
    # R1.4
    wrong = {"reason": REASON, "code": "000000"}
    assert told(adas.post(f"users/{alice.public_id}/lock", wrong)) == (422, "wrong_code")
    answer = adas.post(f"users/{alice.public_id}/lock", wrong)
    assert told(answer) == (429, "try_again_in")
    assert int(answer["Retry-After"]) >= 1


def test_the_administrators_key_is_asked_for_where_there_is_one(
    adas: ApiClient, ada: Any, alice: Any, settings: Any
) -> None:
    # R1.5
    settings.ADMIN_KEY = "open sesame"
    for verb in ("lock", "unlock"):
        path = f"users/{alice.public_id}/{verb}"
        assert told(adas.post(path, a_lock(ada))) == (422, "wrong_admin_key")
        assert told(adas.post(path, a_lock(ada, admin_key="close sesame"))) == (422, "wrong_admin_key")
        assert adas.post(path, a_lock(ada, admin_key="open sesame")).status_code == 204


def test_an_administrator_gives_another_role(
    adas: ApiClient, ada: Any, charlie: Any, api_of: Any, make_user: Any
) -> None:
    # R1.7, R5.8: once a second one agrees.
    his, adam = api_of(charlie), make_user("Adam", Role.ADMIN)
    path, adams = f"users/{charlie.public_id}/role", api_of(adam)
    asked = adas.post(path, a_lock(ada, role="Support"))
    assert (asked.status_code, stored(charlie).role) == (202, Role.CUSTOMER)
    waits = asked.json()
    what = "Give Charlie Example (charlie@example.com) the role Support in place of Customer"
    assert (waits["kind"], waits["what"], waits["effective_at"]) == ("change_role", what, None)
    assert [one["id"] for one in adams.get("staff/pending-acts").json()["items"]] == [waits["id"]]
    assert told(adas.post(path, a_lock(ada, role="Auditor"))) == (409, "waits_already")
    assert told(adas.post(f"staff/pending-acts/{waits['id']}/approve", a_lock(ada))) == (409, "not_yourself")
    approved = adams.post(f"staff/pending-acts/{waits['id']}/approve", a_lock(adam))
    assert (approved.status_code, approved.json()["state"]) == (200, "done")
    assert told(adams.post(f"staff/pending-acts/{waits['id']}/stop", a_lock(adam))) == (409, "wrong_status")
    assert adams.get("staff/pending-acts").json()["items"] == []
    assert stored(charlie).role == Role.SUPPORT
    assert told(his.get("auth/session")) == (401, "token_invalid")
    assert told(adas.post(path, a_lock(ada, role="Support"))) == (409, "wrong_status")
    for role in ("support", "Owner", 1, None):
        assert told(adas.post(path, a_lock(ada, role=role))) == (422, "invalid")


def test_a_customer_with_accounts_becomes_no_clerk(adas: ApiClient, ada: Any, alice: Any, account: Any) -> None:
    answer = adas.post(f"users/{alice.public_id}/role", a_lock(ada, role="Support"))
    assert told(answer) == (409, "still_has_accounts")


def test_only_administrators_do_these(
    alice: Any, charlie: Any, sam: Any, audrey: Any, bob: Any, api_of: Any, subtests: Any
) -> None:
    # R1.7
    for actor in (alice, charlie, sam, audrey):
        for verb in ("lock", "unlock", "role"):
            body = {"reason": REASON, "code": fresh_code(actor)} | ({"role": "Admin"} if verb == "role" else {})
            with subtests.test(f"{actor}: {verb}"):
                assert told(api_of(actor).post(f"users/{bob.public_id}/{verb}", body)) == FORBIDDEN
                assert stored(bob).role == Role.CUSTOMER
                assert stored(bob).can_sign_in


def test_nobody_does_them_to_themselves_or_to_nobody(adas: ApiClient, ada: Any) -> None:
    # R5.2
    for verb, more in (("lock", {}), ("unlock", {}), ("role", {"role": "Support"})):
        assert told(adas.post(f"users/{ada.public_id}/{verb}", a_lock(ada, **more))) == (409, "not_yourself")
        assert told(adas.post(f"users/{uuid4()}/{verb}", a_lock(ada, **more))) == NOT_FOUND
        assert told(adas.post(f"users/{ada.pk}/{verb}", a_lock(ada, **more))) == NOT_FOUND


# --- Who there is -----------------------------------------------------------------------------------------------


def test_a_person_is_seen_as_far_as_the_role_needs(sam: Any, ada: Any, alice: Any, api_of: Any) -> None:
    # R5.4: neither phone nor address, and no colleagues for support.
    shown = api_of(sam).get(f"users/{alice.public_id}").json()
    assert shown == {
        "id": str(alice.public_id),
        "email": "alice@example.com",
        "first_name": "Alice",
        "last_name": "Archer",
        "role": "Customer",
        "is_active": True,
        "locked_at": None,
        "created_at": shown["created_at"],
        "last_sign_in_at": None,
    }
    assert api_of(ada).get(f"users/{sam.public_id}").json()["role"] == "Support"
    for unseen in (ada.public_id, sam.public_id, uuid4()):
        assert told(api_of(sam).get(f"users/{unseen}")) == NOT_FOUND
    assert told(api_of(alice).get(f"users/{alice.public_id}")) == FORBIDDEN


def test_people_are_found_by_address_and_by_lock(sam: Any, ada: Any, alice: Any, bob: Any, api_of: Any) -> None:
    User.objects.filter(pk=bob.pk).update(locked_at=timezone.now())

    def found(who: Any, **query: str) -> list[str]:
        return [person["email"] for person in api_of(who).get("users", query).json()["items"]]

    assert found(sam) == ["bob@example.com", "alice@example.com"]
    assert found(sam, email="Alice@Example.com") == ["alice@example.com"]
    assert found(sam, email=ada.email) == []
    assert found(sam, locked="true") == ["bob@example.com"]
    assert set(found(ada)) == {sam.email, ada.email, alice.email, bob.email}
    assert told(api_of(alice).get("users")) == FORBIDDEN


def test_a_list_goes_on_at_its_cursor(
    adas: ApiClient, make_user: Any, monkeypatch: Any, django_assert_max_num_queries: Any
) -> None:
    # R7.3: each once, though some came in the same moment, and no more statements for the last page.
    monkeypatch.setattr(paging, "PAGE_ROWS", 2)
    people = [make_user(name) for name in ("Una", "Vera", "Will", "Xenia")]
    User.objects.filter(pk__in=[user.pk for user in people]).update(created_at=timezone.now())
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        with django_assert_max_num_queries(4):
            page = adas.get("users", {"cursor": cursor} if cursor else None).json()
        seen += [user["first_name"] for user in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["Xenia", "Will", "Vera", "Una", "Ada"]


HARD_CURSORS = {
    "nonsense": "nonsense",
    "empty": "",
    "of one letter": "a",
    "no digits": "%!",
    "of another script": "é",
    "no moment": f"-{1:016x}",
    "no row": f"{1:016x}",
    "no number": f"{1:016x}" + "x" * 16,
    "no hyphens": f"{1:016x}{1:016x}",
    "a huge row": str(UUID(int=2**64 + 2**63)),
    "a negative row": str(UUID(int=2**64 + 2**64 - 1)),
    "a moment after all moments": str(UUID(int=10**16 * 2**64 + 1)),
    "of another list": f"{1:016x}{uuid4().hex}",
    "a UUID": str(uuid4()),
}


def test_a_cursor_of_another_list_is_refused(adas: ApiClient, subtests: Any) -> None:
    # It must not begin again from the top, without end.
    for kind, cursor in HARD_CURSORS.items():
        with subtests.test(kind):
            status, code = told(adas.get("users", {"cursor": cursor}))
            assert (status, code in {"invalid", "invalid_cursor"}) == (422, True)


# --- The audit log ----------------------------------------------------------------------------------------------


def test_the_log_is_for_auditors_and_administrators(alice: Any, charlie: Any, sam: Any, api_of: Any) -> None:
    # R6.4, R5.4
    for user in (alice, charlie, sam):
        assert told(api_of(user).get("audit/entries")) == FORBIDDEN, user


def test_the_log_is_read_newest_first_with_ids_of_people(adas: ApiClient, ada: Any, audrey: Any, account: Any,
                                                         alice: Any, api_of: Any) -> None:  # fmt: skip
    # R6.4
    adas.post(f"accounts/{account.number}/freeze", {"reason": REASON})
    items = api_of(audrey).get("audit/entries").json()["items"]
    assert items == sorted(items, key=lambda item: item["at"], reverse=True)
    frozen = next(item for item in items if item["action"] == "ACCOUNT_FROZEN")
    assert (frozen["actor"], frozen["actor_id"]) == (ada.email, str(ada.public_id))
    assert frozen["concerns_id"] == str(alice.public_id)
    assert (frozen["subject_type"], frozen["subject_id"]) == ("bankaccount", str(account.public_id))
    assert frozen["details"] == {"reason": REASON, "number": account.masked_number, "kind": "administrator"}
    assert account.number not in str(items)


def test_the_log_is_filtered(adas: ApiClient, ada: Any, audrey: Any, account: Any, alice: Any, api_of: Any) -> None:
    # R6.4: by action, date, user and account; several at once narrow each other.
    adas.post(f"accounts/{account.number}/freeze", {"reason": REASON})
    entry, audreys = entry_of("ACCOUNT_FROZEN"), api_of(audrey)

    def found(**query: Any) -> list[str]:
        answer = audreys.get("audit/entries", {name: str(value) for name, value in query.items()})
        assert answer.status_code == 200, answer.content
        return [item["action"] for item in answer.json()["items"]]

    assert found(action="ACCOUNT_FROZEN") == ["ACCOUNT_FROZEN"]
    assert "ACCOUNT_FROZEN" in found(actor=ada.public_id)
    assert "ACCOUNT_FROZEN" not in found(actor=alice.public_id)
    assert found(concerns=alice.public_id, action="ACCOUNT_FROZEN") == ["ACCOUNT_FROZEN"]
    assert found(account=account.number)[0] == "ACCOUNT_FROZEN"
    assert found(account=account.number, action="LOGIN_SUCCESS") == []
    later = entry.at + timedelta(microseconds=1)
    assert "ACCOUNT_FROZEN" in found(since=entry.at.isoformat(), until=later.isoformat())
    assert "ACCOUNT_FROZEN" not in found(since=later.isoformat())
    assert "ACCOUNT_FROZEN" not in found(until=entry.at.isoformat().replace("+00:00", "z"))
    assert found(actor=uuid4()) == []
    assert found(account=account_numbers.new_number()) == found(concerns=uuid4()) == []


NO_FILTERS = [
    ("action", "NOTHING"),
    ("actor", "1"),
    ("account", "123"),
    ("since", "0"),
    ("since", "2026-11-03"),
    ("since", "2026-11-03T08:00:00"),
    ("since", "2026-13-03T08:00:00Z"),
    ("since", "0001-01-01T00:00:00+14:00"),
    ("until", "9999-12-31T23:59:59-14:00"),
    ("until", "२०२६-११-०३T08:00:00Z"),
    ("colour", "red"),
]


def test_a_filter_that_means_nothing_is_refused(adas: ApiClient, subtests: Any) -> None:
    # A misspelt filter must not show everything.
    for name, value in NO_FILTERS:
        with subtests.test(f"{name}={value}"):
            answer = adas.get("audit/entries", {name: value})
            assert told(answer) == (422, "invalid")
            assert [error["field"] for error in answer.json()["errors"]] == [name]


def test_an_entry_about_a_deleted_person_names_no_id(adas: ApiClient, charlie: Any, api_of: Any) -> None:
    # R6.2: it outlives the user.
    from audit.actions import Action
    from audit.services import record

    record(Action.USER_UPDATED, actor=charlie, subject=charlie)
    charlie.delete()
    [item] = adas.get("audit/entries", {"action": "USER_UPDATED"}).json()["items"]
    assert (item["actor"], item["actor_id"]) == ("charlie@example.com", None)
