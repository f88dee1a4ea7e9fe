from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.urls import reverse

from accounts.models import BankAccount, SignedInRequest, User
from accounts.roles import require
from transfers import history
from transfers.statements.exports import Download


def pdf_answer(download: Download) -> HttpResponse:
    """Return a document to save; the browser, and anybody who uses it later, finds no kept copy (R8.2)."""
    return HttpResponse(
        b"".join(download.chunks),
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{download.filename}"', "Cache-Control": "no-store"},
    )


def movement_url(user: User, reference: str, *, account: UUID) -> str:
    """Return the page of a movement on one of the user's accounts; "" if there is no such movement."""
    place = history.movement_referred_to(user, reference, account=account) if reference else None
    return reverse("entry", args=place) if place else ""


def needs(permission: str) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Answer 403 to roles without `permission`, before the page is built. The services check again."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def guarded(request: SignedInRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            require(request.user, permission)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def account_or_404(request: SignedInRequest, public_id: UUID) -> BankAccount:
    """Return the signed-in user's account; another customer's is answered like one that does not exist (R1.7)."""
    try:
        return history.account_of(request.user, public_id)
    except BankAccount.DoesNotExist as error:
        raise Http404 from error
