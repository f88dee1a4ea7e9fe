"""Simulated cash in and out: form, review, confirm, receipt (R3.2), with the drafts and the last step of transfers."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.models import AccountStatus, BankAccount, SignedInRequest
from foundation.money import as_typed
from foundation.refusals import NotNow, Refusal
from transfers import history
from transfers.forms import CashForm, WithdrawalForm
from transfers.models import TransferOrder
from transfers.orders import cash, drafts, step_up
from transfers.orders.drafts import Draft
from transfers.orders.explanations import before_holding
from transfers.orders.limits import CashInLimitReached, DailyLimitReached
from transfers.orders.step_up import Proof
from transfers.views import confirming
from transfers.views.access import account_or_404, needs
from transfers.views.filling import id_in


@dataclass(frozen=True)
class _Way:
    """The differences between cash in and cash out. The name is that of the form's route and of the drafts' mode.

    `look_ahead(request, account, amount, draft_id)` raises what would refuse it, and asks for a code ahead;
    `order(request, account, draft, key, proof)` does it; `review(request, account, amount)` returns the words of its
    review.
    """

    name: str
    form: type[CashForm]
    look_ahead: Callable[[SignedInRequest, BankAccount, Decimal, UUID], Any]
    order: Callable[[SignedInRequest, BankAccount, Draft, str, Proof | None], TransferOrder]
    review: Callable[[SignedInRequest, BankAccount, Decimal], dict[str, Any]]
    wording: confirming.Wording

    @property
    def template(self) -> str:
        return f"transfers/{self.name}.html"


# --- In -----------------------------------------------------------------------------------------------------


def _foresee_deposit(request: SignedInRequest, account: BankAccount, amount: Decimal, draft_id: UUID) -> None:
    cash.foresee_deposit(actor=request.user, account=account, amount=amount)


def _order_deposit(
    request: SignedInRequest, account: BankAccount, draft: Draft, key: str, proof: Proof | None
) -> TransferOrder:
    return cash.deposit(
        actor=request.user,
        account=account,
        amount=draft.decimal_amount,
        description=draft.description,
        idempotency_key=key,
    )


def _review_deposit(request: SignedInRequest, account: BankAccount, amount: Decimal) -> dict[str, Any]:
    hold_reason = cash.foresee_deposit(actor=request.user, account=account, amount=amount)
    return {
        "is_deposit": True,
        "balance_after": account.balance + (Decimal(0) if hold_reason else amount),
        "remaining_after": history.cash_in_use(request.user).remaining - amount,
        "before_it_goes": before_holding(hold_reason, is_deposit=True),
    }


_DEPOSIT = _Way(
    name="deposit",
    form=CashForm,
    look_ahead=_foresee_deposit,
    order=_order_deposit,
    review=_review_deposit,
    wording=confirming.Wording(
        done_already="This deposit was made already. Here is its receipt.",
        expired="This review has expired, and nothing was paid in. Please start again.",
        not_done="Nothing was paid in.",
    ),
)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.deposit_own")
def deposit(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    account = account_or_404(request, public_id)
    return _form_page(request, account, _DEPOSIT, why_not=_why_not(account), daily=history.cash_in_use(request.user))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.deposit_own")
def deposit_confirm(request: SignedInRequest, public_id: UUID, draft_id: UUID) -> HttpResponse:
    """Show the deposit, and pay in."""
    return _confirm_page(request, account_or_404(request, public_id), draft_id, _DEPOSIT)


# --- Out ----------------------------------------------------------------------------------------------------


def _foresee_withdrawal(request: SignedInRequest, account: BankAccount, amount: Decimal, draft_id: UUID) -> Any:
    if amount > history.daily_use(request.user).remaining:
        raise DailyLimitReached
    return cash.challenge_for(actor=request.user, account=account, amount=amount, idempotency_key=str(draft_id))


def _order_withdrawal(
    request: SignedInRequest, account: BankAccount, draft: Draft, key: str, proof: Proof | None
) -> TransferOrder:
    return cash.withdraw(
        actor=request.user,
        account=account,
        amount=draft.decimal_amount,
        description=draft.description,
        idempotency_key=key,
        proof=proof,
    )


def _review_withdrawal(request: SignedInRequest, account: BankAccount, amount: Decimal) -> dict[str, Any]:
    cash.require_self_service()
    return {
        "is_deposit": False,
        "balance_after": account.available - amount,
        "remaining_after": history.daily_use(request.user).remaining - amount,
        "before_it_goes": "",
    }


_WITHDRAWAL = _Way(
    name="withdraw",
    form=WithdrawalForm,
    look_ahead=_foresee_withdrawal,
    order=_order_withdrawal,
    review=_review_withdrawal,
    wording=confirming.Wording(
        done_already="This withdrawal was made already. Here is its receipt.",
        expired="This review has expired, and nothing was paid out. Please start again.",
        not_done="Nothing was paid out.",
    ),
)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.withdraw_own")
def withdraw(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    account = account_or_404(request, public_id)
    why_not = _why_not(account) or step_up.why_waits(request.user)
    return _form_page(request, account, _WITHDRAWAL, why_not=why_not, daily=history.daily_use(request.user))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.withdraw_own")
def withdraw_confirm(request: SignedInRequest, public_id: UUID, draft_id: UUID) -> HttpResponse:
    """Show the withdrawal, ask for the code that it may need, and pay out."""
    return _confirm_page(request, account_or_404(request, public_id), draft_id, _WITHDRAWAL)


# --- Both ---------------------------------------------------------------------------------------------------


def _form_page(
    request: SignedInRequest, account: BankAccount, way: _Way, *, why_not: str, daily: history.DailyUse
) -> HttpResponse:
    """Show the form; filled in, go on to its review."""
    form = way.form(request.POST or None, account=account, initial=_initial_of(request, account, way))
    if request.method == "POST" and form.is_valid():
        answer = _on_to_review(request, account, way, form, why_not)
        if answer is not None:
            return answer
    context = {
        "form": form,
        "account": account,
        "daily": daily,
        # A refused POST is answered at the form, which keeps what was typed.
        "why_not": "" if request.method == "POST" else why_not,
    }
    return render(request, way.template, context)


def _on_to_review(
    request: SignedInRequest, account: BankAccount, way: _Way, form: CashForm, why_not: str
) -> HttpResponse | None:
    """Go on to the review of a new draft; return None to show the form again, with the errors at its fields."""
    if why_not:
        form.add_error(None, why_not)
        return None
    draft_id, amount = uuid4(), form.cleaned_data["amount"]
    try:
        challenge = way.look_ahead(request, account, amount, draft_id)
    except NotNow:
        raise
    except (CashInLimitReached, DailyLimitReached) as refusal:
        form.add_error("amount", str(refusal))
        return None
    except Refusal as refusal:
        form.add_error(None, str(refusal))
        return None
    drafts.remember(
        request.session,
        draft_id,
        source=account,
        target=account,
        amount=amount,
        description=form.cleaned_data["description"],
        mode=way.name,
    )
    if challenge is not None:
        drafts.ask_code(request.session, draft_id, challenge)
    return redirect(f"{way.name}_confirm", account.public_id, draft_id)


def _confirm_page(request: SignedInRequest, account: BankAccount, draft_id: UUID, way: _Way) -> HttpResponse:
    """Show what will happen (GET); do it, once, with a code where it needs one (POST)."""
    start_url = reverse(way.name, args=[account.public_id])
    draft = confirming.draft_or_elsewhere(
        request, draft_id, _draft_of(request, account, draft_id, way), way.wording, start_url=start_url
    )
    if isinstance(draft, HttpResponse):
        return draft
    form, edit_url = confirming.form_for(request, draft), f"{start_url}?draft={draft_id}"

    def order_it(proof: Proof | None) -> TransferOrder:
        return way.order(request, account, draft, str(draft_id), proof)

    if form.is_valid():
        answer = confirming.carry_out(request, draft_id, form, order_it, way.wording, edit_url=edit_url)
        if answer is not None:
            return answer
    try:
        review = way.review(request, account, draft.decimal_amount)
    except NotNow:
        raise
    except Refusal as refusal:  # something has changed since the form was filled in
        return confirming.back_to(request, refusal, way.wording, edit_url=edit_url)
    context = {
        "review": review | {"amount": draft.decimal_amount, "description": draft.description},
        "form": form,
        "account": account,
        "edit_url": edit_url,
        "demo_code": confirming.demo_code_for(request, draft),
    }
    return render(request, "transfers/cash_review.html", context)


def _draft_of(request: SignedInRequest, account: BankAccount, draft_id: UUID, way: _Way) -> Draft | None:
    draft = drafts.draft_of(request.session, draft_id)
    return draft if draft is not None and (draft.mode, draft.source_id) == (way.name, account.pk) else None


def _initial_of(request: SignedInRequest, account: BankAccount, way: _Way) -> dict[str, str]:
    """Return the values of the draft that the customer goes back to change; nothing, if the address names no draft of
    this account."""
    draft_id = id_in(request, "draft")
    draft = _draft_of(request, account, draft_id, way) if draft_id else None
    return {"amount": as_typed(draft.decimal_amount), "description": draft.description} if draft else {}


def _why_not(account: BankAccount) -> str:
    """Return why filling in the form would be in vain; "" if it would not. The service decides in any case."""
    if account.status == AccountStatus.CLOSED:
        return "This account is closed. No money moves in or out of it any more."
    if not account.is_active:
        return "This account is frozen. No money moves in or out of it until the bank lifts the freeze."
    return "" if settings.SELF_SERVICE_CASH else cash.CashOnlyAtTheCounter.text
