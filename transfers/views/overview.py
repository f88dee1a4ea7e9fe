from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import condition, require_http_methods, require_safe

from accounts import freezes
from accounts.models import AccountKind, AccountStatus, BankAccount, SignedInRequest
from accounts.sign_in.sessions import clock as session_clock
from foundation.paging import page_in, pager_urls
from foundation.refusals import NotNow, Refusal
from transfers import history
from transfers.accounts import opening
from transfers.forms import OpenAccountForm
from transfers.history.filters import HistoryFilters
from transfers.interest import selectors as interest_selectors
from transfers.orders import large_reversals
from transfers.orders.limits import CashInLimitReached
from transfers.views.access import account_or_404, needs
from transfers.views.pictures import balance_picture


@require_safe
@needs("transfers.open_own_account")
def dashboard(request: SignedInRequest) -> HttpResponse:
    """Show every account with its balance and latest entries, the total, and the usual acts (R2.4)."""
    return render(request, "transfers/dashboard.html", _overview(request))


def _etag(request: SignedInRequest) -> str:
    return f'"{history.overview_version(request.user, at=timezone.now())}"'


@session_clock.without_renewal
@require_safe
@needs("transfers.open_own_account")
@condition(etag_func=_etag)
def dashboard_live(request: SignedInRequest) -> HttpResponse:
    """Answer the open dashboard's question every few seconds: 304 while nothing has changed, otherwise what it shows
    now (R10.4).

    live.js keeps its version and sends it along: no cache may keep a balance (R8.2).
    """
    return render(request, "transfers/overview.html", _overview(request))


def _overview(request: SignedInRequest) -> dict[str, Any]:
    at = timezone.now()
    overview = history.overview_of(request.user, at=at)
    all_accounts = overview.accounts
    accounts = [account for account in all_accounts if account.status != AccountStatus.CLOSED]
    recent = history.recent_entries(request.user)
    waiting = history.waiting_orders(*accounts)
    latest = max((rows[0] for rows in recent.values()), key=lambda row: row.posted_at, default=None)
    total = sum((account.balance for account in accounts), Decimal(0))
    available = sum((account.available for account in accounts), Decimal(0))
    return {
        "version": history.version_of(request.user, overview, recent, waiting, at=at),
        "latest": latest,
        "total": total,
        "available": available,
        "held": total - available,
        "waiting": waiting,
        "accounts": [{"account": account, "entries": recent.get(account.pk, [])} for account in accounts],
        "closed_accounts": [account for account in all_accounts if account.status == AccountStatus.CLOSED],
        "balance_picture": balance_picture(overview.balances),
        "daily": overview.daily,
        "deposit_account": next((account for account in accounts if account.is_active), None)
        if settings.SELF_SERVICE_CASH
        else None,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.open_own_account")
def account_open(request: SignedInRequest) -> HttpResponse:
    left = history.cash_in_use(request.user).remaining if settings.SELF_SERVICE_CASH else None
    form = OpenAccountForm(request.POST or None, left_to_pay_in=left)
    if request.method == "POST" and form.is_valid():
        try:
            account = opening.open_account(
                actor=request.user,
                kind=AccountKind(form.cleaned_data["kind"]),
                nickname=form.cleaned_data["nickname"],
                opening_deposit=form.deposit,
                idempotency_key=form.idempotency_key,
            )
        except NotNow:
            raise
        except CashInLimitReached as refusal:
            form.add_error("opening_deposit", str(refusal))
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"Your account {account.display_name} is open.")
            if history.waiting_deposits(account):
                messages.warning(request, "Your opening deposit waits until a member of staff has looked at it.")
            return redirect("account", account.public_id)
    return render(request, "transfers/account_open.html", {"form": form})


@require_safe
@needs("transfers.open_own_account")
def account(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Show one account: its full number, and its history in pages by sequence."""
    row = account_or_404(request, public_id)
    page = page_in(request, partial(history.history_page, row))
    context = {
        "account": row,
        "balance_picture": balance_picture(history.balances_over_time(request.user, at=timezone.now(), account=row)),
        "actions": _actions(row),
        "freezes": freezes.as_its_owner_sees_them(row),
        "interest": interest_selectors.interest_so_far(row, at=timezone.now()),
        "waiting": [*history.waiting_orders(row), *history.waiting_deposits(row)],
        "announced": large_reversals.announced_on(row),
        "entries": page.items,
        "history_url": HistoryFilters(account=row).url(reverse("history")),
        **pager_urls(page, reverse("account", args=[row.public_id])),
    }
    return render(request, "transfers/account.html", context)


def _actions(account: BankAccount) -> list[dict[str, Any]]:
    """Return the usual acts for an account."""
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
