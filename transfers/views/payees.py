"""The customer's payees: a payment adds them to the list; here the customer names and removes them."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import SignedInRequest
from transfers.forms import PayeeLabelForm
from transfers.models import Payee
from transfers.payees import selectors as payee_selectors
from transfers.payees import services as service
from transfers.views.access import needs


@require_safe
@needs("transfers.transfer_own_money")
def payees(request: SignedInRequest) -> HttpResponse:
    return render(request, "transfers/payees.html", {"payees": payee_selectors.payees_of(request.user)})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def payee(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Name a payee."""
    row = _row_or_404(request, public_id)
    form = PayeeLabelForm(request.POST or None, initial={"label": row.label})
    if request.method == "POST" and form.is_valid():
        label = form.cleaned_data["label"]
        try:
            service.rename_payee(actor=request.user, public_id=public_id, label=label)
        except service.PayeeNotFound as error:
            raise Http404 from error
        messages.success(request, f"{row.account_name} is on your list as {label or row.account_name}.")
        return redirect("payees")
    return render(request, "transfers/payee.html", {"payee": row, "form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def payee_remove(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    row = _row_or_404(request, public_id)
    if request.method == "POST":
        try:
            service.remove_payee(actor=request.user, public_id=public_id)
        except service.PayeeNotFound as error:
            raise Http404 from error
        messages.success(request, f"{row.name} is no longer on your list of payees.")
        return redirect("payees")
    return render(request, "transfers/payee_remove.html", {"payee": row})


def _row_or_404(request: SignedInRequest, public_id: UUID) -> payee_selectors.PayeeRow:
    try:
        return payee_selectors.payee_row(request.user, public_id)
    except Payee.DoesNotExist as error:
        raise Http404 from error
