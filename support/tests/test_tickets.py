"""Conversations between customers and staff: internal notes stay internal, mails repeat nothing (R4.1)."""

import re
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from accounts.models import User
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.limiter.limiter import TooOften
from foundation.refusals import NotYourself
from support import selectors, tickets
from support.models import MAX_MESSAGE_CHARS, Ticket, TicketMessage
from support.states import IllegalStep
from support.tickets import ConversationFull, TextMissing, TextTooLong, TextUnreadable, UnknownPayment
from tests.acts import mails
from tests.tables import in_one_world
from transfers.models import Transaction

SECRET_NOTE = "He sounded odd on the phone"


def test_a_conversation_from_question_to_answer(alice: Any, sam: Any, ticket_of: Any) -> None:
    ticket = ticket_of(alice, text="Where is my card?", subject="Card")
    tickets.take_ticket(actor=sam, public_id=ticket.public_id)
    tickets.answer_ticket(actor=sam, public_id=ticket.public_id, text="In the post.")
    tickets.resolve_ticket(actor=sam, public_id=ticket.public_id)
    tickets.reply_to_ticket(actor=alice, public_id=ticket.public_id, text="It is not.")
    seen = selectors.conversation_of(alice, ticket.public_id)
    assert [(said.by_customer, said.text) for said in seen.messages] == [
        (True, "Where is my card?"),
        (False, "In the post."),
        (True, "It is not."),
    ]
    assert (seen.ticket.status_label, seen.ticket.last_updated_by) == ("Open", alice)
    assert [mail.subject for mail in mails(alice.email)] == [
        "We have your message",
        "Your message is in progress",
        "We have answered you",
        "Your message is resolved",
        "We have your reply",
    ]
    entries = AuditEntry.objects.filter(subject_id=str(ticket.public_id)).order_by("id")
    assert [(entry.action, entry.details.get("verb")) for entry in entries] == [
        ("TICKET_CREATED", None),
        *(("TICKET_UPDATED", verb) for verb in ("take", "answer", "resolve", "reply")),
    ]
    assert {entry.concerns_id for entry in entries if entry.actor_id == sam.pk} == {alice.pk}


def test_no_mail_and_no_audit_entry_repeats_what_was_written(alice: Any, sam: Any, ticket_of: Any) -> None:
    ticket = ticket_of(alice, subject="Subject-of-Alice", text="Words-of-Alice")
    tickets.answer_ticket(actor=sam, public_id=ticket.public_id, text="Words-of-Sam")
    tickets.note_on_ticket(actor=sam, public_id=ticket.public_id, text=SECRET_NOTE)
    sent = mails()
    text = "".join(mail.subject + mail.message + mail.html_message for mail in sent)
    text += "".join(str(entry.details) for entry in AuditEntry.objects.all())
    assert not [words for words in ("Subject-of-Alice", "Words-of", SECRET_NOTE) if words in text]
    assert {address for mail in sent for address in mail.to} == {alice.email}
    assert f"http://testserver/help/messages/{ticket.public_id}/" in text


def test_a_customer_sees_no_internal_note_nor_that_there_is_one(
    alice: Any, sam: Any, ticket_of: Any, browser_of: Any
) -> None:
    ticket = ticket_of(alice)
    pages = [f"/help/messages/{ticket.public_id}/", "/help/messages/", "/help/"]
    browser = browser_of(alice)

    def shown() -> list[str]:
        texts = [browser.get(page).content.decode().partition("<main")[2].partition("</main>")[0] for page in pages]
        return [re.sub(r'csrfmiddlewaretoken" value="\w+"', "", text) for text in texts]

    before, mailed = shown(), len(mails(alice.email))
    tickets.note_on_ticket(actor=sam, public_id=ticket.public_id, text=SECRET_NOTE)
    assert shown() == before
    assert len(mails(alice.email)) == mailed
    assert Ticket.objects.get(pk=ticket.pk).shown_at == ticket.shown_at
    row, messages = selectors.ticket_for_staff(sam, ticket.public_id)
    assert [(message.is_internal, message.text) for message in messages][-1] == (True, SECRET_NOTE)
    assert row.last_updated_by == sam


def test_a_resolved_ticket_is_not_answered_but_reopened_first(alice: Any, sam: Any, ticket_of: Any) -> None:
    ticket = ticket_of(alice, status="resolved")
    with pytest.raises(IllegalStep, match="the ticket is resolved now"):
        tickets.answer_ticket(actor=sam, public_id=ticket.public_id, text="One more thing")
    assert TicketMessage.objects.filter(ticket=ticket).count() == 1
    tickets.reopen_ticket(actor=sam, public_id=ticket.public_id)
    tickets.answer_ticket(actor=sam, public_id=ticket.public_id, text="One more thing")
    assert "Your message is open" in [mail.subject for mail in mails(alice.email)]


def test_the_same_form_sent_twice_opens_one_ticket(alice: Any, bob: Any, ticket_of: Any, settings: Any) -> None:
    settings.TICKETS_PER_HOUR = 1
    first = ticket_of(alice, idempotency_key="key-1")
    assert ticket_of(alice, idempotency_key="key-1") == first
    assert TicketMessage.objects.count() == 1
    assert ticket_of(bob, idempotency_key="key-1") != first, "a key is its user's own"


def test_a_ticket_about_a_movement_of_ones_own(alice: Any, bob: Any, open_account: Any, ticket_of: Any) -> None:
    open_account(alice, "10.00")
    reference = Transaction.objects.get().reference
    ticket = ticket_of(alice, reference=reference)
    assert selectors.conversation_of(alice, ticket.public_id).reference == reference
    for person, text in ((bob, reference), (alice, "AAAA-AAAA-AAAA")):
        with pytest.raises(UnknownPayment):
            ticket_of(person, reference=text)
    assert Ticket.objects.count() == 1


@in_one_world("text", ["", "  \n "])
def test_nothing_is_sent_without_a_text(text: str, alice: Any, sam: Any, ticket_of: Any) -> None:
    ticket = ticket_of(alice)
    with pytest.raises(TextMissing):
        ticket_of(alice, text=text)
    with pytest.raises(TextMissing):
        ticket_of(alice, subject=text)
    for write in (tickets.answer_ticket, tickets.note_on_ticket):
        with pytest.raises(TextMissing):
            write(actor=sam, public_id=ticket.public_id, text=text)
    with pytest.raises(TextMissing):
        tickets.reply_to_ticket(actor=alice, public_id=ticket.public_id, text=text)
    assert TicketMessage.objects.count() == 1


def test_a_text_has_an_end(alice: Any, ticket_of: Any) -> None:
    ticket_of(alice, text="ö" * MAX_MESSAGE_CHARS)
    with pytest.raises(TextTooLong):
        ticket_of(alice, text="ö" * (MAX_MESSAGE_CHARS + 1))
    with pytest.raises(TextTooLong, match="subject"):
        ticket_of(alice, subject="😀" * 61)  # two each for SQL Server


def test_a_text_is_kept_as_it_can_be_shown(alice: Any, ticket_of: Any) -> None:
    ticket = ticket_of(alice, text="  e\u0301\r\n\r\n\tindented  \n")
    assert ticket.messages.get().text == "é\n\n indented"
    with pytest.raises(TextUnreadable):
        ticket_of(alice, text="a\x07b")


def test_a_customer_cannot_flood_the_bank(
    alice: Any, bob: Any, ticket_of: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TICKETS_PER_HOUR = settings.TICKET_REPLIES_PER_HOUR = 2
    ticket, _ = ticket_of(alice), ticket_of(alice)
    with pytest.raises(TooOften):
        ticket_of(alice)
    ticket_of(bob)
    for _ in range(2):
        tickets.reply_to_ticket(actor=alice, public_id=ticket.public_id, text="And?")
    with pytest.raises(TooOften):
        tickets.reply_to_ticket(actor=alice, public_id=ticket.public_id, text="And?")
    monkeypatch.setattr(tickets, "LONGEST_CONVERSATION", 3)
    with pytest.raises(ConversationFull):
        tickets.reply_to_ticket(actor=alice, public_id=ticket.public_id, text="And?")


def test_a_clerk_who_was_a_customer_does_not_handle_their_own_ticket(alice: Any, ticket_of: Any) -> None:
    # R5.2
    from django.contrib.auth.models import Group

    ticket = ticket_of(alice)
    alice.groups.set([Group.objects.get(name=Role.SUPPORT.value)])
    clerk = User.objects.get(pk=alice.pk)
    with pytest.raises(NotYourself):
        tickets.answer_ticket(actor=clerk, public_id=ticket.public_id, text="All fine.")


def test_customers_have_no_view_of_the_staffs(alice: Any, ticket_of: Any) -> None:
    # R1.7
    ticket = ticket_of(alice)
    with pytest.raises(PermissionDenied):
        selectors.ticket_for_staff(alice, ticket.public_id)


def test_staff_write_no_tickets(sam: Any, ticket_of: Any) -> None:
    # R1.7
    with pytest.raises(PermissionDenied):
        ticket_of(sam)


def test_the_present_state_is_looked_at_where_a_lock_hint_is_ignored(
    alice: Any, sam: Any, ticket_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = ticket_of(alice)
    step = tickets.next_ticket_status

    def meanwhile(*args: Any) -> Any:
        Ticket.objects.filter(pk=ticket.pk).update(status="resolved")
        return step(*args)

    monkeypatch.setattr(tickets, "next_ticket_status", meanwhile)
    with pytest.raises(IllegalStep):
        tickets.take_ticket(actor=sam, public_id=ticket.public_id)
    assert str(ticket) == "A question"
    assert str(ticket.messages.get()).startswith(f"{ticket.pk} by {alice.pk} 20")
