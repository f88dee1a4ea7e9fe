from collections.abc import Sequence
from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.models import BankAccount, SignedInRequest, User
from foundation.paging import page_in, pager_urls
from foundation.refusals import NotNow, Refusal
from support import selectors
from support.models import RequestKind, ServiceRequest
from support.requests import services as service
from support.requests.kind import KindOfRequest
from support.requests.kinds import KINDS, PAGE_KINDS, kind_of
from support.states import RequestState
from transfers import history as transfer_selectors
from transfers.views.access import needs
from transfers.views.account_settings import closing_obstacle


@require_safe
@needs("support.file_request")
def service_requests(request: SignedInRequest) -> HttpResponse:
    page = page_in(request, partial(selectors.requests_of, request.user))
    rows = [(kind_of(row), row) for row in page.items]
    context = {"service_requests": rows} | pager_urls(page, reverse("service_requests"), newest_only=True)
    return render(request, "support/requests.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("support.file_request")
def request_new(request: SignedInRequest) -> HttpResponse:
    """Choose what to ask for; with `?kind=`, the form for it."""
    if request.GET.get("kind") not in PAGE_KINDS:
        return render(request, "support/request_choose.html", {"kinds": _kinds_for(request.user)})
    kind = KINDS[RequestKind(request.GET["kind"])]
    accounts = _accounts_for(request.user, kind)
    context = {"kind": kind, "nothing_fits": kind.is_about_an_account and not accounts}
    form = kind.form(
        request.POST or None,
        customer=request.user,
        needs_reason=kind.needs_reason,
        accounts=accounts,
        initial={"account_id": request.GET.get("account", "")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            filed = service.file_request(
                actor=request.user,
                kind=kind.kind,
                account=form.account,
                payload=kind.payload_from(form.cleaned_data),
                reason=form.cleaned_data["reason"],
            )
        except NotNow:
            raise
        except Refusal as refusal:
            if form.account is not None:
                context |= closing_obstacle(request, form.account, refusal)
            form.add_error(kind.field_of(refusal), str(refusal))
        else:
            messages.success(request, "We have your request. We’ll email you our decision.")
            return redirect("service_request", filed.public_id)
    return render(request, "support/request_new.html", context | {"form": form})


@require_safe
@needs("support.file_request")
def service_request(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    try:
        row = selectors.request_of(request.user, public_id)
    except ServiceRequest.DoesNotExist as error:
        raise Http404 from error
    kind = kind_of(row)
    context = {
        "row": row,
        "explanation": kind.explanation,
        "unless_approved": kind.unless_approved,
        "wishes": kind.wishes(row.opened),
        "can_cancel": row.state == RequestState.PENDING,
    }
    return render(request, "support/request.html", context)


@require_POST
@needs("support.file_request")
def request_cancel(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    try:
        service.cancel_request(actor=request.user, public_id=public_id)
    except ServiceRequest.DoesNotExist as error:
        raise Http404 from error
    except NotNow:
        raise
    except Refusal as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, "Your request is cancelled.")
    return redirect("service_request", public_id)


def _kinds_for(customer: User) -> list[KindOfRequest]:
    """Return the kinds that make sense for this customer now. The others still open by their address, and say why
    not."""
    statuses = {account.status for account in transfer_selectors.accounts_of(customer)}
    return [
        kind
        for kind in map(KINDS.__getitem__, PAGE_KINDS)
        if kind.suits(customer) and (not kind.is_about_an_account or statuses.intersection(kind.account_statuses))
    ]


def _accounts_for(customer: User, kind: KindOfRequest) -> Sequence[BankAccount]:
    accounts = transfer_selectors.accounts_of(customer)
    return [account for account in accounts if account.status in kind.account_statuses]
