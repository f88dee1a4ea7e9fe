from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import BankAccount
from accounts.money import format_money
from accounts.refusals import Refusal
from accounts.requests import SignedInRequest
from support import selectors
from support.forms import FORM_OF
from support.kinds import KINDS, PAGE_KINDS, RequestKind
from support.models import ServiceRequest
from support.requests import services as service
from support.requests.performing import wanted_limit
from support.states import RequestState
from support.views.paging import page_of, pager_urls
from transfers import selectors as transfer_selectors
from transfers.services import opening, own_limits
from transfers.views.access import needs
from transfers.views.account_settings import closing_obstacle


@require_safe
@needs("support.file_request")
def service_requests(request: SignedInRequest) -> HttpResponse:
    page = page_of(request, selectors.requests_of)
    context = {"service_requests": page.rows} | pager_urls(request, reverse("service_requests"), page)
    return render(request, "support/requests.html", context)


@sensitive_post_parameters("address")
@require_http_methods(["GET", "HEAD", "POST"])
@needs("support.file_request")
def request_new(request: SignedInRequest) -> HttpResponse:
    """Choose what to ask for; with `?kind=`, the form for it."""
    if request.GET.get("kind") not in PAGE_KINDS:
        kinds = [{"kind": kind, "label": kind.label, "rule": KINDS[kind]} for kind in _kinds_for(request)]
        return render(request, "support/request_choose.html", {"kinds": kinds})
    kind = RequestKind(request.GET["kind"])
    rule = KINDS[kind]
    accounts = _accounts_for(request, kind)
    context = {"kind_label": kind.label, "rule": rule, "nothing_fits": rule.is_about_an_account and not accounts}
    form = FORM_OF[kind](
        request.POST or None, needs_reason=rule.needs_reason, accounts=accounts, initial=_initial(request, kind)
    )
    if kind == RequestKind.RAISE_DAILY_LIMIT:
        now = format_money(transfer_selectors.daily_use(request.user).limit)
        form.fields["amount"].help_text = f"It is {now} now."
    if request.method == "POST" and form.is_valid():
        try:
            filed = service.file_request(
                actor=request.user,
                kind=kind,
                account=form.account,
                payload=form.payload,
                reason=form.cleaned_data["reason"],
            )
        except Refusal as refusal:
            if kind == RequestKind.CLOSE_ACCOUNT and form.account is not None:
                context |= closing_obstacle(request, form.account, refusal)
            form.add_error(_field_of(refusal), str(refusal))
        else:
            messages.success(request, "We have your request. We write to you as soon as it is decided.")
            return redirect("service_request", filed.public_id)
    return render(request, "support/request_new.html", context | {"form": form})


@require_safe
@needs("support.file_request")
def service_request(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    try:
        row = selectors.request_of(request.user, public_id)
    except ServiceRequest.DoesNotExist as error:
        raise Http404 from error
    context = {"row": row, "wishes": _wishes(row), "can_cancel": row.state == RequestState.PENDING}
    return render(request, "support/request.html", context)


@require_POST
@needs("support.file_request")
def request_cancel(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    try:
        service.cancel_request(actor=request.user, public_id=public_id)
    except ServiceRequest.DoesNotExist as error:
        raise Http404 from error
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Your request is cancelled.")
    return redirect("service_request", public_id)


def _kinds_for(request: SignedInRequest) -> list[RequestKind]:
    """The kinds that make sense for this customer now. The others still open by their address, and say why not."""
    statuses = {account.status for account in transfer_selectors.accounts_of(request.user)}
    return [
        kind
        for kind in PAGE_KINDS
        if (request.user.has_pin if kind == RequestKind.RESET_PIN else True)
        and (not KINDS[kind].is_about_an_account or statuses.intersection(KINDS[kind].account_statuses))
    ]


def _field_of(refusal: Refusal) -> str | None:
    """The field that a refusal is about; None: the whole form."""
    if isinstance(refusal, service.NotAHigherLimit | own_limits.AboveCeiling):
        return "amount"
    return "account_id" if isinstance(refusal, opening.AccountNotEmpty) else None


def _accounts_for(request: SignedInRequest, kind: RequestKind) -> Sequence[BankAccount]:
    statuses = KINDS[kind].account_statuses
    return [account for account in transfer_selectors.accounts_of(request.user) if account.status in statuses]


def _initial(request: SignedInRequest, kind: RequestKind) -> dict[str, Any]:
    user = request.user
    if kind == RequestKind.UPDATE_IDENTITY:
        return {"first_name": user.first_name, "last_name": user.last_name, "address": user.address}
    return {"account_id": request.GET.get("account", "")}


def _wishes(row: ServiceRequest) -> list[tuple[str, str]]:
    """What the request asks for, as the customer wrote it."""
    details = row.details
    if row.kind == RequestKind.RAISE_DAILY_LIMIT:
        return [("New daily limit", format_money(wanted_limit(row)))]
    return [(key.replace("_", " ").capitalize(), value) for key, value in details.items() if value]
