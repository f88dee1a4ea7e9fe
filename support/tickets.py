"""Conversations between customers and staff (R4.1). Each step is one transaction: the state, the message, the audit
entry, and a mail that says there is something to read, but not what."""

import uuid
from collections.abc import Mapping

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.idempotency import IdempotencyConflict, id_from_key, token_of
from foundation.limiter import limiter
from foundation.locking import lock
from foundation.refusals import NotYourself, Refusal
from foundation.text import has_something_to_read, is_longer_than, is_readable, paragraphs
from foundation.transactions import own_transaction
from support import selectors
from support.models import MAX_MESSAGE_CHARS, MAX_SUBJECT_CHARS, Ticket, TicketMessage
from support.states import TICKET_PERMISSIONS, IllegalStep, TicketVerb, next_ticket_status
from transfers.models import Transaction

# So that a page shows a whole conversation; a customer with more to say opens another ticket.
LONGEST_CONVERSATION = 200

_MAIL_OF: Mapping[TicketVerb, str] = {
    TicketVerb.REPLY: "ticket_replied",
    TicketVerb.ANSWER: "ticket_answered",
    TicketVerb.TAKE: "ticket_status",
    TicketVerb.RESOLVE: "ticket_status",
    TicketVerb.REOPEN: "ticket_status",
}


class TextMissing(Refusal):
    code = "text_missing"
    text = "Write something first."
    status = 422


class TextTooLong(Refusal):
    code = "text_too_long"
    text = f"This is too long: {MAX_MESSAGE_CHARS} characters at most."
    status = 422


class TextUnreadable(Refusal):
    code = "text_unreadable"
    text = "This text has characters that cannot be shown."
    status = 422


class UnknownPayment(Refusal):
    """Not there, or between others, without saying which."""

    code = "unknown_payment"
    text = "There is no movement with this reference on your accounts."
    status = 422


class ConversationFull(Refusal):
    code = "conversation_full"
    text = "This conversation is very long. Please write to us anew."


def open_ticket(*, actor: User, subject: str, text: str, idempotency_key: str, reference: str = "") -> Ticket:
    """Write to the bank, about a movement on the actor's own accounts or about anything. The same key again returns the
    ticket that it opened.

    Raises:
        PermissionDenied
        TextMissing, TextTooLong, TextUnreadable, UnknownPayment: nothing was opened.
        IdempotencyConflict: the key was for something else.
        TooOften: more than TICKETS_PER_HOUR.
    """
    require(actor, "support.open_ticket")
    kept_text = _checked(text)
    if not has_something_to_read(subject):
        raise TextMissing
    if is_longer_than(subject, MAX_SUBJECT_CHARS):
        raise TextTooLong("The subject is too long.")
    transaction = _movement(actor, reference)
    limit = limiter.Limit(settings.TICKETS_PER_HOUR, 3600)
    limiter.take(f"ticket:{actor.pk}", limit, token=token_of(idempotency_key))
    return _open(actor, subject, kept_text, transaction, id_from_key(actor.public_id, f"ticket:{idempotency_key}"))


@own_transaction
def _open(actor: User, subject: str, text: str, transaction: Transaction | None, public_id: uuid.UUID) -> Ticket:
    lock(User.objects).get(pk=actor.pk)  # a double click queues here
    earlier = Ticket.objects.filter(public_id=public_id).first()
    if earlier is not None:
        _require_same(earlier, subject, text, transaction)
        return earlier
    ticket = Ticket(
        public_id=public_id, customer=actor, subject=subject, transaction=transaction, last_updated_by=actor
    )
    ticket.save()
    TicketMessage(ticket=ticket, author=actor, text=text).save()
    record(Action.TICKET_CREATED, actor=actor, subject=ticket, details={"about_a_movement": transaction is not None})
    outbox.tell("ticket_opened", ticket_id=ticket.pk)
    return ticket


def _require_same(earlier: Ticket, subject: str, text: str, transaction: Transaction | None) -> None:
    """Refuse another text under the same key: otherwise it would be lost, and nobody told."""
    [first] = TicketMessage.objects.filter(ticket=earlier).order_by("pk")[:1]
    asked_about = None if transaction is None else transaction.pk
    if (earlier.subject, first.text, earlier.transaction_id) != (subject, text, asked_about):
        raise IdempotencyConflict


def reply_to_ticket(*, actor: User, public_id: uuid.UUID, text: str) -> None:
    """Reply in the actor's own conversation; a resolved one is open again.

    Raises:
        PermissionDenied
        Ticket.DoesNotExist: also when it belongs to another customer.
        TextMissing, TextTooLong, TextUnreadable, ConversationFull
        TooOften: more than TICKET_REPLIES_PER_HOUR.
    """
    require(actor, TICKET_PERMISSIONS[TicketVerb.REPLY])
    kept_text = _checked(text)
    ticket = Ticket.objects.get(public_id=public_id, customer=actor)
    if TicketMessage.objects.filter(ticket=ticket, is_internal=False).count() >= LONGEST_CONVERSATION:
        raise ConversationFull
    limiter.take(f"ticket-reply:{actor.pk}", limiter.Limit(settings.TICKET_REPLIES_PER_HOUR, 3600))
    _step(actor, public_id, TicketVerb.REPLY, kept_text)


def answer_ticket(*, actor: User, public_id: uuid.UUID, text: str) -> None:
    """Answer the customer; a mail tells them that there is an answer.

    Raises:
        PermissionDenied, Ticket.DoesNotExist
        NotYourself, TextMissing, TextTooLong, TextUnreadable
        IllegalStep: it is resolved.
    """
    _write_as_staff(actor, public_id, TicketVerb.ANSWER, text)


def note_on_ticket(*, actor: User, public_id: uuid.UUID, text: str) -> None:
    """Leave a note for colleagues. The customer sees neither the note nor that there is one.

    Raises:
        PermissionDenied, Ticket.DoesNotExist
        NotYourself, TextMissing, TextTooLong, TextUnreadable
    """
    _write_as_staff(actor, public_id, TicketVerb.NOTE, text)


def take_ticket(*, actor: User, public_id: uuid.UUID) -> None:
    """Assign an open ticket to the actor; if two do so, the second is told.

    Raises:
        PermissionDenied, Ticket.DoesNotExist, NotYourself, IllegalStep
    """
    require(actor, TICKET_PERMISSIONS[TicketVerb.TAKE])
    _step(actor, public_id, TicketVerb.TAKE)


def resolve_ticket(*, actor: User, public_id: uuid.UUID) -> None:
    """Resolve the ticket; a reply of the customer opens it again.

    Raises:
        PermissionDenied, Ticket.DoesNotExist, NotYourself, IllegalStep
    """
    require(actor, TICKET_PERMISSIONS[TicketVerb.RESOLVE])
    _step(actor, public_id, TicketVerb.RESOLVE)


def reopen_ticket(*, actor: User, public_id: uuid.UUID) -> None:
    """Open a ticket again that was resolved too early.

    Raises:
        PermissionDenied, Ticket.DoesNotExist, NotYourself, IllegalStep
    """
    require(actor, TICKET_PERMISSIONS[TicketVerb.REOPEN])
    _step(actor, public_id, TicketVerb.REOPEN)


def _write_as_staff(actor: User, public_id: uuid.UUID, verb: TicketVerb, text: str) -> None:
    require(actor, TICKET_PERMISSIONS[verb])
    _step(actor, public_id, verb, _checked(text))


@own_transaction
def _step(actor: User, public_id: uuid.UUID, verb: TicketVerb, text: str = "") -> None:
    ticket = lock(Ticket.objects).get(public_id=public_id)
    if verb != TicketVerb.REPLY and ticket.customer_id == actor.pk:
        raise NotYourself
    before, now = ticket.status, timezone.now()
    after = next_ticket_status(before, verb)
    shown = {} if verb == TicketVerb.NOTE else {"shown_at": now}
    # Conditional, so that one of two wins even where an engine ignores a lock hint.
    changed = Ticket.objects.filter(pk=ticket.pk, status=before).update(
        status=after, updated_at=now, last_updated_by=actor, **shown
    )
    if not changed:
        raise IllegalStep
    if text:
        is_internal = verb == TicketVerb.NOTE
        TicketMessage(ticket=ticket, author=actor, text=text, is_internal=is_internal, created_at=now).save()
    details = {"verb": verb.value, "from": before, "to": after.value}
    record(Action.TICKET_UPDATED, actor=actor, subject=ticket, concerns=ticket.customer, details=details)
    if verb in _MAIL_OF:
        outbox.tell(_MAIL_OF[verb], ticket_id=ticket.pk, status=after.value)


def _checked(text: str) -> str:
    kept_text = paragraphs(text)
    if not has_something_to_read(kept_text):
        raise TextMissing
    if not is_readable(kept_text):
        raise TextUnreadable
    if is_longer_than(kept_text, MAX_MESSAGE_CHARS):
        raise TextTooLong
    return kept_text


def _movement(actor: User, reference: str) -> Transaction | None:
    if not reference:
        return None
    try:
        return selectors.movement_of(actor, reference)
    except Transaction.DoesNotExist as error:
        raise UnknownPayment from error
