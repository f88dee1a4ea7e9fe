from collections.abc import Callable
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
from transfers.forms import CashForm
from transfers.models import TransferOrder
from transfers.orders import cash, drafts, step_up
from transfers.orders.drafts import Draft
from transfers.orders.step_up import Proof, StepUpRequired
from transfers.views import confirming
from transfers.views.access import account_or_404, needs
from transfers.views.filling import id_in

_WORDING = confirming.Wording(
    done_already="This withdrawal was made already. Here is its receipt.",
    expired="This page has expired, and nothing was paid out. Please start again.",
    not_done="Nothing was paid out.",
)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.deposit_own")
def deposit(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    account = account_or_404(request, public_id)
    return _cash_page(request, account, cash.deposit, "transfers/deposit.html", why_not=_why_not(account))


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.withdraw_own")
def withdraw(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    account = account_or_404(request, public_id)
    why_not = _why_not(account) or step_up.why_waits(request.user)
    return _cash_page(request, account, cash.withdraw, "transfers/withdraw.html", why_not=why_not)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.withdraw_own")
def withdraw_confirm(request: SignedInRequest, public_id: UUID, draft_id: UUID) -> HttpResponse:
    """Asks for the code that a withdrawal needs, and pays out."""
    account = account_or_404(request, public_id)
    start_url = reverse("withdraw", args=[account.public_id])
    draft = confirming.draft_or_elsewhere(
        request, draft_id, _draft_of(request, account, draft_id), _WORDING, start_url=start_url
    )
    if isinstance(draft, HttpResponse):
        return draft
    form, edit_url = confirming.form_for(request, draft), f"{start_url}?draft={draft_id}"

    def order_it(proof: Proof | None) -> TransferOrder:
        return cash.withdraw(
            actor=request.user,
            account=account,
            amount=draft.decimal_amount,
            description=draft.description,
            idempotency_key=str(draft_id),
            proof=proof,
        )

    if form.is_valid():
        answer = confirming.carry_out(request, draft_id, form, order_it, _WORDING, edit_url=edit_url)
        if answer is not None:
            return answer
    context = {
        "form": form,
        "account": account,
        "amount": draft.decimal_amount,
        "description": draft.description,
        "balance_after": account.available - draft.decimal_amount,
        "remaining_after": history.daily_use(request.user).remaining - draft.decimal_amount,
        "edit_url": edit_url,
        "demo_code": confirming.demo_code_for(request, draft),
    }
    return render(request, "transfers/withdraw_confirm.html", context)


def _draft_of(request: SignedInRequest, account: BankAccount, draft_id: UUID) -> Draft | None:
    draft = drafts.draft_of(request.session, draft_id)
    return draft if draft is not None and (draft.mode, draft.source_id) == ("cash", account.pk) else None


def _cash_page(
    request: SignedInRequest,
    account: BankAccount,
    service: Callable[..., TransferOrder],
    template: str,
    *,
    why_not: str,
) -> HttpResponse:
    form = CashForm(request.POST or None, initial=_initial_of(request, account))
    if request.method == "POST" and form.is_valid():
        amount, description = form.cleaned_data["amount"], form.cleaned_data["description"]
        draft_id = _draft_id_for(request, form, account)
        try:
            order = service(
                actor=request.user,
                account=account,
                amount=amount,
                description=description,
                idempotency_key=str(draft_id),
            )
        except StepUpRequired as need:
            till = need.challenge.target
            drafts.remember(
                request.session,
                draft_id,
                source=account,
                target=till,
                amount=amount,
                description=description,
                mode="cash",
            )
            drafts.ask_code(request.session, draft_id, need.challenge)
            return redirect("withdraw_confirm", account.public_id, draft_id)
        except NotNow:
            raise
        except Refusal as refusal:
            form.add_error(None, str(refusal))
        else:
            return redirect("receipt", order.public_id)
    context = {
        "form": form,
        "account": account,
        "daily": history.daily_use(request.user),
        # What was posted was refused at the form, which keeps what was typed.
        "why_not": "" if request.method == "POST" else why_not,
    }
    return render(request, template, context)


def _draft_id_for(request: SignedInRequest, form: CashForm, account: BankAccount) -> UUID:
    """The form's own key, or a new one if the form has come back changed from its confirmation: what another window
    still shows must not become another amount."""
    draft_id: UUID = form.cleaned_data["key"]
    draft = drafts.draft_of(request.session, draft_id)
    same = (account.pk, str(form.cleaned_data["amount"]), form.cleaned_data["description"], "cash")
    if draft is None or (draft.source_id, draft.amount, draft.description, draft.mode) == same:
        return draft_id
    return uuid4()


def _initial_of(request: SignedInRequest, account: BankAccount) -> dict[str, str]:
    """What one goes back to change; nothing, if the address names no draft of this account."""
    draft_id = id_in(request, "draft")
    draft = _draft_of(request, account, draft_id) if draft_id else None
    return {"amount": as_typed(draft.decimal_amount), "description": draft.description} if draft else {}


def _why_not(account: BankAccount) -> str:
    """Why a form would be filled in for nothing; "" if it would not. The service decides all the same."""
    if account.status == AccountStatus.CLOSED:
        return "This account is closed. No money moves in or out of it any more."
    if not account.is_active:
        return "This account is frozen. No money moves in or out of it until the bank lifts the freeze."
    return "" if settings.SELF_SERVICE_CASH else cash.CashOnlyAtTheCounter.text
