"""Service requests in the staff area: what is asked for, what approval does, and the two decisions (R4.2)."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts import freezes
from accounts.roles import may
from accounts.staff.acts import (
    ActingAdmin,
    CodeAsked,
    ReasonForCustomerForm,
    ShownFreezesField,
    StaffAct,
    actor_of,
    offer,
)
from support import selectors
from support.models import ServiceRequest
from support.requests import services
from support.requests.kinds import kind_of
from support.states import REQUEST_PERMISSIONS, REQUEST_STEPS, RequestState, RequestVerb


def what_approval_does(request: ServiceRequest) -> str:
    """Say it in plain words, for the clerk who is about to agree."""
    what = f"Approval {kind_of(request).approval_does}"
    if kind_of(request).takes_two_administrators(request.opened):
        return f"{what} This takes an administrator, and a second one has to agree."
    if not kind_of(request).needs_two_clerks:
        return what
    if not services.has_first_word(request):
        return f"{what} Two clerks have to agree: you are the first, and nothing happens until the second has."
    return f"{what} One clerk has agreed: if you, the second, agree as well, it happens at once."


class ApprovalForm(ReasonForCustomerForm):
    """Sends back what the page shows of the account, which may be frozen once more meanwhile."""

    seen = ShownFreezesField()

    def __init__(self, *args: Any, row: ServiceRequest, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        if row.account is None:
            del self.fields["seen"]
        else:
            self.fields["seen"].initial = freezes.version_of(freezes.standing_on(row.account))


def _approve(request: HttpRequest, row: ServiceRequest, *, reason: str, seen: int | None = None) -> ServiceRequest:
    return services.approve_request(actor=actor_of(request), public_id=row.public_id, reason=reason, seen=seen)


def _reject(request: HttpRequest, row: ServiceRequest, *, reason: str) -> None:
    services.reject_request(actor=actor_of(request), public_id=row.public_id, reason=reason)


def _approved(row: ServiceRequest) -> str:
    if row.state == RequestState.COMPLETED:
        return "Approved and done. The customer is told by mail."
    if row.state == RequestState.APPROVED:
        return "Approved. Nothing has changed yet: a second administrator has to agree, and is told by mail."
    return "Your approval is noted. Nothing has changed yet: a second clerk decides now."


def _on_request(verb: RequestVerb, **act: Any) -> StaffAct:
    return StaffAct(
        name=verb.value,
        permission=REQUEST_PERMISSIONS[verb],
        is_offered=lambda request: (RequestState(request.state), verb) in REQUEST_STEPS,
        **act,
    )


REQUEST_ACTS = (
    _on_request(
        RequestVerb.APPROVE,
        label="Approve",
        explanation=what_approval_does,
        done=_approved,
        carry_out=_approve,
        code=CodeAsked.LATELY,
        form=ApprovalForm,
    ),
    _on_request(
        RequestVerb.REJECT,
        label="Reject",
        explanation="Nothing is changed, and the customer is told, with your reason.",
        done="The request is rejected. The customer is told by mail.",
        carry_out=_reject,
        code=CodeAsked.NONE,
        form=ReasonForCustomerForm,
        is_dangerous=True,
    ),
)

offer(ServiceRequest, *REQUEST_ACTS)


@admin.register(ServiceRequest)
class ServiceRequestAdmin(ActingAdmin):
    """Requests in plain words. Only people who decide see what the customer wrote (R4.2)."""

    list_display = ("created_at", "kind", "customer", "state", "first_approved_by", "decided_by", "decided_at")
    list_filter = ("state",)
    list_select_related = ("customer", "first_approved_by", "decided_by")
    list_reads = (
        "created_at", "kind", "state", "decided_at", "customer__email", "first_approved_by__email", "decided_by__email",
    )  # fmt: skip
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_path = "customer"
    search_beginnings = ("email",)
    search_folded = ("folded_last_name",)
    search_help_text = "The beginning of the customer’s e-mail address or last name."
    fields = ("customer", "account", "state", "created_at", "decided_by", "decided_at", "decision_reason")
    about_template = "admin/request.html"

    def about(self, request: HttpRequest, row: ServiceRequest) -> dict[str, Any]:
        user: Any = request.user
        asked = selectors.request_for_staff(user, row.public_id)
        decides = may(user, "support.decide_request")
        return {
            "asked": asked,
            "freezes": freezes.standing_on(asked.account) if asked.account else [],
            "wishes": kind_of(asked).wishes_for_clerks(asked.customer, asked.opened) if decides else None,
            "what_approval_does": what_approval_does(asked) if asked.state == RequestState.PENDING else "",
        }
