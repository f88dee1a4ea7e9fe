"""Tickets through the API: one's own conversations, without what staff write to each other (R4.1, R7.2)."""

from typing import Any
from uuid import uuid4

import pytest

from audit.models import AuditEntry
from support import tickets as service
from support.models import MAX_MESSAGE_CHARS, Ticket, TicketMessage
from tests.acts import mails
from tests.api_client import told
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.models import Transaction

pytestmark = pytest.mark.django_db

QUESTION = {"subject": "My card", "text": "Where is it?"}
STAFF = ("sam", "audrey", "ada")


@pytest.fixture
def write(new_key: Any) -> Any:
    def post(api: Any, key: str = "", **changes: Any) -> Any:
        return api.post("tickets", QUESTION | changes, Idempotency_Key=key or new_key())

    return post


def fields(answer: Any) -> set[str]:
    assert told(answer) == (422, "invalid")
    return {error["field"] for error in answer.json()["errors"]}


def test_a_conversation_from_question_to_answer(alice: Any, sam: Any, api_of: Any, write: Any) -> None:
    # R4.1
    api = api_of(alice)
    opened = write(api)
    assert opened.status_code == 201
    ticket = Ticket.objects.get()
    assert opened.json()["id"] == str(ticket.public_id)
    assert (opened.json()["subject"], opened.json()["status"]) == ("My card", "open")
    service.answer_ticket(actor=sam, public_id=ticket.public_id, text="In the post.")
    service.note_on_ticket(actor=sam, public_id=ticket.public_id, text="He sounded odd on the phone")
    assert api.post(f"tickets/{ticket.public_id}/replies", {"text": " It  is not.\r\n"}).status_code == 204
    answer = api.get(f"tickets/{ticket.public_id}")
    assert [(said["by_customer"], said["text"]) for said in answer.json()["messages"]] == [
        (True, "Where is it?"),
        (False, "In the post."),
        (True, "It  is not."),
    ]
    assert answer.json()["ticket"]["status"] == "in_progress"
    assert "odd" not in answer.content.decode()
    assert "sam" not in answer.content.decode().lower()
    assert AuditEntry.objects.filter(action__in=["TICKET_CREATED", "TICKET_UPDATED"]).count() == 4
    assert len(mails(alice.email)) == 3


@proves("V8.2.3")
def test_a_note_among_staff_moves_no_time_that_the_customer_sees(
    alice: Any, sam: Any, api_of: Any, ticket_of: Any
) -> None:
    # R4.1
    ticket, api = ticket_of(alice), api_of(alice)
    before = api.get("tickets").json()
    service.note_on_ticket(actor=sam, public_id=ticket.public_id, text="A note")
    assert api.get("tickets").json() == before


def test_a_ticket_can_be_about_a_movement_of_ones_own(
    alice: Any, charlie: Any, api_of: Any, write: Any, open_account: Any
) -> None:
    # R4.1
    open_account(alice, "100.00")
    reference = Transaction.objects.latest("created_at").reference
    opened = write(api_of(alice), reference=reference.lower())
    assert api_of(alice).get(f"tickets/{opened.json()['id']}").json()["reference"] == reference
    for api, unknown in ((api_of(charlie), reference), (api_of(alice), "NO-SUCH-ONE")):
        assert told(write(api, reference=unknown)) == (422, "unknown_payment")


# --- Once ------------------------------------------------------------------------------------------------------


def test_the_same_key_opens_one_ticket(alice: Any, bob: Any, api_of: Any, write: Any) -> None:
    # R3.5: each customer has keys of their own.
    first, again = (write(api_of(alice), "the-key-of-one") for _ in range(2))
    assert first.json() == again.json()
    assert write(api_of(bob), "the-key-of-one").json()["id"] != first.json()["id"]
    assert TicketMessage.objects.count() == 2


@in_one_world("change", [{"subject": "Another"}, {"text": "Another"}, {"reference": "mine"}])
def test_the_same_key_for_something_else_is_refused(
    change: Any, alice: Any, api_of: Any, write: Any, open_account: Any
) -> None:
    # R3.5: the text would be lost.
    open_account(alice, "100.00")
    if "reference" in change:
        change = {"reference": Transaction.objects.latest("created_at").reference}
    api = api_of(alice)
    write(api, "the-key-of-one")
    assert told(write(api, "the-key-of-one", **change)) == (422, "idempotency_conflict")
    assert Ticket.objects.count() == 1


def test_the_page_says_so_too(alice: Any, browser_of: Any) -> None:
    browser, key = browser_of(alice), str(uuid4())
    assert browser.post("/help/messages/new/", QUESTION | {"key": key}).status_code == 302
    assert browser.post("/help/messages/new/", QUESTION | {"key": key}).status_code == 302
    changed = browser.post("/help/messages/new/", QUESTION | {"key": key, "text": "Something else"})
    assert changed.context["form"].non_field_errors() == [
        "This form was already used for something else. Please start again."
    ]


def test_a_ticket_takes_a_key(alice: Any, api_of: Any) -> None:
    assert told(api_of(alice).post("tickets", QUESTION)) == (400, "idempotency_key_missing")


# --- Lists -----------------------------------------------------------------------------------------------------


def test_a_list_has_pages_and_an_end(
    alice: Any, bob: Any, api_of: Any, ticket_of: Any, settings: Any, django_assert_max_num_queries: Any
) -> None:
    # R7.2
    settings.TICKETS_PER_HOUR = 1000
    mine = [str(ticket_of(alice, subject=f"Question {number}").public_id) for number in range(45)]
    theirs = ticket_of(bob)
    api, seen, cursor = api_of(alice), [], None
    for size in (20, 20, 5):
        with django_assert_max_num_queries(4):
            page = api.get("tickets", {"cursor": cursor} if cursor else {}).json()
        assert len(page["items"]) == size
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert cursor is None
    assert seen == mine[::-1]
    for unknown in (theirs.public_id, uuid4()):
        assert told(api.get("tickets", {"cursor": str(unknown)})) == (422, "invalid_cursor")
    assert fields(api.get("tickets", {"cursor": "1"})) == {"cursor"}
    assert fields(api.get("tickets", {"page": "2"})) == {"page"}


def test_the_page_begins_again_where_nothing_is_known(alice: Any, ticket_of: Any, browser_of: Any) -> None:
    ticket_of(alice)
    assert len(browser_of(alice).get(f"/help/messages/?older_than={uuid4()}").context["tickets"]) == 1


# --- Who may not, and what cannot be -----------------------------------------------------------------------------


@proves("V8.2.2")
def test_a_strangers_ticket_is_not_there(alice: Any, charlie: Any, api_of: Any, ticket_of: Any) -> None:
    # R1.7
    ticket, api = ticket_of(alice), api_of(charlie)
    for public_id in (ticket.public_id, uuid4()):
        assert told(api.get(f"tickets/{public_id}")) == (404, "not_found")
        assert told(api.post(f"tickets/{public_id}/replies", {"text": "Me too"})) == (404, "not_found")
    assert api.get("tickets").json() == {"items": [], "next_cursor": None}
    assert told(api.get("tickets/1")) == (404, "not_found")
    assert TicketMessage.objects.count() == 1


@in_one_world("who", STAFF)
def test_staff_are_not_customers(who: str, request: Any, alice: Any, api_of: Any, ticket_of: Any, write: Any) -> None:
    # R1.7
    ticket, api = ticket_of(alice), api_of(request.getfixturevalue(who))
    path = f"tickets/{ticket.public_id}"
    for answer in (api.get("tickets"), api.get(path), api.post(f"{path}/replies", {"text": "Hello"}), write(api)):
        assert told(answer) == (403, "forbidden")


def test_without_a_token_nothing_is_told(alice: Any, api_of: Any, ticket_of: Any, write: Any) -> None:
    api, path = api_of(None), f"tickets/{ticket_of(alice).public_id}"
    for answer in (api.get("tickets"), api.get(path), api.post(f"{path}/replies", {"text": "Hello"}), write(api)):
        assert told(answer) == (401, "token_invalid")


@in_one_world(
    ("changes", "field"),
    [
        ({"subject": " "}, "subject"),
        ({"subject": "x" * 121}, "subject"),
        ({"subject": "\u202egnorw"}, "subject"),
        ({"text": ""}, "text"),
        ({"text": "x" * (MAX_MESSAGE_CHARS + 1)}, "text"),
        ({"text": "a\u0007b"}, "text"),
        ({"text": ["a"]}, "text"),
        ({"reference": "x" * 15}, "reference"),
        ({"reference": 5}, "reference"),
        ({"status": "resolved"}, "status"),
    ],
)
def test_anything_except_a_message_is_refused_at_its_field(
    changes: Any, field: str, alice: Any, api_of: Any, write: Any
) -> None:
    assert fields(write(api_of(alice), **changes)) == {field}
    assert not Ticket.objects.exists()


def test_a_text_without_a_visible_mark_is_refused(alice: Any, api_of: Any, ticket_of: Any, write: Any) -> None:
    api = api_of(alice)
    assert told(write(api, text="\u200b")) in {(422, "text_missing"), (422, "invalid")}
    assert fields(api.post(f"tickets/{ticket_of(alice).public_id}/replies", {"text": "\n"})) == {"text"}


def test_pages_and_api_count_together(alice: Any, api_of: Any, ticket_of: Any, write: Any, settings: Any) -> None:
    # R7.4
    settings.TICKETS_PER_HOUR = 1
    settings.TICKET_REPLIES_PER_HOUR = 1
    ticket, api = ticket_of(alice), api_of(alice)
    answer = write(api)
    assert told(answer) == (429, "too_often")
    assert 0 < int(answer["Retry-After"]) <= 3600
    service.reply_to_ticket(actor=alice, public_id=ticket.public_id, text="One")
    assert told(api.post(f"tickets/{ticket.public_id}/replies", {"text": "Two"})) == (429, "too_often")


def test_a_very_long_conversation_is_full(alice: Any, api_of: Any, ticket_of: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(service, "LONGEST_CONVERSATION", 1)
    ticket = ticket_of(alice)
    answer = api_of(alice).post(f"tickets/{ticket.public_id}/replies", {"text": "And another thing"})
    assert told(answer) == (409, "conversation_full")
