"""Service requests in the staff area: what is asked for, what approval does, and the two decisions (R4.2)."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.money import format_money
from accounts.roles import may
from accounts.staff_acts import ActingAdmin, ReasonForCustomerForm, StaffAct, actor_of, offer
from support import selectors
from support.kinds import RequestKind
from support.models import ServiceRequest
from support.requests import services
from support.requests.performing import wanted_limit
from support.states import REQUEST_PERMISSIONS, REQUEST_STEPS, RequestState, RequestVerb
from transfers import selectors as transfer_selectors

APPROVAL_DOES: Mapping[RequestKind, str] = {
    RequestKind.CLOSE_ACCOUNT: "closes the account for good. It is refused while there is money on it or held on it.",
    RequestKind.FREEZE_ACCOUNT: "freezes the account at once: no money moves in or out of it.",
    RequestKind.UNFREEZE_ACCOUNT: "lifts the freeze: money moves in and out of the account again. Make sure that the "
    "reason for the freeze is gone.",
    RequestKind.UPDATE_IDENTITY: "changes the name and the address that the bank keeps. Compare them with the "
    "customer’s documents first.",
    RequestKind.RESET_TWO_FACTOR: "removes the authenticator app and all recovery codes and ends all sessions. Whoever "
    "signs in next with the password sets up new ones, so be sure whom you are talking to.",
    RequestKind.RESET_PIN: "removes the PIN for apps and its lock. The customer chooses another one on their profile.",
    RequestKind.RAISE_DAILY_LIMIT: "raises what the customer may pay out in a day, from now on. Look at their accounts "
    "first.",
}


def what_approval_does(request: ServiceRequest) -> str:
    """In plain words, for the clerk who is about to agree."""
    what = f"Approval {APPROVAL_DOES[RequestKind(request.kind)]}"
    if not request.rule.needs_two_clerks:
        return what
    if not services.has_first_word(request):
        return f"{what} Two clerks have to agree: you are the first, and nothing happens until the second has."
    return f"{what} One clerk has agreed: if you, the second, agree as well, it happens at once."


def _approve(request: HttpRequest, row: ServiceRequest, *, reason: str) -> ServiceRequest:
    return services.approve_request(actor=actor_of(request), public_id=row.public_id, reason=reason)


def _reject(request: HttpRequest, row: ServiceRequest, *, reason: str) -> None:
    services.reject_request(actor=actor_of(request), public_id=row.public_id, reason=reason)


def _approved(row: ServiceRequest) -> str:
    if row.state == RequestState.COMPLETED:
        return "Approved and done. The customer is told by mail."
    return "Your approval is noted. Nothing has changed yet: a second clerk decides now."


def _on_request(verb: RequestVerb, **act: Any) -> StaffAct:
    return StaffAct(
        name=verb.value,
        permission=REQUEST_PERMISSIONS[verb],
        is_offered=lambda request: (RequestState(request.state), verb) in REQUEST_STEPS,
        form=ReasonForCustomerForm,
        **act,
    )


REQUEST_ACTS = (
    _on_request(
        RequestVerb.APPROVE,
        label="Approve",
        explanation=what_approval_does,
        done=_approved,
        carry_out=_approve,
    ),
    _on_request(
        RequestVerb.REJECT,
        label="Reject",
        explanation="Nothing is changed, and the customer is told, with your reason.",
        done="The request is rejected. The customer is told by mail.",
        carry_out=_reject,
        is_dangerous=True,
    ),
)

offer(ServiceRequest, *REQUEST_ACTS)


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
