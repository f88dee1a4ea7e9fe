from functools import partial
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_safe

from accounts.models import BankAccount, SignedInRequest
from foundation.paging import page_in, pager_urls
from transfers import history as selectors
from transfers.history.filters import HistoryFilterForm, HistoryFilters
from transfers.models import Entry
from transfers.statements import exports
from transfers.views.access import movement_url, needs


@require_safe
@needs("transfers.open_own_account")
def history(request: SignedInRequest) -> HttpResponse:
    """Show movements on one account or all, filtered by the address, with the totals of what is shown (R3.7)."""
    if "" in request.GET.values():  # empty fields, which browsers send too; addresses are made to be shared
        given = [(name, value) for name, values in request.GET.lists() for value in values if value]
        return redirect(f"{request.path}?{urlencode(given)}" if given else request.path)
    accounts = selectors.accounts_of(request.user)
    form = HistoryFilterForm(request.GET, accounts=accounts)
    context = {"form": form, "has_accounts": bool(accounts), "first_url": request.path}
    if form.is_valid():
        context |= _shown(request, form.filters, accounts)
    context["chips"] = list(form.filters.chips(request.path))
    return render(request, "transfers/history.html", context)


@require_GET
@needs("transfers.open_own_account")
def history_export(request: SignedInRequest) -> HttpResponse | StreamingHttpResponse:
    """Download the filtered movements as CSV; filters that are not understood lead back to the page that says so."""
    form = HistoryFilterForm(request.GET, accounts=selectors.accounts_of(request.user))
    if not form.is_valid():
        return redirect(f"{reverse('history')}?{request.GET.urlencode()}")
    download = exports.export_history(actor=request.user, filters=form.filters)
    return StreamingHttpResponse(
        download.chunks,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{download.filename}"', "Cache-Control": "no-store"},
    )


@require_safe
@needs("transfers.open_own_account")
def entry(request: SignedInRequest, public_id: UUID, sequence: int) -> HttpResponse:
    """Show one movement; for everyone except the account's owner it does not exist."""
    try:
        row = selectors.entry_of(request.user, public_id, sequence)
    except Entry.DoesNotExist as error:
        raise Http404 from error
    context = {
        "entry": row,
        "account_url": reverse("account", args=[public_id]),
        "other_url": movement_url(request.user, row.reversed_by or row.reverses, account=public_id),
    }
    return render(request, "transfers/entry.html", context)


def _shown(request: SignedInRequest, asked: HistoryFilters, accounts: list[BankAccount]) -> dict[str, Any]:
    """Return what the history page shows if every filter was understood."""
    filters = selectors.with_named_accounts(request.user, asked)
    here = request.path
    page = page_in(request, partial(selectors.filtered_page, request.user, filters))
    totals = selectors.totals_of(request.user, filters, accounts)
    moved = sum(account.last_sequence for account in accounts if filters.account in (None, account))
    return {
        "entries": page.items,
        "show_account": filters.account is None,
        "totals": totals,
        "own_moves_count": filters.account is None and len(accounts) > 1,
        **pager_urls(page, filters.url(here)),
        "first_url": filters.url(here),
        "export_url": filters.url(reverse("history_export")),
        "export_rows": exports.EXPORT_ROWS if totals.is_cut and moved > exports.EXPORT_ROWS else None,
    }
