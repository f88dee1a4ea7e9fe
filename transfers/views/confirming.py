"""The last step before money goes out: the reviewed order is carried out, once, with a code where it needs one
(R3.6)."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect

from accounts.models import SignedInRequest
from accounts.sign_in import two_factor
from accounts.sign_in.origin import origin_of
from accounts.sign_in.signing_in import LockedOut
from accounts.views.sign_in import locked_out
from foundation.refusals import NotNow, Refusal
from transfers.forms import ConfirmByCodeForm, ConfirmForm
from transfers.models import TransferOrder
from transfers.orders import drafts
from transfers.orders import records as order_records
from transfers.orders.drafts import Draft
from transfers.orders.step_up import Proof, StepUpRequired, TooManyCodes, WrongStepUpCode


@dataclass(frozen=True)
class Wording:
    """The words for one kind of payment."""

    done_already: str
    expired: str
    not_done: str


def draft_or_elsewhere(
    request: SignedInRequest, draft_id: UUID, draft: Draft | None, wording: Wording, *, start_url: str
) -> Draft | HttpResponse:
    """Return the draft to confirm; if there is none, a redirect to the receipt of what was done already, or back to the
    start."""
    earlier = order_records.order_of_key(request.user, str(draft_id))
    # A repeated confirm whose draft is gone (signed in again, ten newer drafts) must not read as if nothing was done.
    if earlier is not None and (request.method == "GET" or draft is None):
        messages.info(request, wording.done_already)
        return redirect("receipt", earlier.public_id)
    if draft is None or (draft.is_stale and earlier is None):
        messages.error(request, wording.expired)
        return redirect(start_url)
    return draft


def form_for(request: SignedInRequest, draft: Draft) -> forms.Form:
    """Return the form: a tick, if the payee's name was not confirmed, and a field for the code, if one is needed."""
    data = request.POST if request.method == "POST" else None
    needs_a_word = draft.name_given is not None and draft.name_given.needs_a_word
    if not draft.challenge:
        return ConfirmForm(data, needs_a_word=needs_a_word)
    return ConfirmByCodeForm(data, challenge=draft.challenge, why=draft.why, needs_a_word=needs_a_word)


def demo_code_for(request: SignedInRequest, draft: Draft) -> str | None:
    """Return the code to give, if the bank is a demo."""
    return two_factor.current_code(request.user) if settings.DEMO and draft.challenge else None


def carry_out(
    request: SignedInRequest,
    draft_id: UUID,
    form: forms.Form,
    order_it: Callable[[Proof | None], TransferOrder],
    wording: Wording,
    *,
    edit_url: str,
) -> HttpResponse | None:
    """Return the answer to a filled-in form: a redirect to the receipt, or back to where it can be corrected; None to
    show this page again, with the error at its field."""
    try:
        order = order_it(_proof_in(request, form))
    except StepUpRequired as need:
        drafts.ask_code(request.session, draft_id, need.challenge)
        messages.warning(request, f"{need} {wording.not_done}")
        return redirect(request.path)
    except WrongStepUpCode as refusal:
        form.add_error("code", str(refusal))
        return None
    except TooManyCodes as error:
        return locked_out(request, LockedOut(error.retry_after))
    except NotNow:
        raise
    except Refusal as refusal:
        return back_to(request, refusal, wording, edit_url=edit_url)
    return redirect("receipt", order.public_id)


def back_to(request: SignedInRequest, refusal: Refusal, wording: Wording, *, edit_url: str) -> HttpResponse:
    """Redirect back to where it can be corrected, with the refusal."""
    messages.error(request, f"{refusal} {wording.not_done}")
    return redirect(edit_url)


def _proof_in(request: SignedInRequest, form: forms.Form) -> Proof | None:
    """Return the proof; None if no code was asked for. A challenge that was not sent along fits no payment."""
    if not isinstance(form, ConfirmByCodeForm):
        return None
    return Proof(origin_of(request), form.cleaned_data["challenge"] or UUID(int=0), form.cleaned_data["code"])
