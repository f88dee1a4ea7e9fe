from functools import partial
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from accounts.models import SignedInRequest
from foundation.idempotency import IdempotencyConflict
from foundation.paging import page_in, pager_urls
from foundation.refusals import NotNow, Refusal
from support import selectors
from support import tickets as service
from support.forms import ReplyForm, TicketForm
from support.models import Ticket
from support.requests.kinds import kind_of
from transfers.views.access import needs


@require_safe
@needs("support.open_ticket")
def help_page(request: SignedInRequest) -> HttpResponse:
    """Show everything that a customer can ask the bank: the latest messages and requests."""
    context = {
        "tickets": selectors.tickets_of(request.user).items[:3],
        "service_requests": [(kind_of(row), row) for row in selectors.requests_of(request.user).items[:3]],
    }
    return render(request, "support/help.html", context)


@require_safe
@needs("support.open_ticket")
def tickets(request: SignedInRequest) -> HttpResponse:
    page = page_in(request, partial(selectors.tickets_of, request.user))
    context = {"tickets": page.items} | pager_urls(page, reverse("tickets"), newest_only=True)
    return render(request, "support/tickets.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("support.open_ticket")
def ticket_open(request: SignedInRequest) -> HttpResponse:
    """Write to the bank; `?payment=` fills in the reference of a movement."""
    form = TicketForm(request.POST or None, initial={"reference": request.GET.get("payment", "")[:14]})
    if request.method == "POST" and form.is_valid():
        try:
            ticket = service.open_ticket(
                actor=request.user,
                subject=form.cleaned_data["subject"],
                text=form.cleaned_data["text"],
                reference=form.cleaned_data["reference"],
                idempotency_key=form.idempotency_key,
            )
        except service.UnknownPayment as refusal:
            form.add_error("reference", str(refusal))
        except IdempotencyConflict as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, "We have your message, and answer as soon as we can.")
            return redirect("ticket", ticket.public_id)
    return render(request, "support/ticket_open.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
@needs("support.open_ticket")
def ticket(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Show the conversation; a POST is a reply."""
    form = ReplyForm(request.POST or None)
    try:
        conversation = selectors.conversation_of(request.user, public_id)
        if request.method == "POST" and form.is_valid():
            service.reply_to_ticket(actor=request.user, public_id=public_id, text=form.cleaned_data["text"])
            messages.success(request, "Your reply is sent.")
            return redirect("ticket", public_id)
    except Ticket.DoesNotExist as error:
        raise Http404 from error
    except NotNow:
        raise
    except Refusal as refusal:
        form.add_error(None, str(refusal))
    return render(request, "support/ticket.html", {"conversation": conversation, "form": form})
