"""Tickets and requests in the staff area: what is shown to whom (R4.1, R4.2, R5.4)."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import AccountFreeze, AccountStatus, BankAccount
from support import tickets
from support.admin.requests import what_approval_does
from support.models import RequestKind, ServiceRequest
from support.requests import services as requests
from support.requests.kinds import KINDS, kind_of
from support.states import RequestState
from tests.tables import in_one_world
from transfers.models import Transaction

pytestmark = pytest.mark.django_db


def page_of(row: Any, browser: Any) -> str:
    return browser.get(reverse(f"admin:support_{row._meta.model_name}_change", args=[row.pk])).content.decode()


def test_a_ticket_is_shown_as_a_conversation(alice: Any, sam: Any, sally: Any, ticket_of: Any, browser_of: Any) -> None:
    ticket = ticket_of(alice, text="Where is <script>alert(1)</script>?\nReally?")
    tickets.note_on_ticket(actor=sally, public_id=ticket.public_id, text="Ask the post office")
    tickets.answer_ticket(actor=sam, public_id=ticket.public_id, text="It is in the post.")
    page = page_of(ticket, browser_of(sam))
    parts = [
        "Alice Archer",
        "Customer",
        "Sally Example",
        "Internal note",
        "Ask the post",
        "Sam Example",
        "It is in the",
    ]
    places = [page.index(part, page.index('id="conversation"')) for part in parts]
    assert places == sorted(places)
    assert page.count("said-internally") == 1
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page


def test_the_movement_is_a_link_for_roles_that_see_the_ledger(
    alice: Any, sam: Any, audrey: Any, open_account: Any, ticket_of: Any, browser_of: Any
) -> None:
    # R5.4
    open_account(alice, "5.00")
    transaction = Transaction.objects.get()
    ticket = ticket_of(alice, reference=transaction.reference)
    link = reverse("admin:transfers_transaction_change", args=[transaction.pk])
    for user, is_linked in ((sam, False), (audrey, True)):
        page = page_of(ticket, browser_of(user))
        assert transaction.reference in page
        assert (link in page) == is_linked


def test_tickets_are_listed_by_status(alice: Any, sam: Any, ticket_of: Any, browser_of: Any) -> None:
    for status in ("open", "in_progress", "resolved"):
        ticket_of(alice, subject=f"It is {status}", status=status)
    browser, url = browser_of(sam), reverse("admin:support_ticket_changelist")
    shown = {
        chosen: [row.status for row in browser.get(url, {"status": chosen} if chosen else {}).context["cl"].result_list]
        for chosen in ("", "waiting", "open", "resolved", "forged")
    }
    assert shown == {
        "": ["resolved", "in_progress", "open"],
        "waiting": ["in_progress", "open"],
        "open": ["open"],
        "resolved": ["resolved"],
        "forged": [],
    }


IDENTITY = {"first_name": "Alicia", "last_name": "Archer", "address": "Hafenstraße 9\nHamburg"}


def test_a_clerk_sees_only_what_is_to_be_another_and_beside_it_what_is_now(alice: Any, request_of: Any) -> None:
    # R4.2: a request to change the name alone brings up no address.
    named = request_of(alice, "update_identity", payload=IDENTITY | {"address": alice.address}, reason="Married")
    shown = [("Name now", "Alice Archer"), ("New name", "Alicia Archer")]
    assert kind_of(named).wishes_for_clerks(alice, named.opened) == shown


def test_what_the_customer_gave_is_for_who_decides(
    alice: Any, sam: Any, audrey: Any, request_of: Any, browser_of: Any
) -> None:
    # R5.4: an auditor sees that there was a request and its outcome, not a home address.
    row = request_of(alice, "update_identity", payload=IDENTITY, reason="We moved")
    clerk, auditor = page_of(row, browser_of(sam)), page_of(row, browser_of(audrey))
    for text in ("Alicia Archer", "Alice Archer", "Lindenallee 4<br>Berlin", "Hafenstraße 9<br>Hamburg", "We moved"):
        assert text in clerk
        assert text not in auditor
    assert "shown to those who decide" in auditor
    assert what_approval_does(row) in clerk


def test_a_wish_stands_beside_what_is_now(alice: Any, request_of: Any) -> None:
    row = request_of(alice, "raise_daily_limit", payload={"amount": "30000"}, reason="A car")
    shown = [("Daily limit now", "€25,000.00"), ("New daily limit", "€30,000.00")]
    assert kind_of(row).wishes_for_clerks(alice, row.opened) == shown
    moved = request_of(alice, "update_identity", payload=IDENTITY, reason="We moved")
    shown = [
        ("Name now", "Alice Archer"),
        ("New name", "Alicia Archer"),
        ("Address now", "Lindenallee 4\nBerlin"),
        ("New address", "Hafenstraße 9\nHamburg"),
    ]
    assert kind_of(moved).wishes_for_clerks(alice, moved.opened) == shown
    frozen = request_of(alice, "freeze_account")
    assert kind_of(frozen).wishes_for_clerks(alice, frozen.opened) == []


@in_one_world("kind", RequestKind)
def test_every_kind_says_what_approval_does(kind: RequestKind) -> None:
    assert set(KINDS) == set(RequestKind)
    text = what_approval_does(ServiceRequest(kind=kind, payload='{"amount": "30000"}'))
    assert text.startswith("Approval ")
    assert ("Two clerks" in text) == KINDS[kind].needs_two_clerks


def test_a_first_clerk_who_was_locked_meanwhile_is_not_counted_on_the_page_either(alice: Any, sam: Any) -> None:
    # R4.2: the page says what the service will do.
    row = ServiceRequest(customer=alice, kind=RequestKind.RESET_TWO_FACTOR, first_approved_by=sam)
    assert "One clerk has agreed" in what_approval_does(row)
    sam.locked_at = timezone.now()
    assert "you are the first" in what_approval_does(row)


def test_what_cannot_be_done_any_more_stays_undone(alice: Any, sam: Any, request_of: Any, browser_of: Any) -> None:
    """The service that makes the change refuses: the clerk reads why, and the request goes on waiting."""
    row = request_of(alice, "freeze_account")
    BankAccount.objects.filter(pk=row.account_id).update(status=AccountStatus.CLOSED)
    url = reverse("admin:support_servicerequest_act", args=[row.pk, "approve"])
    answer = browser_of(sam).post(url, {"reason": "Called back"})
    assert answer.status_code == 200
    assert answer.context["form"].non_field_errors()
    row.refresh_from_db()
    assert (row.state, row.decided_by_id) == (RequestState.PENDING, None)


def test_a_faster_colleague_is_named_as_the_reason(
    alice: Any, sam: Any, sally: Any, request_of: Any, browser_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another clerk decides between the look at the row and the service: the service says so."""
    row = request_of(alice, "freeze_account")
    original = requests.approve_request

    def too_late(**given: Any) -> Any:
        requests.reject_request(actor=sally, public_id=row.public_id, reason="Not the customer")
        return original(**given)

    monkeypatch.setattr("support.requests.services.approve_request", too_late)
    url = reverse("admin:support_servicerequest_act", args=[row.pk, "approve"])
    page = browser_of(sam).post(url, {"reason": "Called back"}).content.decode()
    assert "Somebody else has decided this request already" in page
    assert not AccountFreeze.objects.filter(account=row.account_id, kind="support").exists()


def test_nothing_that_nobody_can_see_is_a_message(alice: Any, ticket_of: Any) -> None:
    for text in ("\u200b", " \u2060\n", "\u00ad"):
        with pytest.raises(tickets.TextMissing):
            ticket_of(alice, text=text)
    assert ticket_of(alice, text="👍")


def test_staff_of_another_role_have_their_requests_decided_by_administrators(
    sam: Any, audrey: Any, ada: Any, browser_of: Any
) -> None:
    # R5.2: a clerk must not open a colleague's way in.
    row = requests.save_new(audrey, RequestKind.RESET_TWO_FACTOR)
    url = reverse("admin:support_servicerequest_act", args=[row.pk, "approve"])
    assert browser_of(sam).post(url, {"reason": "She says so"}).status_code == 403
    assert browser_of(ada).post(url, {"reason": "Met her"}).status_code == 302
