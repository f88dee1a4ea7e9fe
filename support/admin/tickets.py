"""Tickets in the staff area: the conversation, and the buttons that the table of states offers (R4.1)."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.roles import may
from accounts.staff.acts import ActForm, ActingAdmin, CodeAsked, StaffAct, actor_of, offer
from support import selectors, tickets
from support.forms import message_field
from support.models import Ticket
from support.states import TICKET_PERMISSIONS, TICKET_STEPS, TicketStatus, TicketVerb


class AnswerForm(ActForm):
    text = message_field("Your answer", help_text="The customer reads it, and is told by mail that it is there.")


class NoteForm(ActForm):
    text = message_field("Note", help_text="For colleagues only. Never write a password, PIN or code here.")


def _answer(request: HttpRequest, ticket: Ticket, *, text: str) -> None:
    tickets.answer_ticket(actor=actor_of(request), public_id=ticket.public_id, text=text)


def _note(request: HttpRequest, ticket: Ticket, *, text: str) -> None:
    tickets.note_on_ticket(actor=actor_of(request), public_id=ticket.public_id, text=text)


def _take(request: HttpRequest, ticket: Ticket) -> None:
    tickets.take_ticket(actor=actor_of(request), public_id=ticket.public_id)


def _resolve(request: HttpRequest, ticket: Ticket) -> None:
    tickets.resolve_ticket(actor=actor_of(request), public_id=ticket.public_id)


def _reopen(request: HttpRequest, ticket: Ticket) -> None:
    tickets.reopen_ticket(actor=actor_of(request), public_id=ticket.public_id)


def _on_ticket(verb: TicketVerb, **act: Any) -> StaffAct:
    return StaffAct(
        name=verb.value,
        permission=TICKET_PERMISSIONS[verb],
        code=CodeAsked.NONE,
        is_offered=lambda ticket: (TicketStatus(ticket.status), verb) in TICKET_STEPS,
        **act,
    )


TICKET_ACTS = (
    _on_ticket(
        TicketVerb.ANSWER,
        label="Answer",
        explanation="The customer reads your answer under the bank’s name, not yours. The ticket is in progress then.",
        done="Your answer is there. The customer is told by mail.",
        carry_out=_answer,
        form=AnswerForm,
    ),
    _on_ticket(
        TicketVerb.NOTE,
        label="Internal note",
        explanation="Colleagues read it here. The customer neither sees it nor learns that there is one.",
        done="Your note is there, for colleagues only.",
        carry_out=_note,
        form=NoteForm,
    ),
    _on_ticket(
        TicketVerb.TAKE,
        label="Take",
        explanation="You look after this ticket. It is in progress then, and the customer is told so by mail.",
        done="The ticket is in progress, and yours.",
        carry_out=_take,
        form=ActForm,
    ),
    _on_ticket(
        TicketVerb.RESOLVE,
        label="Resolve",
        explanation="The matter is settled. The customer is told by mail; if they reply, the ticket is open again.",
        done="The ticket is resolved.",
        carry_out=_resolve,
        form=ActForm,
    ),
    _on_ticket(
        TicketVerb.REOPEN,
        label="Reopen",
        explanation="It was resolved too early: the ticket waits for an answer again. The customer is told by mail.",
        done="The ticket is open again.",
        carry_out=_reopen,
        form=ActForm,
    ),
)

offer(Ticket, *TICKET_ACTS)


class TicketStatusFilter(admin.SimpleListFilter):
    """By status, or everything that is not settled."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", "Waiting for us"), *((status.value, str(status.label)) for status in TicketStatus)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> QuerySet[Ticket]:
        if self.value() is None:
            return queryset
        if self.value() == "waiting":
            return queryset.filter(status__in=selectors.TICKETS_WAITING)
        return queryset.filter(status=self.value())


@admin.register(Ticket)
class TicketAdmin(ActingAdmin):
    """A ticket's page is the conversation, with internal notes marked as such (R4.1)."""

    list_display = ("subject", "customer", "status", "last_updated_by", "updated_at", "created_at")
    list_filter = (TicketStatusFilter,)
    list_select_related = ("customer", "last_updated_by")
    list_reads = ("subject", "status", "updated_at", "created_at", "customer__email", "last_updated_by__email")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_path = "customer"
    search_beginnings = ("email",)
    search_folded = ("folded_last_name",)
    search_help_text = "The beginning of the customer’s e-mail address or last name."
    fields = ("customer", "status", "last_updated_by", "updated_at", "created_at")
    about_template = "admin/conversation.html"

    def about(self, request: HttpRequest, row: Ticket) -> dict[str, Any]:
        user: Any = request.user
        ticket, said = selectors.ticket_for_staff(user, row.public_id)
        return {"ticket": ticket, "said": said, "sees_the_ledger": may(user, "transfers.view_transaction")}
