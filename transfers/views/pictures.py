from collections.abc import Sequence
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import BankAccount, SignedInRequest
from foundation.money import from_minor
from transfers import history
from transfers.history import drawing as pictures
from transfers.views.access import needs


@require_safe
@needs("transfers.open_own_account")
def money_over_time(request: SignedInRequest) -> HttpResponse:
    """Show the balance and what came in and went out, as pictures with tables, for one account or all (R2.4, R10.5)."""
    accounts = history.accounts_of(request.user)
    chosen = _chosen(request, accounts)
    at = timezone.now()
    balances = history.balances_over_time(request.user, at=at, account=chosen)
    months = history.months_in_and_out(request.user, at=at, account=chosen) if balances.has_entries else []
    context = {
        "chosen": chosen,
        "accounts": accounts,
        "balance_picture": balance_picture(balances),
        "months_picture": _months_picture(months) if months else None,
        "own_moves_count": chosen is None and len(accounts) > 1,
    }
    return render(request, "transfers/money_over_time.html", context)


def balance_picture(balances: history.Balances) -> dict[str, Any] | None:
    """Return what components/balance_picture.html shows; None if nothing has ever moved."""
    if not balances.has_entries:
        return None
    points = balances.points
    return {
        "shape": pictures.draw_line([point.balance for point in points], unit=from_minor(1)),
        "points": points,
        "first": points[0],
        "middle": points[len(points) // 2] if len(points) > 2 else None,
        "last": points[-1],
        "lowest": min(points, key=lambda point: point.balance),
        "highest": max(points, key=lambda point: point.balance),
    }


def _months_picture(months: Sequence[history.MonthFlow]) -> dict[str, Any]:
    pairs = [(flow.money_in, flow.money_out) for flow in months]
    return {"shape": pictures.draw_bars(pairs, unit=from_minor(1)), "months": months}


def _chosen(request: SignedInRequest, accounts: Sequence[BankAccount]) -> BankAccount | None:
    """Return the account that the address names; another customer's is answered like one that does not exist (R1.7)."""
    text = request.GET.get("account", "")
    if not text:
        return None
    try:
        return next(account for account in accounts if str(account.public_id) == text)
    except StopIteration:
        raise Http404 from None
