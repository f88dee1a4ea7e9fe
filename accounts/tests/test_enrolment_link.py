"""After the bank has reset a person's second factor, another takes the password and a link in a mail: a guessed
password alone is not enough (R1.3, R1.8)."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import EnrolmentLink, TotpDevice, User
from accounts.people import on_request
from accounts.people.common import end_what_was_begun
from accounts.roles import Role
from accounts.sign_in import enrolment_link, two_factor
from audit.models import AuditEntry
from foundation.limiter import limiter
from foundation.mail_links import LinkInvalid
from tests.acts import give_code, give_password, is_signed_in, link_for, mails
from tests.api_client import told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import approved
from tests.tables import in_one_world

ENROL, NEEDED = "/two-factor/enrol/", "/two-factor/link/"


def reset(actor: Any, user: Any) -> str:
    """Reset by the bank; return the link in the mail."""
    authority = approved("reset_two_factor", user)
    on_request.reset_two_factor(actor=actor, user=user, reason="Proved who she is", authority=authority)
    return link_for(user.email)


@pytest.fixture
def link(alice: Any, sam: Any) -> str:
    return reset(sam, alice)


def new_code(user: Any) -> str:
    """Return the code of the app that was set up last."""
    return f"{TotpDevice.objects.filter(user=user).latest('pk').totp().token():06d}"


def enrols(client: Client, user: Any) -> bool:
    """Return whether this browser gets as far as a new authenticator app."""
    if client.get(ENROL).status_code != 200:
        return False
    client.post(ENROL, {"code": new_code(user)})
    return is_signed_in(client)


def test_the_link_and_then_the_password_set_up_another_app(alice: Any, link: str, client: Client) -> None:
    assert client.post(link)["Location"] == "/sign-in/"
    give_password(client, alice.email)
    assert enrols(client, alice)
    assert not EnrolmentLink.objects.exists()
    assert "enrolment_link" not in client.session


def test_the_password_and_then_the_link_do_too(alice: Any, link: str, client: Client) -> None:
    assert give_password(client, alice.email)["Location"] == ENROL
    assert client.get(ENROL)["Location"] == NEEDED
    page = client.get(NEEDED).content.decode()
    assert "We have sent you a link by e-mail" in page
    assert alice.email in page
    assert client.post(link)["Location"] == ENROL
    assert client.get(NEEDED)["Location"] == ENROL
    assert enrols(client, alice)


@proves("V6.4.4")
def test_the_password_alone_gets_nowhere(alice: Any, link: str, client: Client) -> None:
    # R1.3: a person who guessed it.
    give_password(client, alice.email)
    for answer in (client.get(ENROL), client.post(ENROL, {"code": "123456"})):
        assert (answer.status_code, answer["Location"]) == (302, NEEDED)
    assert give_code(client, "123456")["Location"] == "/sign-in/"
    assert not TotpDevice.objects.filter(user=alice).exists(), "no secret was even made"
    assert not is_signed_in(client)


@proves("V6.4.4")
def test_the_services_refuse_without_it_too(alice: Any, link: str) -> None:
    # A page that leads elsewhere must not be the only protection.
    with pytest.raises(enrolment_link.LinkNeeded):
        two_factor.enrolment_device(alice)
    device = two_factor.new_device(alice)
    code = new_code(alice)
    with pytest.raises(enrolment_link.LinkNeeded):
        two_factor.confirm_enrolment(alice, device, code=code, proof="a guess")
    assert two_factor.confirmed_device(alice) is None


def test_the_link_alone_gets_nowhere(alice: Any, link: str, client: Client) -> None:
    # A person who reads the mail.
    client.post(link)
    assert client.get(ENROL)["Location"] == "/sign-in/"
    assert client.get(NEEDED)["Location"] == "/sign-in/"
    assert client.post(NEEDED)["Location"] == "/sign-in/"
    assert not is_signed_in(client)


def test_it_opens_for_the_browser_that_opened_it_alone(alice: Any, link: str, client: Client) -> None:
    client.post(link)
    stranger = Client()
    give_password(stranger, alice.email)
    assert not enrols(stranger, alice)


def test_another_persons_link_proves_nothing(alice: Any, charlie: Any, sam: Any, link: str, client: Client) -> None:
    # R1.7
    client.post(reset(sam, charlie))
    give_password(client, alice.email)
    assert not enrols(client, alice)


def test_following_it_changes_nothing_and_does_not_name_its_owner(alice: Any, link: str) -> None:
    # Mail scanners follow links.
    scanner = Client()
    answer = scanner.get(link)
    assert answer.status_code == 200
    assert not any(word in answer.content.decode() for word in (alice.email, alice.first_name, alice.last_name))
    give_password(scanner, alice.email)
    assert not enrols(scanner, alice)


@proves("V6.4.1")
def test_it_works_once(alice: Any, link: str, client: Client) -> None:
    late = Client()
    late.post(link)
    give_password(late, alice.email)
    assert late.get(ENROL).status_code == 200
    client.post(link)
    give_password(client, alice.email)
    assert enrols(client, alice)
    assert late.post(ENROL, {"code": "123456"})["Location"] == "/sign-in/code/"
    for answer in (Client().get(link), Client().post(link), Client().get(NEEDED + "unknown/")):
        assert answer.status_code == 404
        assert b"This link no longer works" in answer.content


@in_one_world("opened", [True, False])
def test_after_a_day_it_is_worthless_but_still_needed(alice: Any, link: str, opened: bool) -> None:
    client = Client()
    if opened:
        client.post(link)
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1), tick=False):
        assert client.post(link).status_code == 404
        give_password(client, alice.email)
        assert not enrols(client, alice)
        assert client.get(ENROL)["Location"] == NEEDED


@in_one_world(
    "meanwhile",
    [
        lambda user: User.objects.filter(pk=user.pk).update(locked_at=timezone.now()),
        lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
        end_what_was_begun,
    ],
)
def test_a_link_is_worthless_after(meanwhile: Any, alice: Any, link: str) -> None:
    # A lock, a deactivation, another address by the bank.
    meanwhile(alice)
    assert Client().post(link).status_code == 404
    assert EnrolmentLink.objects.filter(user=alice).exists()


def test_a_page_left_open_while_the_link_was_made_worthless_ends_nowhere(alice: Any, link: str, client: Client) -> None:
    client.post(link)
    give_password(client, alice.email)
    assert client.get(ENROL).status_code == 200
    enrolment_link.make_worthless(alice)
    assert client.post(ENROL, {"code": new_code(alice)})["Location"] == NEEDED
    assert two_factor.confirmed_device(alice) is None


def test_another_mail_can_be_asked_for_three_times_an_hour(alice: Any, link: str, client: Client) -> None:
    give_password(client, alice.email)
    assert client.post(NEEDED)["Location"] == NEEDED
    assert "We have sent you another link" in client.get(NEEDED).content.decode()
    assert [client.post(NEEDED).status_code for _ in range(3)] == [302, 302, 429]
    assert [mail.subject for mail in mails(alice.email)][1:] == ["Another link to set up your authenticator app"] * 3
    assert Client().get(link).status_code == 404, "the one before no longer works"
    client.post(link_for(alice.email))
    assert enrols(client, alice)
    entries = AuditEntry.objects.filter(action="ENROLMENT_LINK_SENT")
    assert [(entry.actor_id, entry.concerns_id) for entry in entries] == [(None, alice.pk)] * 3


def test_another_mail_asked_for_when_none_is_needed_any_more_leads_on(
    alice: Any, link: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another window has set the app up between the look and the mail.
    give_password(client, alice.email)
    monkeypatch.setattr(enrolment_link, "is_missing", lambda user, proof: True)
    EnrolmentLink.objects.all().delete()
    TotpDevice.objects.create(user=alice, name="phone", confirmed=True, key="00" * 20)
    answer = client.post(NEEDED)
    assert (answer.status_code, answer["Location"]) == (302, ENROL)
    assert client.get(ENROL)["Location"] == "/sign-in/code/"
    assert not AuditEntry.objects.filter(action="ENROLMENT_LINK_SENT").exists()


def test_who_is_locked_between_the_look_and_the_mail_is_sent_to_sign_in(
    alice: Any, link: str, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_password(client, alice.email)
    locked = User.objects.filter(pk=alice.pk)
    monkeypatch.setattr(limiter, "take", lambda *args: locked.update(locked_at=timezone.now()))
    answer = client.post(NEEDED, follow=True)
    assert answer.redirect_chain == [(ENROL, 302), ("/sign-in/", 302)]
    assert not AuditEntry.objects.filter(action="ENROLMENT_LINK_SENT").exists()


# --- Of people whose second factor was reset before there were links --------------------------------------------


@pytest.fixture(params=["signed in before", "hardened"])
def without_row(request: Any, alice: Any) -> Any:
    """Return Alice without a second factor and without the row that says that she needs a link."""
    TotpDevice.objects.filter(user=alice).delete()
    known = {"signed in before": "last_login", "hardened": "hardened_at"}[request.param]
    User.objects.filter(pk=alice.pk).update(**{known: timezone.now()})
    alice.refresh_from_db()
    return alice


@proves("V6.4.4")
def test_a_person_who_had_a_second_factor_needs_a_link_in_any_case(without_row: Any, client: Client) -> None:
    # R1.8: fail closed.
    assert give_password(client, without_row.email)["Location"] == ENROL
    for answer in (client.get(ENROL), client.post(ENROL, {"code": "123456"})):
        assert answer["Location"] == NEEDED
    assert not TotpDevice.objects.filter(user=without_row).exists(), "no secret was even made"
    with pytest.raises(enrolment_link.LinkNeeded):
        two_factor.enrolment_device(without_row)


@proves("V6.4.4")
def test_a_row_that_was_removed_makes_no_difference(alice: Any, link: str, client: Client) -> None:
    EnrolmentLink.objects.all().delete()
    give_password(client, alice.email)
    assert not enrols(client, alice)


def test_their_first_link_is_mailed_when_they_ask_for_it(without_row: Any, client: Client) -> None:
    give_password(client, without_row.email)
    page = client.get(NEEDED).content.decode()
    assert "Send the link" in page
    assert "We have sent you" not in page, "nobody has"
    assert client.post(NEEDED)["Location"] == NEEDED
    assert "We have sent you a link by e-mail" in client.get(NEEDED).content.decode()
    assert client.post(link_for(without_row.email))["Location"] == ENROL
    assert enrols(client, without_row)
    assert not EnrolmentLink.objects.exists()


@proves("V6.4.4")
def test_the_api_asks_for_it_too(without_row: Any, api_of: Any) -> None:
    who = {"email": without_row.email, "password": PASSWORD}
    assert told(api_of(None).post("auth/two-factor/enrol", who)) == (403, "link_needed")


@in_one_world("demo", [True, False])
def test_the_demo_shows_the_way_to_its_mailbox(
    alice: Any, link: str, client: Client, settings: Any, demo: bool
) -> None:
    settings.DEMO = demo
    give_password(client, alice.email)
    assert ("/demo/mailbox/" in client.get(NEEDED).content.decode()) is demo


def test_who_needs_none_is_sent_none(alice: Any, bob: Any, sam: Any, browser_of: Any, client: Client) -> None:
    give_password(client, bob.email)
    assert client.post(NEEDED)["Location"] == ENROL
    assert browser_of(bob).get(NEEDED)["Location"] == "/"
    with pytest.raises(LinkInvalid):
        enrolment_link.send_again(user=bob)
    reset(sam, alice)
    User.objects.filter(pk=alice.pk).update(is_active=False)
    with pytest.raises(LinkInvalid):
        enrolment_link.send_again(user=alice)
    assert not AuditEntry.objects.filter(action="ENROLMENT_LINK_SENT").exists()


@in_one_world("role", list(Role))
def test_a_first_enrolment_needs_none(make_user: Any, client: Client, role: Role) -> None:
    # After registration, and of staff that the bank has made.
    dora = make_user("Dora", role, two_factor=False)
    give_password(client, dora.email)
    assert enrols(client, dora)


def test_staff_need_it_like_everybody(audrey: Any, ada: Any, client: Client) -> None:
    link = reset(ada, audrey)
    give_password(client, audrey.email)
    assert not enrols(client, audrey)
    client.post(link)
    assert enrols(client, audrey)


def test_a_second_reset_replaces_the_first_link(alice: Any, sam: Any, link: str, client: Client) -> None:
    client.post(link)
    give_password(client, alice.email)
    assert enrols(client, alice)
    again = reset(sam, alice)
    assert again != link
    assert EnrolmentLink.objects.count() == 1
    assert str(EnrolmentLink.objects.get()).startswith("alice@example.com until 20")


def test_the_token_is_nowhere_but_in_the_mail(alice: Any, link: str, client: Client) -> None:
    token = link.strip("/").rpartition("/")[2]
    client.post(link)
    assert token not in str(dict(client.session))
    assert token != EnrolmentLink.objects.get().token_digest
    assert token not in str(list(AuditEntry.objects.values()))
    mail = mails(alice.email)[-1]
    assert mail.subject == "Your two-factor sign-in was reset"
    assert token in mail.message
    assert token in mail.html_message
    assert "within 24 hours" in mail.message


@in_one_world("token", ["x", "x" * 2000, "é", "%00", "' OR 1=1 --"])
def test_nonsense_is_not_a_link(db: Any, client: Client, token: str) -> None:
    for answer in (client.get(f"{NEEDED}{token}/"), client.post(f"{NEEDED}{token}/")):
        assert answer.status_code == 404
