"""Sending money: form, review, confirm, receipt (R3.6). Each step is a page of its own, each POST redirects."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.models import BankAccount
from accounts.requests import SignedInRequest
from transfers import drafts, selectors
from transfers.forms import OwnTransferForm, SendMoneyForm
from transfers.limits import DailyLimitReached
from transfers.names import masked_name
from transfers.refusals import Refusal
from transfers.services import payees, sending
from transfers.views.access import needs


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def transfer_own(request: SignedInRequest) -> HttpResponse:
    accounts = selectors.accounts_of(request.user, active_only=True)
    initial = _initial(request)
    others = [account for account in accounts if str(account.public_id) != (initial["source"] or _first(accounts))]
    form = OwnTransferForm(request.POST or None, accounts=accounts, initial={"target": _first(others)} | initial)
    if request.method == "POST" and form.is_valid():
        return _to_review(request, form, form.target_account, mode="own")
    context = {"form": form, "mode": "own", "has_enough_accounts": len(accounts) > 1}
    return render(request, "transfers/transfer_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def transfer_send(request: SignedInRequest) -> HttpResponse:
    accounts = selectors.accounts_of(request.user, active_only=True)
    daily = selectors.daily_use(request.user)
    form = SendMoneyForm(request.POST or None, accounts=accounts, initial=_initial(request))
    if request.method == "POST" and form.is_valid():
        try:
            target = payees.find_payee(actor=request.user, number=form.cleaned_data["number"])
        except sending.PayeeCannotReceive as refusal:
            form.add_error("number", str(refusal))
        else:
            if target == form.source_account:
                form.add_error("number", sending.SameAccount.text)
            elif target.owner_id != request.user.pk and form.cleaned_data["amount"] > daily.remaining:
                form.add_error("amount", DailyLimitReached.text)
            else:
                return _to_review(request, form, target, mode="send")
    context = {"form": form, "mode": "send", "daily": daily, "has_enough_accounts": bool(accounts)}
    return render(request, "transfers/transfer_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def transfer_review(request: SignedInRequest, draft_id: UUID) -> HttpResponse:
    """GET shows what will happen; POST does it, once. (The one-time code will be asked for here, R3.6.)"""
    draft = drafts.draft_of(request, draft_id)
    earlier = selectors.order_of_key(request.user, str(draft_id))
    # A replayed confirm whose draft is gone (signed in anew, ten newer drafts) must not read as "nothing was sent".
    if earlier is not None and (request.method == "GET" or draft is None):
        messages.info(request, "This transfer was sent already. Here is its receipt.")
        return redirect("receipt", earlier.public_id)
    if draft is None or (draft.is_stale and earlier is None):
        messages.error(request, "This review has expired, and nothing was sent. Please start again.")
        return redirect("transfer_send")
    source, target = _sides(draft)
    if request.method == "POST":
        try:
            order = sending.transfer(
                actor=request.user,
                source=source,
                target=target,
                amount=draft.decimal_amount,
                description=draft.description,
                idempotency_key=str(draft_id),
            )
        except Refusal as refusal:
            messages.error(request, f"{refusal} Nothing was sent.")
            return redirect(_edit_url(draft, draft_id))
        return redirect("receipt", order.public_id)
    context = {"review": _review(request, draft, source, target), "edit_url": _edit_url(draft, draft_id)}
    return render(request, "transfers/transfer_review.html", context)


def _first(accounts: list[BankAccount]) -> str:
    return str(accounts[0].public_id) if accounts else ""


def _to_review(
    request: SignedInRequest, form: OwnTransferForm | SendMoneyForm, target: BankAccount, *, mode: str
) -> HttpResponse:
    draft_id = drafts.remember(
        request,
        source=form.source_account,
        target=target,
        amount=form.cleaned_data["amount"],
        description=form.cleaned_data["description"],
        mode=mode,
    )
    return redirect("transfer_review", draft_id)


def _sides(draft: drafts.Draft) -> tuple[BankAccount, BankAccount]:
    rows = BankAccount.objects.select_related("owner").in_bulk([draft.source_id, draft.target_id])
    return rows[draft.source_id], rows[draft.target_id]


def _review(request: SignedInRequest, draft: drafts.Draft, source: BankAccount, target: BankAccount) -> dict[str, Any]:
    own = target.owner_id == request.user.pk
    amount = draft.decimal_amount
    return {
        "source": source,
        "target_label": target.display_name if own or target.owner is None else masked_name(target.owner),
        "target_number_masked": target.masked_number,
        "amount": amount,
        "description": draft.description,
        "mode": "own" if own else "send",
        "balance_after": source.available - amount,
        "remaining_after": None if own else selectors.daily_use(request.user).remaining - amount,
    }


def _edit_url(draft: drafts.Draft, draft_id: UUID) -> str:
    return reverse("transfer_own" if draft.mode == "own" else "transfer_send") + f"?draft={draft_id}"


def _initial(request: SignedInRequest) -> dict[str, Any]:
    """What the form starts with: the draft one goes back to, or the account one comes from."""
    try:
        draft = drafts.draft_of(request, UUID(request.GET.get("draft", "")))
    except ValueError:
        draft = None
    if draft is None:
        return {"source": request.GET.get("from", "")}
    source, target = _sides(draft)
    return {
        "source": source.public_id,
        "target": target.public_id,
        "number": target.number_grouped,
        "amount": draft.amount,
        "description": draft.description,
    }
