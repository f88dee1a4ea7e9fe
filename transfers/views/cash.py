from collections.abc import Callable
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.requests import SignedInRequest
from transfers import selectors
from transfers.forms import CashForm
from transfers.models import TransferOrder
from transfers.refusals import Refusal
from transfers.services import cash
from transfers.views.access import account_or_404, needs


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.deposit_own")
def deposit(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    return _cash_page(request, public_id, cash.deposit, "transfers/deposit.html")


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.withdraw_own")
def withdraw(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    return _cash_page(request, public_id, cash.withdraw, "transfers/withdraw.html")


def _cash_page(
    request: SignedInRequest, public_id: UUID, service: Callable[..., TransferOrder], template: str
) -> HttpResponse:
    account = account_or_404(request, public_id)
    form = CashForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            order = service(
                actor=request.user,
                account=account,
                amount=form.cleaned_data["amount"],
                description=form.cleaned_data["description"],
                idempotency_key=form.idempotency_key,
            )
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("receipt", order.public_id)
    context = {"form": form, "account": account, "daily": selectors.daily_use(request.user)}
    return render(request, template, context)
