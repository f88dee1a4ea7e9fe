"""Staff change a person's role and details, and what the person has asked for (R1.7, R1.8, R4.2, R5.1, R5.2)."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from accounts import people
from accounts.models import AccountStatus, BankAccount, RecoveryCode, TotpDevice, User
from accounts.people import EmailInUse, HasThisRole, LastAdministrator, NothingToReset, StillHasAccounts, details
from accounts.permission import second_person
from accounts.roles import Role
from accounts.sign_in.two_factor import WrongCode
from audit.models import AuditEntry
from foundation.refusals import NotYourself
from tests.acts import give_code, give_password, is_signed_in, link_for, mails, wrong_code_for
from tests.asvs import proves
from tests.staff_acts import REASON, agree, an_origin, approved, call_off, entry_of, fresh_code, stored
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def adam(make_user: Any) -> Any:
    """The second administrator (R5.8)."""
    return make_user("Adam", Role.ADMIN)


def change_role(actor: Any, user: Any, role: Any, **changes: Any) -> Any:
    given = {"reason": REASON, "code": changes.get("code") or fresh_code(actor)} | changes
    return people.change_role(origin=an_origin(), actor=actor, user=stored(user), role=role, **given)


def edit(actor: Any, user: Any, **changes: Any) -> people.Edited:
    present = stored(user)
    names = ("first_name", "last_name", "email", "phone", "is_active")
    given = {name: getattr(present, name) for name in names} | {"reason": REASON} | changes
    given.setdefault("code", fresh_code(actor))
    given.setdefault("seen", people.version_of(present))
    return people.edit_user(origin=an_origin(), actor=actor, user=present, **given)


# --- Role ---------------------------------------------------------------------------------------------------


@proves("V8.3.2")
def test_a_new_role_counts_at_once_and_ends_all_sessions(alice: Any, ada: Any, adam: Any, browser_of: Any) -> None:
    # R1.7, R5.8
    browser = browser_of(alice)
    act = agree(adam, change_role(ada, alice, Role.SUPPORT))
    assert not is_signed_in(browser)
    user = stored(alice)
    assert (user.role, user.is_staff, user.groups.count()) == (Role.SUPPORT, True, 1)
    entry = entry_of("ROLE_CHANGED")
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (ada.pk, str(alice.public_id), alice.pk)
    assert entry.details == {
        "reason": REASON,
        "before": "Customer",
        "after": "Support",
        "asked": str(act.public_id),
        "approved_by": str(adam.public_id),
    }
    [mail] = mails(alice.email)
    assert "another role: Support." in mail.message


def test_a_role_may_come_as_its_name_and_no_other_word_is_one(alice: Any, ada: Any, adam: Any) -> None:
    agree(adam, change_role(ada, alice, "Auditor"))
    assert stored(alice).role == Role.AUDITOR
    with pytest.raises(ValueError, match="Emperor"):
        change_role(ada, alice, "Emperor")


@pytest.mark.parametrize("status", [AccountStatus.ACTIVE, AccountStatus.FROZEN])
def test_a_customer_with_accounts_cannot_become_staff(
    status: AccountStatus, alice: Any, ada: Any, adam: Any, open_account: Any
) -> None:
    account = open_account(alice)
    BankAccount.objects.filter(pk=account.pk).update(status=status)
    with pytest.raises(StillHasAccounts, match="close them first"):
        change_role(ada, alice, Role.ADMIN)
    BankAccount.objects.filter(pk=account.pk).update(status=AccountStatus.CLOSED)
    agree(adam, change_role(ada, alice, Role.ADMIN))
    assert stored(alice).role == Role.ADMIN


def test_nobody_changes_their_own_role(ada: Any, sam: Any) -> None:
    # R5.2
    with pytest.raises(NotYourself):
        change_role(ada, ada, Role.SUPPORT)
    with pytest.raises(PermissionDenied):
        change_role(sam, sam, Role.ADMIN)


def test_the_present_role_is_not_a_change(alice: Any, ada: Any) -> None:
    code = fresh_code(ada)
    with pytest.raises(HasThisRole, match="already"):
        change_role(ada, alice, Role.CUSTOMER, code=code)
    change_role(ada, alice, Role.AUDITOR, code=code)  # it used up no code


def test_somebody_in_two_groups_is_put_into_one(alice: Any, ada: Any) -> None:
    # R1.7
    alice.groups.add(Group.objects.get(name="Support"))
    change_role(ada, alice, Role.CUSTOMER)
    assert stored(alice).role == Role.CUSTOMER
    assert entry_of("ROLE_CHANGED").details["before"] == ""


@proves("V15.4.2")
def test_the_last_administrator_is_neither_demoted_nor_deactivated(ada: Any, sam: Any) -> None:
    # R5.2, in a bank where clerks may do it.
    clerks = Group.objects.get(name="Support")
    clerks.permissions.add(*Permission.objects.filter(codename__in=["change_role", "edit_user"]))
    clerk = stored(sam)
    with pytest.raises(LastAdministrator):
        change_role(clerk, ada, Role.SUPPORT)
    with pytest.raises(LastAdministrator):
        edit(clerk, ada, is_active=False)
    assert (stored(ada).role, stored(ada).is_active) == (Role.ADMIN, True)


def test_who_was_locked_a_moment_ago_does_nothing_more(alice: Any, ada: Any) -> None:
    # The administrator of a request that has begun already.
    code = fresh_code(ada)
    User.objects.filter(pk=ada.pk).update(locked_at=timezone.now())
    with pytest.raises(PermissionDenied):
        people.change_role(
            origin=an_origin(), actor=ada, user=stored(alice), role=Role.SUPPORT, reason=REASON, code=code
        )
    assert stored(alice).role == Role.CUSTOMER


# --- Details ------------------------------------------------------------------------------------------------


def test_what_differs_is_written_audited_by_name_and_told(alice: Any, ada: Any, browser_of: Any) -> None:
    # R5.1, R6.2
    browser = browser_of(alice)
    assert edit(ada, alice, first_name="Alicia", phone="+49 30 7777777").fields == ["first_name", "phone"]
    user = stored(alice)
    assert (user.first_name, user.last_name, user.phone) == ("Alicia", "Archer", "+49 30 7777777")
    assert user.hardened_at is None
    assert is_signed_in(browser)
    entry = entry_of("USER_UPDATED")
    assert (entry.actor_id, entry.concerns_id) == (ada.pk, alice.pk)
    assert entry.details == {"reason": REASON, "fields": ["first_name", "phone"]}
    [mail] = mails(alice.email)
    assert "changed your first name, phone." in mail.message
    assert "7777777" not in mail.message


def test_saving_what_stands_there_is_no_change(alice: Any, ada: Any) -> None:
    assert edit(ada, alice, email=" ALICE@example.com ") == people.Edited([], None)
    assert not AuditEntry.objects.filter(action="USER_UPDATED").exists()
    assert mails() == []


def test_of_another_address_the_old_one_is_told_too_and_sessions_end(
    alice: Any, ada: Any, adam: Any, browser_of: Any, client: Client
) -> None:
    # R1.8, R5.8
    browser = browser_of(alice)
    before = timezone.now()
    waits = edit(ada, alice, email="Alice@Elsewhere.example").waits
    assert stored(alice).email == "alice@example.com"
    agree(adam, waits)
    user = stored(alice)
    assert user.email == "alice@elsewhere.example"
    assert user.hardened_at is not None
    assert before <= user.hardened_at <= timezone.now()
    assert not is_signed_in(browser)
    told = [mail for mail in mails() if mail.subject == "The bank has changed your e-mail address"]
    assert [mail.to for mail in told] == [["alice@example.com"], ["alice@elsewhere.example"]]
    assert "elsewhere" not in str(entry_of("USER_UPDATED").details)
    assert give_password(client, "alice@elsewhere.example").status_code == 302


def test_an_address_that_somebody_has_is_refused(alice: Any, bob: Any, ada: Any, monkeypatch: Any) -> None:
    code = fresh_code(ada)
    with pytest.raises(EmailInUse, match="Somebody else"):
        edit(ada, alice, email="BOB@example.com", code=code)

    def taken_meanwhile(*args: Any) -> list[str]:
        raise IntegrityError

    monkeypatch.setattr(details, "_edit", taken_meanwhile)
    with pytest.raises(EmailInUse):
        edit(ada, alice, email="new@example.com", code=code)
    assert stored(alice).email == "alice@example.com"


@pytest.mark.parametrize("change", [{"email": ""}, {"email": "nobody"}, {"first_name": ""}])
def test_a_person_keeps_a_name_and_an_address(change: dict[str, str], alice: Any, ada: Any) -> None:
    with pytest.raises(ValueError, match="first name"):
        edit(ada, alice, **change)


@proves("V7.4.2")
def test_a_deactivated_user_is_signed_out_at_once_and_comes_back_when_reactivated(
    alice: Any, ada: Any, browser_of: Any, client: Client
) -> None:
    # R5.1
    browser = browser_of(alice)
    assert edit(ada, alice, is_active=False) == people.Edited(["is_active"], None)
    assert not is_signed_in(browser)
    assert give_password(client, alice.email).status_code == 200
    assert entry_of("USER_UPDATED").details == {"reason": REASON, "fields": ["is_active"], "is_active": False}
    edit(ada, alice, is_active=True)
    assert give_password(client, alice.email).status_code == 302
    subjects = [mail.subject for mail in mails(alice.email)]
    assert [subject.partition(" was ")[2] for subject in subjects] == ["switched off", "switched on again"]


def test_nobody_edits_their_own_user_here(ada: Any) -> None:
    # R5.2: the profile is the place for one's own details; nobody deactivates themselves.
    with pytest.raises(NotYourself):
        edit(ada, ada, is_active=False)
    with pytest.raises(NotYourself):
        edit(ada, ada, first_name="Her Majesty")


def test_a_wrong_code_changes_nothing(alice: Any, ada: Any) -> None:
    with pytest.raises(WrongCode):
        edit(ada, alice, first_name="Mallory", code=wrong_code_for(fresh_code(ada)))
    assert stored(alice).first_name == "Alice"


# --- By an approved request ---------------------------------------------------------------------------------


def update_identity(actor: Any, user: Any, **wanted: str) -> list[str]:
    given = {"first_name": "Alice", "last_name": "Archer", "address": "Lindenallee 4\nBerlin"} | wanted
    authority = approved("update_identity", user)
    return people.update_identity(actor=actor, user=user, reason=REASON, authority=authority, **given)


def test_identity_is_updated_as_asked(alice: Any, sam: Any) -> None:
    # R4.2
    assert update_identity(sam, alice, last_name="Brandt", address="Am Markt 1") == ["last_name", "address"]
    assert (stored(alice).last_name, stored(alice).address) == ("Brandt", "Am Markt 1")
    entry = entry_of("USER_UPDATED")
    assert entry.details == {"reason": REASON, "fields": ["last_name", "address"], "request": "the-request"}
    assert "Am Markt" not in mails(alice.email)[0].message


@in_one_world(
    ("wanted", "changed"),
    [
        ({"first_name": "", "last_name": "", "address": "Am Markt 1"}, ["address"]),
        ({"first_name": "Alicia", "last_name": "", "address": ""}, ["first_name", "last_name"]),
    ],
)
def test_what_was_not_asked_for_stays_as_it_is(wanted: Any, changed: list[str], alice: Any, sam: Any) -> None:
    # R1.8: whatever has happened to it since the request was filed.
    present = stored(alice)
    assert update_identity(sam, alice, **wanted) == changed
    kept = {"first_name", "last_name", "phone", "address", "email"} - set(changed)
    assert all(getattr(stored(alice), name) == getattr(present, name) for name in kept)


def test_the_present_identity_is_not_a_change(alice: Any, sam: Any) -> None:
    assert update_identity(sam, alice) == []
    assert not AuditEntry.objects.filter(action="USER_UPDATED").exists()


def reset_two_factor(actor: Any, user: Any) -> None:
    authority = approved("reset_two_factor", user)
    people.reset_two_factor(actor=actor, user=user, reason=REASON, authority=authority)


def test_two_factor_is_forgotten_and_set_up_again_at_the_next_sign_in(
    alice: Any, sam: Any, browser_of: Any, client: Client
) -> None:
    # R4.2, R1.8
    browser, old_code = browser_of(alice), fresh_code(alice)
    RecoveryCode.objects.create(user=alice, selector="ABCD", code_hash="a hash")
    reset_two_factor(sam, alice)
    assert not is_signed_in(browser)
    assert not TotpDevice.objects.filter(user=alice).exists()
    assert not RecoveryCode.objects.filter(user=alice).exists()
    assert stored(alice).hardened_at is not None
    entry = entry_of("TWO_FACTOR_RESET")
    assert (entry.actor_id, entry.concerns_id) == (sam.pk, alice.pk)
    assert entry.details == {"reason": REASON, "request": "the-request"}
    assert mails(alice.email)[0].subject == "Your two-factor sign-in was reset"
    give_password(client, alice.email)
    give_code(client, old_code)
    assert not is_signed_in(client)
    assert client.get("/two-factor/enrol/")["Location"] == "/two-factor/link/"
    client.post(link_for(alice.email))
    assert client.get("/two-factor/enrol/").status_code == 200


def test_a_second_reset_finds_nothing(alice: Any, sam: Any) -> None:
    reset_two_factor(sam, alice)
    with pytest.raises(NothingToReset, match="nothing to reset"):
        reset_two_factor(sam, alice)


def test_a_clerk_resets_nothing_of_staff(audrey: Any, sam: Any, ada: Any) -> None:
    # Otherwise a clerk who knows an administrator's password would become one.
    with pytest.raises(PermissionDenied):
        reset_two_factor(sam, audrey)
    reset_two_factor(ada, audrey)
    assert not TotpDevice.objects.filter(user=audrey).exists()


@pytest.mark.parametrize(
    "state", [{"pin_hash": "a hash"}, {"pin_hash": "a hash", "pin_locked_at": "2026-11-01T00:00Z"}]
)
def test_a_pin_is_forgotten_with_its_lock(state: dict[str, str], alice: Any, sam: Any) -> None:
    # R1.4, R4.2: as one step of the transaction that approves.
    User.objects.filter(pk=alice.pk).update(pin_failures=3, **state)
    reset = {"actor": sam, "user": alice, "reason": REASON, "authority": approved("reset_pin", alice)}
    with transaction.atomic():
        people.reset_pin.joined(**reset)
    user = stored(alice)
    assert (user.pin_hash, user.pin_failures, user.pin_locked_at) == ("", 0, None)
    assert entry_of("PIN_RESET").details == {"reason": REASON, "request": "the-request"}
    assert mails(alice.email)[0].subject == "Your PIN was reset"
    with pytest.raises(NothingToReset):
        people.reset_pin(**reset)


def test_a_form_opened_before_somebody_elses_change_undoes_nothing(alice: Any, ada: Any, make_user: Any) -> None:
    # R5.1: a first name corrected in an old window must not let a deactivated person in again.
    opened = people.version_of(stored(alice))
    edit(make_user("Adam", Role.ADMIN), alice, is_active=False)
    with pytest.raises(people.ChangedMeanwhile):
        edit(ada, alice, first_name="Alicia", is_active=True, seen=opened)
    user = stored(alice)
    assert (user.first_name, user.is_active) == ("Alice", False)


def test_an_address_that_the_customer_changed_meanwhile_is_not_put_back(alice: Any, ada: Any) -> None:
    # R1.8
    opened = people.version_of(stored(alice))
    User.objects.filter(pk=alice.pk).update(email="new@example.com")
    with pytest.raises(people.ChangedMeanwhile):
        edit(ada, alice, email="alice@example.com", first_name="Alicia", seen=opened)
    assert stored(alice).email == "new@example.com"


# --- What a second administrator decides (R5.8) ---------------------------------------------------------------


def test_making_a_clerk_a_customer_takes_one_alone(ada: Any, adam: Any, sam: Any) -> None:
    assert change_role(ada, sam, Role.CUSTOMER) is None
    assert stored(sam).role == Role.CUSTOMER


@pytest.mark.parametrize(
    ("person", "change", "words"),
    [
        (
            "audrey", {"role": Role.SUPPORT},
            "Give Audrey Example (audrey@example.com) the role Support in place of Auditor",
        ),
        ("adam", {"role": Role.CUSTOMER}, "Give Adam Example (adam@example.com) the role Customer in place of Admin"),
        ("adam", {"is_active": False}, "Switch Adam Example (adam@example.com) off"),
        (
            "sam", {"email": "sammy@example.com"},
            "Change the e-mail address of Sam Example from sam@example.com to sammy@example.com",
        ),
    ],
)  # fmt: skip
def test_a_waiting_act_is_said_in_words_and_done_by_the_one_who_agrees(
    person: str, change: dict[str, Any], words: str, ada: Any, make_user: Any, request: pytest.FixtureRequest
) -> None:
    user, second = request.getfixturevalue(person), make_user("Anna", Role.ADMIN)
    act = change_role(ada, user, **change) if "role" in change else edit(ada, user, **change).waits
    [mail] = mails(second.email)
    assert f"{words}." in mail.message
    agree(second, act)
    for name, value in change.items():
        assert getattr(stored(user), name) == value


def test_who_is_deactivated_waits_for_a_second_one_to_come_back_and_the_rest_is_saved(
    ada: Any, adam: Any, sam: Any
) -> None:
    edit(ada, sam, is_active=False)
    edited = edit(ada, sam, is_active=True, first_name="Samuel")
    assert (edited.fields, stored(sam).first_name, stored(sam).is_active) == (["first_name"], "Samuel", False)
    assert mails(adam.email)[-1].subject.endswith("Let Samuel Example (sam@example.com) sign in again")
    agree(adam, edited.waits)
    assert stored(sam).is_active


def test_what_was_changed_meanwhile_is_not_carried_out(alice: Any, bob: Any, ada: Any, adam: Any) -> None:
    waits = edit(ada, alice, email="elsewhere@example.com").waits
    User.objects.filter(pk=alice.pk).update(email="hers@example.com")
    with pytest.raises(people.ChangedMeanwhile):
        agree(adam, waits)
    assert entry_of("PENDING_ACT_REFUSED").details["reason"] == "changed_meanwhile"
    act = change_role(ada, bob, Role.SUPPORT)
    bob.groups.set([Group.objects.get(name="Auditor")])
    with pytest.raises(people.ChangedMeanwhile):
        agree(adam, act)


def test_an_address_that_somebody_took_meanwhile_is_refused_and_waits_on(
    alice: Any, bob: Any, ada: Any, adam: Any, monkeypatch: Any
) -> None:
    waits = edit(ada, alice, email="elsewhere@example.com").waits
    User.objects.filter(pk=bob.pk).update(email="elsewhere@example.com")
    with pytest.raises(EmailInUse):
        agree(adam, waits)
    User.objects.filter(pk=bob.pk).update(email="bob@example.com")

    def taken_at_this_moment(*args: Any, **more: Any) -> list[str]:
        raise IntegrityError

    with monkeypatch.context() as patch:
        patch.setattr(details, "_write", taken_at_this_moment)
        with pytest.raises(EmailInUse):
            agree(adam, waits)
    assert waits is not None
    waits.refresh_from_db()
    assert waits.is_waiting
    agree(adam, waits)
    assert stored(alice).email == "elsewhere@example.com"


def test_the_person_concerned_neither_agrees_nor_stops_it_while_a_second_one_is_needed(
    ada: Any, adam: Any, make_user: Any
) -> None:
    anna = make_user("Anna", Role.ADMIN)
    act = change_role(ada, adam, Role.SUPPORT)
    for decide in (agree, call_off):
        with pytest.raises(NotYourself):
            decide(adam, act)
    call_off(ada, act)  # the one who asked may take it back
    with pytest.raises(second_person.DecidedAlready):
        agree(anna, act)
