"""Two-factor reset for a person who has lost phone and recovery codes: the password, a link by mail, then two different
clerks; it ends all sessions and leads to enrolment (R4.2, R1.3)."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone

from accounts.models import RecoveryCode, TotpDevice, User
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.mail_links import LinkInvalid
from support.models import LostFactorLink, ServiceRequest
from support.requests import lost_factor
from support.requests import services as service
from tests.acts import give_code, give_password, is_signed_in, link_for, mails
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

PAGE, SENT = "/sign-in/lost-phone/", "/sign-in/lost-phone/sent/"


@pytest.fixture
def link(client: Client, alice: Any) -> str:
    """The link in Alice's mail, after her password alone."""
    give_password(client, alice.email)
    answer = client.post(PAGE)
    assert (answer.status_code, answer["Location"]) == (302, SENT)
    assert b"Check your e-mail" in client.get(SENT).content
    return link_for(alice.email)


@pytest.fixture
def filed(link: str, alice: Any) -> ServiceRequest:
    assert Client().post(link)["Location"] == "/sign-in/"
    return ServiceRequest.objects.get(customer=alice)


def approve(clerk: Any, request: Any) -> Any:
    return service.approve_request(actor=clerk, public_id=request.public_id, reason="Called her at home")


@proves("V6.4.4")
def test_the_whole_way_back_in(
    filed: ServiceRequest, alice: Any, sam: Any, ada: Any, browser_of: Any, code_of: Any, client: Client
) -> None:
    old_session = browser_of(alice)
    RecoveryCode.objects.create(user=alice, selector="ABCD", code_hash="x")
    approve(sam, filed)
    filed.refresh_from_db()
    assert (filed.state, filed.first_approved_by, filed.decided_by) == ("pending", sam, None)
    assert TotpDevice.objects.filter(user=alice).exists(), "one clerk is not enough"
    approve(ada, filed)
    filed.refresh_from_db()
    assert (filed.state, filed.decided_by) == ("completed", ada)
    assert not is_signed_in(old_session)
    assert not RecoveryCode.objects.filter(user=alice).exists()
    person = User.objects.get(pk=alice.pk)
    assert person.hardened_at is not None
    assert {"Your request is half way", "Your request is done"} <= {mail.subject for mail in mails(alice.email)}
    give_password(client, alice.email)
    assert client.get("/two-factor/enrol/")["Location"] == "/two-factor/link/", "not by the password alone"
    [reset] = [mail for mail in mails(alice.email) if mail.subject == "Your two-factor sign-in was reset"]
    found = re.search(r"http://testserver(/two-factor/link/\S+)", reset.message)
    assert found
    assert client.post(found.group(1))["Location"] == "/two-factor/enrol/"
    client.get("/two-factor/enrol/")
    client.post("/two-factor/enrol/", {"code": code_of(alice)})
    assert is_signed_in(client)


@proves("V2.3.5", "V6.4.4")
def test_one_clerk_cannot_agree_twice(filed: ServiceRequest, alice: Any, sam: Any) -> None:
    approve(sam, filed)
    with pytest.raises(service.SecondClerkNeeded, match="A second clerk"):
        approve(sam, filed)
    assert TotpDevice.objects.filter(user=alice).exists()


@proves("V2.3.5")
def test_the_word_of_a_clerk_who_was_locked_meanwhile_does_not_count(
    filed: ServiceRequest, alice: Any, sam: Any, sally: Any, ada: Any
) -> None:
    approve(sam, filed)
    User.objects.filter(pk=sam.pk).update(locked_at=timezone.now())
    approve(sally, filed)
    assert TotpDevice.objects.filter(user=alice).exists()
    approve(ada, filed)
    assert not TotpDevice.objects.filter(user=alice).exists()


def test_either_clerk_may_reject(filed: ServiceRequest, alice: Any, sam: Any) -> None:
    approve(sam, filed)
    service.reject_request(actor=sam, public_id=filed.public_id, reason="She did not ask for it")
    mail = mails(alice.email)[-1]
    assert "She did not ask for it" in mail.message, "she cannot open the page"
    assert TotpDevice.objects.filter(user=alice).exists()


def test_the_link_on_the_code_page_explains_before_anything_is_sent(client: Client, alice: Any) -> None:
    give_password(client, alice.email)
    assert f'href="{PAGE}"' in client.get("/sign-in/code/").content.decode()
    assert client.get(PAGE).status_code == 200
    assert mails() == []


def test_without_the_password_there_is_nothing(client: Client, alice: Any, browser_of: Any) -> None:
    for browser, home in ((client, "/sign-in/"), (browser_of(alice), "/")):
        for answer in (browser.get(PAGE), browser.post(PAGE), browser.get(SENT)):
            assert (answer.status_code, answer["Location"]) == (302, home)
    assert mails() == []


def test_who_has_no_second_factor_yet_has_none_to_lose(client: Client, make_user: Any) -> None:
    newcomer = make_user("Newcomer", two_factor=False)
    give_password(client, newcomer.email)
    assert client.post(PAGE)["Location"] == "/sign-in/"


def test_following_the_link_changes_nothing_and_does_not_name_its_owner(link: str, alice: Any) -> None:
    # Mail scanners follow links.
    page = Client().get(link)
    assert page.status_code == 200
    assert not any(word in page.content.decode() for word in (alice.email, alice.first_name, alice.last_name))
    assert not ServiceRequest.objects.exists()


def test_a_link_works_once(link: str, alice: Any) -> None:
    Client().post(link)
    for answer in (Client().get(link), Client().post(link), Client().get(PAGE + "confirm/unknown/")):
        assert answer.status_code == 404
        assert b"This link no longer works" in answer.content
    assert ServiceRequest.objects.count() == 1
    entry = AuditEntry.objects.get(action="REQUEST_CREATED")
    assert (entry.actor_id, entry.details) == (alice.pk, {"kind": "reset_two_factor"})


@in_one_world(
    "meanwhile",
    [
        lambda user: LostFactorLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1)),
        lambda user: User.objects.filter(pk=user.pk).update(locked_at=timezone.now()),
        lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
        lambda user: User.objects.filter(pk=user.pk).update(email="other@example.com"),
        lambda user: user.set_password("another one altogether") or user.save(),
    ],
)
def test_a_link_is_worthless_after(meanwhile: Any, link: str, alice: Any) -> None:
    meanwhile(alice)
    assert Client().post(link).status_code == 404
    assert not ServiceRequest.objects.exists()


def test_a_link_used_while_another_click_waits_files_nothing_more(
    link: str, alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in accounts/tests/test_mail_links.py: the first click has gone through meanwhile.
    token = link.strip("/").rpartition("/")[2]
    gone = LostFactorLink.objects.filter(user=alice)
    monkeypatch.setattr(LostFactorLink, "_wait_for_others", lambda link: gone.delete())
    with pytest.raises(LinkInvalid):
        lost_factor.confirm(token=token)
    assert not ServiceRequest.objects.exists()


def test_a_newer_link_replaces_the_older_whose_mail_is_then_not_even_written(client: Client, alice: Any) -> None:
    give_password(client, alice.email)
    client.post(PAGE)
    first = link_for(alice.email)
    client.post(PAGE)
    client.post(PAGE)
    assert len(mails(alice.email)) == 2
    assert Client().post(first).status_code == 404
    assert Client().post(link_for(alice.email)).status_code == 302


def test_only_a_few_links_an_hour_are_mailed(client: Client, alice: Any) -> None:
    give_password(client, alice.email)
    assert [client.post(PAGE).status_code for _ in range(4)] == [302, 302, 302, 429]


def test_a_second_link_files_no_second_request(filed: ServiceRequest, client: Client, alice: Any) -> None:
    client.post(PAGE)
    assert Client().post(link_for(alice.email)).status_code == 302
    assert ServiceRequest.objects.count() == 1


@proves("V14.2.4")
def test_the_token_is_nowhere_but_in_the_mail(link: str) -> None:
    token = link.strip("/").rpartition("/")[2]
    row = LostFactorLink.objects.get()
    assert token not in (row.token_digest, row.stands_for)
    assert str(row).startswith(f"{row.user_id} until 20")
    assert token not in str([entry.details for entry in AuditEntry.objects.all()])
    entry = AuditEntry.objects.get(action="TWO_FACTOR_LOST")
    assert (entry.actor_id, entry.actor_label) == (None, row.user.email)


def test_the_password_alone_still_opens_nothing(filed: ServiceRequest, client: Client, alice: Any) -> None:
    # R1.3
    assert not is_signed_in(client)
    give_password(client, alice.email, PASSWORD)
    assert not is_signed_in(client)


def test_who_finds_their_phone_cancels(filed: ServiceRequest, client: Client, alice: Any, code_of: Any) -> None:
    give_password(client, alice.email)
    give_code(client, code_of(alice))
    assert client.get(f"/help/requests/{filed.public_id}/").status_code == 200
    client.post(f"/help/requests/{filed.public_id}/cancel/")
    filed.refresh_from_db()
    assert filed.state == "cancelled"


def test_staff_lose_phones_too_and_administrators_decide(
    make_user: Any, sam: Any, sally: Any, ada: Any, client: Client
) -> None:
    give_password(client, sally.email)
    client.post(PAGE)
    Client().post(link_for(sally.email))
    request = ServiceRequest.objects.get(customer=sally)
    for decide in (service.approve_request, service.reject_request):
        with pytest.raises(PermissionDenied):
            decide(actor=sam, public_id=request.public_id, reason="She is my colleague")
    approve(ada, request)
    with pytest.raises(PermissionDenied):
        approve(sam, request)
    approve(make_user("Adam", Role.ADMIN), request)
    assert not TotpDevice.objects.filter(user=sally).exists()


def test_somebody_without_a_role_asks_for_nothing(alice: Any) -> None:
    # R1.7
    alice.groups.clear()
    with pytest.raises(PermissionDenied):
        lost_factor.request_link(user=User.objects.get(pk=alice.pk))


def test_an_unknown_token_is_invalid(db: Any) -> None:
    with pytest.raises(LinkInvalid):
        lost_factor.confirm(token="unknown")
