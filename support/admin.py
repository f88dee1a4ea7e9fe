from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.money import format_money
from accounts.roles import may
from accounts.staff_acts import ActingAdmin, offer
from support import selectors
from support.admin_acts import REQUEST_ACTS, TICKET_ACTS, what_approval_does
from support.kinds import RequestKind
from support.models import ServiceRequest, Ticket
from support.performing import wanted_limit
from support.states import RequestState, TicketStatus
from transfers import selectors as transfer_selectors

offer(Ticket, *TICKET_ACTS)
offer(ServiceRequest, *REQUEST_ACTS)


class TicketStatusFilter(admin.SimpleListFilter):
    """By status, or all that is not settled."""

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
    """A ticket's page is the conversation, internal notes included and marked (R4.1)."""

    list_display = ("subject", "customer", "status", "last_updated_by", "updated_at", "created_at")
    list_filter = (TicketStatusFilter,)
    list_select_related = ("customer", "last_updated_by")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_path = "customer"
    search_beginnings = ("email", "last_name")
    search_help_text = "The beginning of the customer’s e-mail address or last name."
    fields = ("customer", "status", "last_updated_by", "updated_at", "created_at")
    about_template = "admin/conversation.html"

    def about(self, request: HttpRequest, row: Ticket) -> dict[str, Any]:
        user: Any = request.user
        ticket, said = selectors.ticket_for_staff(user, row.public_id)
        return {"ticket": ticket, "said": said, "sees_the_ledger": may(user, "transfers.view_transaction")}


@admin.register(ServiceRequest)
class ServiceRequestAdmin(ActingAdmin):
    """What is asked for, in plain words. What the customer gave for it is for those who decide (R4.2)."""

    list_display = ("created_at", "kind", "customer", "state", "first_approved_by", "decided_by", "decided_at")
    list_filter = ("state",)
    list_select_related = ("customer", "first_approved_by", "decided_by")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_path = "customer"
    search_beginnings = ("email", "last_name")
    search_help_text = "The beginning of the customer’s e-mail address or last name."
    fields = ("customer", "account", "state", "created_at", "decided_by", "decided_at", "decision_reason")
    about_template = "admin/request.html"

    def about(self, request: HttpRequest, row: ServiceRequest) -> dict[str, Any]:
        user: Any = request.user
        asked = selectors.request_for_staff(user, row.public_id)
        decides = may(user, "support.decide_request")
        return {
            "asked": asked,
            "wishes": wishes_of(asked) if decides else None,
            "what_approval_does": what_approval_does(asked) if asked.state == RequestState.PENDING else "",
        }


def wishes_of(request: ServiceRequest) -> list[tuple[str, str]]:
    """What a clerk compares before deciding: what is kept now, and what is wished instead."""
    if request.kind == RequestKind.UPDATE_IDENTITY:
        wanted = request.details
        return [
            ("Name now", request.customer.get_full_name()),
            ("New name", f"{wanted['first_name']} {wanted['last_name']}".strip()),
            ("New address", wanted["address"]),
        ]
    if request.kind == RequestKind.RAISE_DAILY_LIMIT:
        return [
            ("Daily limit now", format_money(transfer_selectors.daily_use(request.customer).limit)),
            ("New daily limit", format_money(wanted_limit(request))),
        ]
    return []
