from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.models import AccountStatus, BankAccount
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
    context = {
        "form": form,
        "account": account,
        "daily": selectors.daily_use(request.user),
        # What was posted was refused at the form, which keeps what was typed.
        "why_not": "" if request.method == "POST" else _why_not(account),
    }
    return render(request, template, context)


def _why_not(account: BankAccount) -> str:
    """Why a form would be filled in for nothing; "" if it would not. The service decides all the same."""
    if account.status == AccountStatus.CLOSED:
        return "This account is closed. No money moves in or out of it any more."
    if not account.is_active:
        return "This account is frozen. No money moves in or out of it until the bank lifts the freeze."
    return "" if settings.SELF_SERVICE_CASH else cash.CashOnlyAtTheCounter.text
