from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.requests import SignedInRequest
from transfers import selectors
from transfers.models import TransferOrder
from transfers.views.access import needs


@require_safe
@needs("transfers.open_own_account")
def receipt(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """For either side of an order; for everyone else it does not exist."""
    try:
        shown = selectors.receipt_for(request.user, public_id)
    except TransferOrder.DoesNotExist as error:
        raise Http404 from error
    return render(request, "transfers/receipt.html", {"receipt": shown, "back_url": reverse("dashboard")})
