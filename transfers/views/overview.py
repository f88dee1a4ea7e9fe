from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import AccountKind, AccountStatus, BankAccount
from accounts.requests import SignedInRequest
from transfers import selectors
from transfers.filters import HistoryFilters
from transfers.forms import OpenAccountForm
from transfers.refusals import Refusal
from transfers.services import opening
from transfers.views.access import account_or_404, needs


@require_safe
@needs("transfers.open_own_account")
def dashboard(request: SignedInRequest) -> HttpResponse:
    """Every account with its balance and last entries, the total, and what one usually wants to do (R2.4)."""
    all_accounts = selectors.accounts_of(request.user)
    accounts = [account for account in all_accounts if account.status != AccountStatus.CLOSED]
    recent = selectors.recent_entries(accounts)
    context = {
        "total": sum((account.balance for account in accounts), Decimal(0)),
        "accounts": [{"account": account, "entries": recent[account.pk]} for account in accounts],
        "closed_accounts": [account for account in all_accounts if account.status == AccountStatus.CLOSED],
        "daily": selectors.daily_use(request.user),
        "deposit_account": next((account for account in accounts if account.is_active), None)
        if settings.SELF_SERVICE_CASH
        else None,
    }
    return render(request, "transfers/dashboard.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.open_own_account")
def account_open(request: SignedInRequest) -> HttpResponse:
    form = OpenAccountForm(request.POST or None, with_deposit=settings.SELF_SERVICE_CASH)
    if request.method == "POST" and form.is_valid():
        try:
            account = opening.open_account(
                actor=request.user,
                kind=AccountKind(form.cleaned_data["kind"]),
                nickname=form.cleaned_data["nickname"],
                opening_deposit=form.deposit,
                idempotency_key=form.idempotency_key,
            )
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"Your account {account.display_name} is open.")
            return redirect("account", account.public_id)
    return render(request, "transfers/account_open.html", {"form": form})


@require_safe
@needs("transfers.open_own_account")
def account(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """One account: its number in full, and its history in pages by sequence."""
    row = account_or_404(request, public_id)
    page = selectors.history_page(
        row, older_than=_sequence(request, "older_than"), newer_than=_sequence(request, "newer_than")
    )
    here = reverse("account", args=[row.public_id])
    context = {
        "account": row,
        "actions": _actions(row),
        "close_url": reverse("account_close", args=[row.public_id]) if row.is_active else None,
        "entries": page.rows,
        "history_url": HistoryFilters(account=row).url(reverse("history")),
        "older_url": f"{here}?older_than={page.older_than}" if page.older_than else None,
        "newer_url": f"{here}?newer_than={page.newer_than}" if page.newer_than else None,
    }
    return render(request, "transfers/account.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.open_own_account")
def account_close(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    row = account_or_404(request, public_id)
    why_not = ""
    if row.status == AccountStatus.CLOSED:
        why_not = "This account is closed already."
    elif not row.is_active:
        why_not = "This account is frozen. Please contact us."
    elif row.balance or row.held:
        why_not = opening.AccountNotEmpty.text
    if request.method == "POST":
        try:
            opening.close_account(actor=request.user, account=row)
        except Refusal as refusal:
            why_not = str(refusal)
        else:
            messages.success(request, f"Your account {row.display_name} is closed.")
            return redirect("dashboard")
    context = {"account": row, "can_close": not why_not, "why_not": why_not}
    return render(request, "transfers/account_close.html", context)


def _sequence(request: SignedInRequest, name: str) -> int | None:
    """A sequence from the URL; nonsense is as if it were not there."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _actions(account: BankAccount) -> list[dict[str, Any]]:
    """What one usually wants to do with an account."""
    if not account.is_active:
        return []
    cash = [("Deposit", "deposit", "deposit"), ("Withdraw", "withdraw", "withdraw")]
    links = [
        {
            "label": "Send money",
            "url": f"{reverse('transfer_send')}?from={account.public_id}",
            "icon": "send",
        },
        *(
            {"label": label, "url": reverse(name, args=[account.public_id]), "icon": icon}
            for label, name, icon in (cash if settings.SELF_SERVICE_CASH else [])
        ),
    ]
    return [link | {"primary": number == 0} for number, link in enumerate(links)]
