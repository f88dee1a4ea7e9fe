"""Sending money: form, review, confirm, receipt (R3.6). Each step is a page of its own, each POST redirects."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import BankAccount, SignedInRequest
from transfers import history
from transfers.forms import OwnTransferForm, SendMoneyForm
from transfers.models import NameCheck, OrderKind, TransferOrder
from transfers.orders import drafts, fraud, limits, screening, sending
from transfers.orders.explanations import AboutName, about_another_name, about_name_check, before_holding
from transfers.orders.limits import DailyLimitReached
from transfers.orders.payee_names import NameGiven, NameNeeded
from transfers.orders.step_up import Proof, WaitsAfterReset
from transfers.payees import selectors as payee_selectors
from transfers.payees import services as payees
from transfers.payees.name_check import guess_of
from transfers.payees.selectors import NamedPayee
from transfers.views import confirming
from transfers.views.access import needs
from transfers.views.filling import first_but, initial_of, payee_choices

PAYEES_OFFERED = 5

_WORDING = confirming.Wording(
    done_already="This transfer was sent already. Here is its receipt.",
    expired="This review has expired, and nothing was sent. Please start again.",
    not_done="Nothing was sent.",
)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def transfer_own(request: SignedInRequest) -> HttpResponse:
    accounts = history.accounts_of(request.user, active_only=True)
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
    accounts = history.accounts_of(request.user, active_only=True)
    daily = history.daily_use(request.user)
    form = SendMoneyForm(request.POST or None, accounts=accounts, initial=initial_of(request, OrderKind.PAYMENT))
    answer = _on_to_review(request, form, daily) if form.is_valid() else None
    if answer is not None:
        return answer
    context = {
        "form": form,
        "mode": "send",
        "daily": daily,
        "has_enough_accounts": bool(accounts),
        "choices": payee_choices(request, most=PAYEES_OFFERED),
    }
    return render(request, "transfers/transfer_form.html", context)


def _on_to_review(request: SignedInRequest, form: SendMoneyForm, daily: history.DailyUse) -> HttpResponse | None:
    """Go on to the review; return None to show the form again, with the errors at its fields."""
    try:
        found = payees.find_payee(
            actor=request.user, number=form.cleaned_data["number"], name=form.cleaned_data["name"]
        )
        if found.account == form.source_account:
            raise sending.SameAccount
        payee = found.read_by(request.user)
        if not payee.is_known and found.given is None:
            raise NameNeeded
        if not payee.is_own and form.cleaned_data["amount"] > daily.remaining:
            raise DailyLimitReached
        return _to_review(request, form, found.account, mode="send", name_given=found.given)
    except NameNeeded as refusal:
        form.add_error("name", str(refusal))
    except (sending.PayeeCannotReceive, sending.SameAccount) as refusal:
        form.add_error("number", str(refusal))
    except DailyLimitReached as refusal:
        form.add_error("amount", str(refusal))
    except WaitsAfterReset as refusal:
        form.add_error(None, str(refusal))
    return None


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def transfer_review(request: SignedInRequest, draft_id: UUID) -> HttpResponse:
    """Show what will happen (GET); do it, once, with a code where it needs one (POST)."""
    draft = confirming.draft_or_elsewhere(
        request, draft_id, _draft_of(request, draft_id), _WORDING, start_url=reverse("transfer_send")
    )
    if isinstance(draft, HttpResponse):
        return draft
    source, target = drafts.sides_of(draft)
    form, edit_url = confirming.form_for(request, draft), _edit_url(draft, draft_id)

    def order_it(proof: Proof | None) -> TransferOrder:
        return sending.transfer(
            actor=request.user,
            source=source,
            target=target,
            amount=draft.decimal_amount,
            description=draft.description,
            name_given=_said_in(form, draft),
            idempotency_key=str(draft_id),
            proof=proof,
        )

    if form.is_valid():
        answer = confirming.carry_out(request, draft_id, form, order_it, _WORDING, edit_url=edit_url)
        if answer is not None:
            return answer
    context = {
        "review": _review(request, draft, source, target),
        "form": form,
        "edit_url": edit_url,
        "demo_code": confirming.demo_code_for(request, draft),
    }
    return render(request, "transfers/transfer_review.html", context)


def _said_in(form: forms.Form, draft: drafts.Draft) -> NameGiven | None:
    """Return the payee's name as it was checked, and whether the payer ticked to send anyway."""
    given = draft.name_given
    return replace(given, all_the_same=True) if given and form.cleaned_data.get("all_the_same") else given


def _draft_of(request: SignedInRequest, draft_id: UUID) -> drafts.Draft | None:
    draft = drafts.draft_of(request.session, draft_id)
    return draft if draft is not None and draft.is_transfer else None


def _to_review(
    request: SignedInRequest,
    form: OwnTransferForm | SendMoneyForm,
    target: BankAccount,
    *,
    mode: str,
    name_given: NameGiven | None = None,
) -> HttpResponse:
    """Keep the draft, with the challenge if it needs a code.

    Raises:
        WaitsAfterReset
    """
    draft_id = uuid4()
    source, amount = form.source_account, form.cleaned_data["amount"]
    challenge = sending.challenge_for(
        actor=request.user, source=source, target=target, amount=amount, idempotency_key=str(draft_id)
    )
    description = form.cleaned_data["description"]
    sides: dict[str, Any] = {"source": source, "target": target, "name_given": name_given}
    drafts.remember(request.session, draft_id, amount=amount, description=description, mode=mode, **sides)
    if challenge is not None:
        drafts.ask_code(request.session, draft_id, challenge)
    return redirect("transfer_review", draft_id)


def _review(request: SignedInRequest, draft: drafts.Draft, source: BankAccount, target: BankAccount) -> dict[str, Any]:
    own = target.owner_id == request.user.pk
    amount = draft.decimal_amount
    payee = payee_selectors.named_payee(request.user, target, draft.name_given)
    return {
        "source": source,
        # With their own label: alone it could hide who is paid.
        "payee": payee,
        "check": _about_name(draft.name_given, payee),
        "before_it_goes": "" if own else _before_it_goes(request, amount, is_first=not payee.is_known),
        "target_number_masked": target.masked_number,
        "amount": amount,
        "description": draft.description,
        "mode": "own" if own else "send",
        "balance_after": source.available - amount,
        "remaining_after": None if own else history.daily_use(request.user).remaining - amount,
    }


def _about_name(given: NameGiven | None, payee: NamedPayee) -> AboutName | None:
    """Return what the page says about the entered name: for a known payee, only if it is another one."""
    if given is None or not given.typed:
        return None
    if not (payee.is_known and payee.name_confirmed):
        return about_name_check(given.check, given.typed, payee.name)
    if given.is_another:
        return about_another_name(given.typed, payee.name)
    if guess_of(given.typed) != guess_of(payee.name):
        return about_name_check(NameCheck.NEAR, given.typed, payee.name)
    return None


def _before_it_goes(request: SignedInRequest, amount: Decimal, *, is_first: bool) -> str:
    """Return what the customer is told about a payment that would be held now; the rules are checked again when it is
    sent."""
    payment = fraud.Payment(amount, timezone.now(), is_first)
    earlier = limits.earlier_payments(limits.limit_of(request.user), at=payment.at)
    rules = screening.rules_set_off(payment, earlier=earlier)
    return before_holding(fraud.hold_reason(rules))


def _edit_url(draft: drafts.Draft, draft_id: UUID) -> str:
    return reverse("transfer_own" if draft.mode == "own" else "transfer_send") + f"?draft={draft_id}"
