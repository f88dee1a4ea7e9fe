"""One administrator wants to be two people (R5.8).

Mallory administers the bank, and has registered a second login, Molly. As Support, Molly would be the second clerk to
everything that Mallory does: with a new e-mail address, a password reset and a lost phone, Alice's second factor became
theirs. Each story goes through pages, mails, links and the job.
"""

import re
import secrets
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.models import PendingAct, TotpDevice, User
from accounts.people import first_administrator
from accounts.permission import administrators
from accounts.roles import Role
from audit.models import AuditEntry
from tests.acts import give_password, mails
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import fresh_code, stored

pytestmark = pytest.mark.django_db

REASON = "Agreed with the head of the branch."


@pytest.fixture
def mallory(make_user: Any) -> Any:
    return make_user("Mallory", Role.ADMIN)


@pytest.fixture
def molly(make_user: Any) -> Any:
    """Mallory's second login, registered like any customer's."""
    return make_user("Molly")


class Clerk:
    """An administrator at the pages of the staff's area."""

    def __init__(self, user: Any, browser: Client) -> None:
        self.user, self.browser = user, browser

    def press(self, model: str, pk: Any, button: str, **typed: Any) -> str:
        """Fill the form of a button in and send it; return what the bank then says."""
        address = f"/admin/{model}/{pk}/act/{button}/"
        shown = self.browser.get(address)
        if shown.status_code != 200:
            return f"{shown.status_code}"
        form = shown.context["form"]
        given = {name: form[name].value() for name in form.fields} | {"reason": REASON}
        if "code" in form.fields:
            given["code"] = fresh_code(self.user)
        given = {name: value for name, value in (given | typed).items() if value not in (None, False)}
        answer = self.browser.post(address, given)
        if answer.status_code == 302:
            return " ".join(str(message) for message in get_messages(answer.wsgi_request))
        return " ".join(str(fault) for faults in answer.context["form"].errors.values() for fault in faults)

    def on_person(self, person: Any, button: str, **typed: Any) -> str:
        return self.press("accounts/user", person.pk, button, **typed)

    def on_act(self, button: str) -> str:
        return self.press("accounts/pendingact", the_act().pk, button)


@pytest.fixture
def at_work(browser_of: Any) -> Any:
    return lambda user: Clerk(user, browser_of(user))


def the_act() -> PendingAct:
    """Return the act that waits, or was decided last."""
    return PendingAct.objects.latest("asked_at")


def hours_pass(hours: int) -> None:
    """Move the requests of all waiting acts back by this much; then run the scheduler's job."""
    for act in PendingAct.objects.filter(state="waiting"):
        act.asked_at -= timedelta(hours=hours)
        if act.effective_at:
            act.effective_at -= timedelta(hours=hours)
        act.save(update_fields=["asked_at", "effective_at"])
    call_command("carry_out_pending_acts")


def rescuer() -> User:
    """Return another administrator, made by an operator on the server, who has set up two-factor since."""
    user = first_administrator.bootstrap_administrator(
        email="rescue@example.com", first_name="Ruth", last_name="Rowe", password=PASSWORD, another=True
    )
    TotpDevice(user=user, name="phone", confirmed=True, key=secrets.token_hex(20)).save()
    return user


def link_to_stop(address: str) -> str:
    found = re.search(r"http://testserver(/stop/\S+)", mails(address)[-1].message)
    assert found, "the mail holds no link"
    return found.group(1)


# --- With two administrators: refused ---------------------------------------------------------------------------


@proves("V2.3.5")
def test_with_two_administrators_the_second_login_stays_a_customer(
    mallory: Any, molly: Any, ada: Any, at_work: Any
) -> None:
    thief = at_work(mallory)
    assert "a second administrator has to agree" in thief.on_person(molly, "role", role="Support")
    assert stored(molly).role == Role.CUSTOMER
    # The one who asked is not the second one.
    assert "Nobody does this to themselves" in thief.on_act("approve")
    assert stored(molly).role == Role.CUSTOMER
    # Time alone does nothing: a week later it is forgotten.
    [mail] = [mail for mail in mails(ada.email) if "second administrator is needed" in mail.subject]
    assert "Give Molly Example (molly@example.com) the role Support in place of Customer" in mail.message
    hours_pass(24 * 6)
    assert the_act().state == "waiting"
    assert "Stopped" in at_work(ada).on_act("stop")
    assert (stored(molly).role, the_act().state) == (Role.CUSTOMER, "stopped")
    stopped = AuditEntry.objects.get(action="PENDING_ACT_STOPPED")
    assert (stopped.actor_id, stopped.concerns_id, stopped.details["reason"]) == (ada.pk, molly.pk, REASON)


def test_with_two_administrators_it_happens_when_both_agree(mallory: Any, molly: Any, ada: Any, at_work: Any) -> None:
    at_work(mallory).on_person(molly, "role", role="Support")
    assert "Approved and done" in at_work(ada).on_act("approve")
    assert stored(molly).role == Role.SUPPORT
    entry = AuditEntry.objects.get(action="ROLE_CHANGED")
    assert (entry.actor_id, entry.details["approved_by"]) == (mallory.pk, str(ada.public_id))
    assert at_work(ada).on_act("approve") == "302", "it is offered no more"


def test_with_two_administrators_nobody_gets_at_alices_mail_alone(
    mallory: Any, alice: Any, ada: Any, at_work: Any, client: Client
) -> None:
    # The next step of the same attack: her address, then a reset of her password.
    said = at_work(mallory).on_person(alice, "edit", email="mallory@elsewhere.example")
    assert "a second administrator has to agree" in said
    assert stored(alice).email == "alice@example.com"
    client.post("/password/forgot/", {"email": "mallory@elsewhere.example"})
    assert not [mail for mail in mails("mallory@elsewhere.example") if "reset/" in mail.message]
    # She goes on as before.
    assert give_password(client, "alice@example.com").status_code == 302


def test_a_request_of_an_administrator_who_was_locked_since_is_not_done(
    mallory: Any, molly: Any, ada: Any, at_work: Any
) -> None:
    at_work(mallory).on_person(molly, "role", role="Support")
    at_work(ada).on_person(mallory, "lock")
    assert "is locked, or isn’t one any more" in at_work(ada).on_act("approve")
    assert (stored(molly).role, the_act().state) == (Role.CUSTOMER, "waiting")


# --- The second one locked first: refused -----------------------------------------------------------------------


@proves("V2.3.5")
def test_locking_the_other_one_first_makes_nobody_the_only_one(
    mallory: Any, molly: Any, ada: Any, at_work: Any
) -> None:
    thief = at_work(mallory)
    assert "locked" in thief.on_person(ada, "lock"), "an emergency waits for nobody"
    assert not stored(ada).can_sign_in
    assert "a second administrator has to agree" in thief.on_person(molly, "role", role="Support")
    assert the_act().effective_at is None
    hours_pass(48)
    assert (stored(molly).role, the_act().state) == (Role.CUSTOMER, "waiting")
    # The one who is locked is told anyway.
    assert [mail for mail in mails(ada.email) if "second administrator is needed" in mail.subject]
    # An operator makes another one, who decides.
    assert "Stopped" in at_work(rescuer()).on_act("stop")
    assert stored(molly).role == Role.CUSTOMER


@proves("V2.3.5")
def test_one_of_two_administrators_cannot_get_rid_of_the_other_alone(
    mallory: Any, molly: Any, ada: Any, at_work: Any
) -> None:
    """The person concerned never agrees, so nobody could: it is refused, and no day of waiting changes that."""
    thief = at_work(mallory)
    ways: list[tuple[str, dict[str, Any]]] = [
        ("role", {"role": "Customer"}),
        ("role", {"role": "Support"}),
        ("edit", {"is_active": None}),
    ]
    for is_locked in (False, True):
        if is_locked:
            thief.on_person(ada, "lock")
        for button, typed in ways:
            said = thief.on_person(ada, button, **typed)
            assert "nobody else than the person it concerns was one within 30 days" in said
            assert "An operator can make another one (manage.py bootstrap_admin … --another)" in said
        assert stored(ada).can_sign_in != is_locked
    hours_pass(24 * 8)
    assert (stored(ada).role, stored(ada).is_active, PendingAct.objects.count()) == (Role.ADMIN, True, 0)
    # She is told about each, also while she is locked, and so is every reader of the log.
    subjects = [mail.subject for mail in mails(ada.email)]
    assert subjects.count("The bank was asked to give you the role Customer at the bank, and refused") == 2
    assert subjects.count("The bank was asked to let you sign in no more, and refused") == 2
    refused = AuditEntry.objects.filter(action="PENDING_ACT_REFUSED", actor_id=mallory.pk, concerns_id=ada.pk)
    assert [entry.details["kind"] for entry in refused.order_by("pk")] == [
        "change_role",
        "change_role",
        "edit_user",
    ] * 2
    assert {entry.details["reason"] for entry in refused} == {"nobody_could_agree"}


def test_nothing_else_is_written_where_nobody_could_agree_to_the_rest(mallory: Any, ada: Any, at_work: Any) -> None:
    said = at_work(mallory).on_person(ada, "edit", is_active=None, phone="+49 30 5550199", first_name="Adele")
    assert "nobody else than the person it concerns" in said
    assert (stored(ada).first_name, stored(ada).phone) == (ada.first_name, ada.phone)
    assert "The details are saved" in at_work(mallory).on_person(ada, "edit", phone="+49 30 5550199")


def test_with_a_third_one_made_by_an_operator_two_of_three_part(
    mallory: Any, molly: Any, ada: Any, at_work: Any
) -> None:
    third, thief = rescuer(), at_work(mallory)
    assert "a second administrator has to agree" in thief.on_person(ada, "role", role="Customer")
    assert "Nobody does this to themselves" in at_work(ada).on_act("approve")
    assert stored(ada).role == Role.ADMIN
    assert "Approved and done" in at_work(third).on_act("approve")
    assert stored(ada).role == Role.CUSTOMER
    # She still counts for thirty days, and counts as herself once she is back.
    assert ada in administrators.others_than(mallory, at=timezone.now())
    thief.on_person(ada, "role", role="Admin")
    at_work(third).on_act("approve")
    assert stored(ada).role == Role.ADMIN
    assert ada in administrators.others_than(mallory, at=timezone.now())


def test_nobody_becomes_the_other_one_by_changing_her_address(mallory: Any, ada: Any, at_work: Any) -> None:
    # She reads no mail for a day: with her address, a reset that two clerks are talked into, and her role given back,
    # Mallory would have been Ada, who counts as a person of her own.
    thief = at_work(mallory)
    thief.on_person(ada, "lock")
    changing = {"email": "ada@mallory.example", "phone": "+49 30 5550199"}
    assert "nobody else than the person it concerns" in thief.on_person(ada, "edit", **changing)
    # Nor when she is not an administrator any more: she counts for thirty days.
    third = rescuer()
    thief.on_person(ada, "role", role="Customer")
    assert "Approved and done" in at_work(third).on_act("approve")
    User.objects.filter(pk=third.pk).update(is_active=False)  # behind the services' back: as if long ago
    assert [user.pk for user in administrators.lately(at=timezone.now())] == [mallory.pk, ada.pk]
    assert "nobody else than the person it concerns" in thief.on_person(ada, "edit", **changing)
    hours_pass(24 * 8)
    assert stored(ada).email == "ada@example.com"
    subject = "The bank was asked to change the e-mail address that you sign in with, and refused"
    assert [mail.subject for mail in mails(ada.email)].count(subject) == 2


# --- With one administrator: delayed, told, stopped ----------------------------------------------------------------


@proves("V2.3.5")
def test_with_one_administrator_it_takes_a_day_and_is_told(mallory: Any, molly: Any, at_work: Any) -> None:
    assert "takes effect after" in at_work(mallory).on_person(molly, "role", role="Support")
    assert "unless stopped" in mails(mallory.email)[-1].subject
    assert "about to give you the role Support" in mails(molly.email)[-1].subject
    hours_pass(23)
    assert stored(molly).role == Role.CUSTOMER
    hours_pass(1)
    assert stored(molly).role == Role.SUPPORT
    entry = AuditEntry.objects.get(action="ROLE_CHANGED")
    assert (entry.actor_id, "delayed_until" in entry.details) == (mallory.pk, True)
    assert AuditEntry.objects.get(action="PENDING_ACT_DUE").actor_label == "the bank"


@proves("V2.3.5")
@pytest.mark.parametrize("reader", ["alice@example.com", "mallory@elsewhere.example"])
def test_alice_stops_a_change_of_her_address_from_both_addresses(
    reader: str, mallory: Any, alice: Any, at_work: Any, client: Client
) -> None:
    at_work(mallory).on_person(alice, "edit", email="mallory@elsewhere.example")
    assert stored(alice).email == "alice@example.com"
    link = link_to_stop(reader)
    assert client.get(link).status_code == 200, "a scanner that follows links stops nothing"
    assert the_act().state == "waiting"
    assert client.post(link).status_code == 302
    assert the_act().state == "stopped"
    used = client.post(link)
    assert used.status_code == 404, "it works once"
    assert used.content.decode().count('href="/sign-in/"') == 2, "in the header, and once below what to do"
    assert "write to us at once" in used.content.decode()
    hours_pass(25)
    assert stored(alice).email == "alice@example.com"
    # Every administrator, and everybody who was told that it would come, is told that it will not.
    assert "Stopped" in mails(mallory.email)[-1].subject
    assert "will not change the e-mail address" in mails("alice@example.com")[-1].subject
    stopped = AuditEntry.objects.get(action="PENDING_ACT_STOPPED")
    which = "old" if reader == alice.email else "new"
    assert (stopped.actor_label, stopped.details["reason"]) == (
        "the link in a mail", f"By the link in the mail to the {which} address.",
    )  # fmt: skip


@proves("V2.3.5")
def test_a_second_administrator_made_alone_agrees_to_nothing_for_thirty_days(
    mallory: Any, molly: Any, make_user: Any, alice: Any, at_work: Any
) -> None:
    # After a day Molly is an administrator, and still Mallory's second login.
    thief = at_work(mallory)
    thief.on_person(molly, "role", role="Admin")
    hours_pass(24)
    molly = stored(molly)
    assert molly.role == Role.ADMIN
    assert "takes effect after" in thief.on_person(alice, "edit", email="mallory@elsewhere.example")
    assert "stands for nobody else" in at_work(molly).on_act("approve")
    at_work(molly).on_act("stop")
    # Nor the other way round, nor through a third one whom Molly makes.
    milo = make_user("Milo")
    assert "takes effect after" in at_work(molly).on_person(milo, "role", role="Admin")
    assert "stands for nobody else" in thief.on_act("approve")
    hours_pass(24)
    milo = stored(milo)
    assert "takes effect after" in thief.on_person(alice, "edit", email="mallory@elsewhere.example")
    assert "stands for nobody else" in at_work(milo).on_act("approve")
    assert stored(alice).email == "alice@example.com"


def test_a_new_administrator_agreed_by_two_is_a_second_one_but_not_for_the_one_who_asked(
    mallory: Any, molly: Any, alice: Any, ada: Any, at_work: Any
) -> None:
    thief = at_work(mallory)
    thief.on_person(molly, "role", role="Admin")
    at_work(ada).on_act("approve")
    molly = stored(molly)
    thief.on_person(alice, "edit", email="mallory@elsewhere.example")
    assert "stands for nobody else" in at_work(molly).on_act("approve")
    at_work(ada).on_act("stop")
    # She agrees to what Ada asks; and so may Mallory.
    at_work(ada).on_person(alice, "edit", email="alice@elsewhere.example")
    assert "Approved and done" in at_work(molly).on_act("approve")
    assert stored(alice).email == "alice@elsewhere.example"


def test_another_administrator_made_by_an_operator_takes_over_what_waits_for_the_day(
    mallory: Any, molly: Any, at_work: Any
) -> None:
    at_work(mallory).on_person(molly, "role", role="Support")
    assert the_act().effective_at is not None
    rescuer()
    hours_pass(25)
    assert (the_act().effective_at, the_act().state) == (None, "waiting")
    assert stored(molly).role == Role.CUSTOMER
    assert "second administrator is needed" in mails("rescue@example.com")[-1].subject
    hours_pass(24 * 8)
    assert the_act().state == "expired"


def test_an_old_login_of_a_colleague_is_not_switched_on_again_alone(mallory: Any, sam: Any, at_work: Any) -> None:
    # A login that was switched off is as good as a new one.
    thief = at_work(mallory)
    assert "The details are saved" in thief.on_person(sam, "edit", is_active=None)
    assert not stored(sam).is_active
    assert "takes effect after" in thief.on_person(sam, "edit", is_active="on")
    assert not stored(sam).is_active
    hours_pass(24)
    assert stored(sam).is_active


def test_the_day_is_not_shortened_by_asking_twice(mallory: Any, molly: Any, at_work: Any) -> None:
    thief = at_work(mallory)
    thief.on_person(molly, "role", role="Support")
    assert "waits for a second administrator already" in thief.on_person(molly, "role", role="Auditor")
    assert PendingAct.objects.count() == 1
    assert User.objects.get(pk=molly.pk).role == Role.CUSTOMER


def test_thirty_days_after_the_other_one_left_one_alone_waits_for_a_day(
    mallory: Any, molly: Any, ada: Any, at_work: Any
) -> None:
    at_work(mallory).on_person(ada, "lock")
    ended = timezone.now() - timedelta(days=31)
    User.objects.filter(pk=ada.pk).update(locked_at=ended)
    ada.administrator_term.until = ended
    ada.administrator_term.save()
    assert "takes effect after" in at_work(mallory).on_person(molly, "role", role="Support")
