from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from accounts.models import SignedInRequest
from transfers import history
from transfers.history.filters import HistoryFilters
from transfers.periods import Month
from transfers.statements import exports
from transfers.views.access import account_or_404, needs, pdf_answer


@require_safe
@needs("transfers.open_own_account")
def statements(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """List the months of an account, each a document to download (R3.7)."""
    account = account_or_404(request, public_id)
    now = timezone.now()
    months = [
        {
            "first_day": month.first_day,
            "is_so_far": month == Month.of(now),
            "url": reverse("statement", args=[public_id, month.year, month.number]),
        }
        for month in history.statement_months(account, at=now)
    ]
    return render(request, "transfers/statements.html", {"account": account, "months": months})


@require_GET
@needs("transfers.open_own_account")
def statement(request: SignedInRequest, public_id: UUID, year: int, month: int) -> HttpResponse:
    """Return one month as PDF; a month without the account, or of another customer, does not exist."""
    account = account_or_404(request, public_id)
    if not 1 <= month <= 12:
        raise Http404
    wanted = Month(year, month)
    try:
        download = exports.download_statement(actor=request.user, account=account, month=wanted, at=timezone.now())
    except history.NoSuchMonth as error:
        raise Http404 from error
    except history.StatementTooLong as refusal:
        messages.error(request, str(refusal))
        month_only = HistoryFilters(account=account, date_from=wanted.first_day, date_to=wanted.last_day)
        return redirect(month_only.url(reverse("history")))
    return pdf_answer(download)
