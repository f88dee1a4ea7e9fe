"""Sending money: form, review, confirm, receipt (R3.6). Each step is a page of its own, each POST redirects."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import BankAccount
from accounts.requests import SignedInRequest
from transfers import drafts, fraud, selectors
from transfers.explanations import before_holding
from transfers.forms import OwnTransferForm, SendMoneyForm
from transfers.limits import DailyLimitReached
from transfers.models import OrderKind
from transfers.names import masked_name, short_name
from transfers.refusals import Refusal
from transfers.services import payees, screening, sending
from transfers.views.access import needs
from transfers.views.filling import first_but, initial_of, payee_choices

PAYEES_OFFERED = 5


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def transfer_own(request: SignedInRequest) -> HttpResponse:
    accounts = selectors.accounts_of(request.user, active_only=True)
    initial = initial_of(request, OrderKind.OWN_TRANSFER)
    for side, other in (("source", "target"), ("target", "source")):
        initial[side] = initial.get(side) or first_but(accounts, initial.get(other))
    form = OwnTransferForm(request.POST or None, accounts=accounts, initial=initial)
    if request.method == "POST" and form.is_valid():
        return _to_review(request, form, form.target_account, mode="own")
    context = {"form": form, "mode": "own", "has_enough_accounts": len(accounts) > 1}
    return render(request, "transfers/transfer_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def transfer_send(request: SignedInRequest) -> HttpResponse:
    accounts = selectors.accounts_of(request.user, active_only=True)
    daily = selectors.daily_use(request.user)
    form = SendMoneyForm(request.POST or None, accounts=accounts, initial=initial_of(request, OrderKind.PAYMENT))
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
    context = {
        "form": form,
        "mode": "send",
        "daily": daily,
        "has_enough_accounts": bool(accounts),
        "choices": payee_choices(request, most=PAYEES_OFFERED),
    }
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
    source, target = drafts.sides_of(draft)
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


def _review(request: SignedInRequest, draft: drafts.Draft, source: BankAccount, target: BankAccount) -> dict[str, Any]:
    own = target.owner_id == request.user.pk
    amount = draft.decimal_amount
    label = "" if own else selectors.payee_label(request.user, target)
    return {
        "source": source,
        "target_label": _target_label(target, own=own, known=label is not None),
        # Theirs to recognise, beside the name that is the account's: a label alone could hide who is paid.
        "payee_label": label or "",
        "is_new_payee": label is None,
        "before_it_goes": "" if own else _before_it_goes(request, amount),
        "target_number_masked": target.masked_number,
        "amount": amount,
        "description": draft.description,
        "mode": "own" if own else "send",
        "balance_after": source.available - amount,
        "remaining_after": None if own else selectors.daily_use(request.user).remaining - amount,
    }


def _target_label(target: BankAccount, *, own: bool, known: bool) -> str:
    """Whoever was paid before is named as everywhere; of others the review shows no more than a number is worth."""
    if own or target.owner is None:
        return target.display_name
    return short_name(target.owner) if known else masked_name(target.owner)


def _before_it_goes(request: SignedInRequest, amount: Decimal) -> str:
    """What the customer is told of a payment that would be held now; the rules are asked again when it is sent."""
    rules = screening.rules_set_off(request.user, amount, at=timezone.now())
    return before_holding(fraud.hold_reason(rules))


def _edit_url(draft: drafts.Draft, draft_id: UUID) -> str:
    return reverse("transfer_own" if draft.mode == "own" else "transfer_send") + f"?draft={draft_id}"
