from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts import freezes
from accounts.models import BankAccount, SignedInRequest
from foundation.refusals import NotNow, Refusal
from transfers import history
from transfers.accounts import closing, freezing, renaming
from transfers.forms import FreezeOwnAccountForm, RenameAccountForm
from transfers.history.filters import HistoryFilters
from transfers.interest import at_closing as interest
from transfers.views.access import account_or_404, needs


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.open_own_account")
def account_settings(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Rename the account, and show the way to close it or the obstacle."""
    row = account_or_404(request, public_id)
    form = RenameAccountForm(request.POST or None, initial={"nickname": row.nickname})
    if request.method == "POST" and form.is_valid():
        changed = renaming.rename_account(actor=request.user, account=row, nickname=form.cleaned_data["nickname"])
        messages.success(request, "The account has its new name." if changed else "Nothing was changed.")
        return redirect("account", row.public_id)
    form.fields["nickname"].help_text = f"Only you see it. Leave it empty for “{row.kind_label}”."
    context = {"account": row, "form": form} | closing_obstacle(request, row, closing.obstacle_to_closing(row))
    return render(request, "transfers/account_settings.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.open_own_account")
def account_freeze(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Freeze the account, the customer's emergency brake: one step, without a code and without a clerk (R2.5)."""
    row = account_or_404(request, public_id)
    form = FreezeOwnAccountForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            freezing.freeze_own_account(actor=request.user, account=row, reason=form.cleaned_data["reason"])
        except NotNow:
            raise
        except Refusal as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"Your account {row.display_name} is frozen.")
        return redirect("account", row.public_id)
    context = {"account": row, "form": form, "freezes": freezes.as_its_owner_sees_them(row)}
    return render(request, "transfers/account_freeze.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.open_own_account")
def account_close(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    row = account_or_404(request, public_id)
    obstacle = closing.obstacle_to_closing(row)
    if request.method == "POST":
        try:
            closing.close_account(actor=request.user, account=row)
        except NotNow:
            raise
        except Refusal as refusal:
            obstacle = refusal
        else:
            messages.success(request, f"Your account {row.display_name} is closed.")
            return redirect("dashboard")
    context: dict[str, Any] = {"account": row, "can_close": obstacle is None}
    if obstacle is None:
        context["interest"] = owed = interest.owed_at_closing(row, at=timezone.now())
        context["overpaid"] = -owed
        context["interest_account"] = interest.payout_account(row)
    context |= closing_obstacle(request, row, obstacle)
    return render(request, "transfers/account_close.html", context)


def closing_obstacle(request: SignedInRequest, account: BankAccount, obstacle: Refusal | None) -> dict[str, Any]:
    """Return why the account cannot be closed, "" if it can, and the links that help."""
    links: list[tuple[str, str]] = []
    if isinstance(obstacle, closing.MoneyHeld):
        links = [("See the account", reverse("account", args=[account.public_id]))]
    elif isinstance(obstacle, closing.InterestOwed):
        links = [("Open an account", reverse("account_open"))]
    elif isinstance(obstacle, closing.InterestOverpaid):
        links = [("Transfer between your accounts", reverse("transfer_own"))]
    elif isinstance(obstacle, closing.AccountNotEmpty):
        links = _ways_out(request, account)
    elif isinstance(obstacle, closing.AccountFrozen):
        ask = f"{reverse('request_new')}?kind=unfreeze_account&account={account.public_id}"
        links = [("Ask us to lift the freeze", ask)]
    elif isinstance(obstacle, closing.ClosedAlready):
        links = [("See its history", HistoryFilters(account=account).url(reverse("history")))]
    return {"why_not": str(obstacle or ""), "links": [{"label": label, "url": url} for label, url in links]}


def _ways_out(request: SignedInRequest, account: BankAccount) -> list[tuple[str, str]]:
    """Return where the money can go: to another account of the customer, to another customer, or out in cash."""
    here = f"?from={account.public_id}"
    ways = [("Send it to somebody", reverse("transfer_send") + here)]
    if len(history.accounts_of(request.user, active_only=True)) > 1:
        ways.insert(0, ("Move the money", f"{reverse('transfer_own')}{here}&amount=all"))
    if settings.SELF_SERVICE_CASH:
        ways.append(("Withdraw it", reverse("withdraw", args=[account.public_id])))
    return ways
