from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from accounts.models import SignedInRequest
from foundation.money import format_money
from transfers import history
from transfers.models import OrderKind, OrderState, TransferOrder
from transfers.orders import holds
from transfers.statements import exports
from transfers.views.access import movement_url, needs, pdf_answer

_FORMS = {OrderKind.PAYMENT.value: "transfer_send", OrderKind.OWN_TRANSFER.value: "transfer_own"}
_ORDERING_PAGES = {"transfer_review", "deposit", "withdraw"}


@require_safe
@needs("transfers.open_own_account")
def receipt(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Show the receipt, for either side of an order; for everyone else it does not exist."""
    try:
        shown = history.receipt_for(request.user, public_id)
    except TransferOrder.DoesNotExist as error:
        raise Http404 from error
    context = {
        "receipt": shown,
        "again_url": f"{reverse(_FORMS[shown.kind])}?again={public_id}" if shown.can_be_repeated else "",
        "back_url": reverse("dashboard"),
        "pdf_url": reverse("receipt_pdf", args=[public_id]),
        "reversal_url": movement_url(request.user, shown.reversed_by, account=shown.account_id),
        "just_ordered": _comes_from_ordering(request),
    }
    return render(request, "transfers/receipt.html", context)


def _comes_from_ordering(request: SignedInRequest) -> bool:
    """Return whether the previous page was the one with the button; the browser's answer only changes words and
    links."""
    try:
        return resolve(urlsplit(request.headers.get("Referer", "")).path).url_name in _ORDERING_PAGES
    except (Resolver404, ValueError):
        return False


@require_http_methods(["GET", "HEAD", "POST"])
@needs("transfers.transfer_own_money")
def order_cancel(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Take back a held order, after a question (R3.14). An order that is not held any more leads to its receipt, which
    says what happened to it."""
    try:
        order = history.order_to_cancel(request.user, public_id)
    except TransferOrder.DoesNotExist as error:
        raise Http404 from error
    if request.method == "POST":
        try:
            holds.cancel_order(actor=request.user, order=order)
        except holds.DecidedAlready as refusal:
            messages.error(request, str(refusal))
        else:
            is_back = order.kind != OrderKind.DEPOSIT
            left = f"{format_money(order.amount)} is yours to spend again" if is_back else "Nothing was paid in"
            messages.success(request, f"Cancelled. {left}.")
        return redirect("receipt", public_id)
    if order.state != OrderState.HELD:
        return redirect("receipt", public_id)
    shown = history.receipt_of(order, request.user, label=order.label or "")
    return render(request, "transfers/order_cancel.html", {"receipt": shown})


@require_GET
@needs("transfers.open_own_account")
def receipt_pdf(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Return the receipt as a document, for the same people."""
    try:
        download = exports.download_receipt(actor=request.user, public_id=public_id, at=timezone.now())
    except TransferOrder.DoesNotExist as error:
        raise Http404 from error
    return pdf_answer(download)
