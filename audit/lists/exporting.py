"""Lists that staff may download as a file, exactly as they are filtered (R6.4)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from django.contrib import messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET

from audit.actions import Action
from audit.lists.downloads import count_download
from audit.services import record
from foundation.admin.read_only import ReadOnlyAdmin
from foundation.csv_table import csv_pieces
from foundation.replica import as_now, may_be_behind

EXPORT_ROWS = 100_000
_ROWS_AT_ONCE = 500
# Filters in which an account number may be typed in full: it must not be in the log (R6.2).
_UNTOLD = {"q", "account"}


def export_rows(
    rows: QuerySet[Any],
    *,
    actor: Any,
    permission: str,
    columns: Sequence[str],
    cells: Callable[[Any], Iterable[str]],
    filters: dict[str, str],
) -> Iterator[bytes]:
    """Return the first `EXPORT_ROWS` rows as CSV, read while they are sent; the download is in the audit log.

    Raises:
        PermissionDenied: nothing was recorded.
        TooOften
    """
    if not actor.has_role_permission(permission):
        raise PermissionDenied(f"{actor} may not {permission}.")
    count_download(actor)
    told = {name: "…" if name in _UNTOLD else value[:100] for name, value in sorted(filters.items())}
    details = {"format": "csv", "list": rows.model._meta.model_name, "filters": told, "rows_at_most": EXPORT_ROWS}
    record(Action.EXPORT_DOWNLOADED, actor=actor, details=details)
    return csv_pieces(columns, ([*cells(row)] for row in _begun(rows[:EXPORT_ROWS])))


@may_be_behind
def _begun(rows: QuerySet[Any]) -> Iterator[Any]:
    """Return the rows, to be read while they are used. The first ones are read here: if that fails, another database is
    asked."""
    found = as_now(rows.iterator(chunk_size=_ROWS_AT_ONCE))
    return chain(list(islice(found, 1)), found)


class ExportingAdmin(ReadOnlyAdmin):
    """A read-only admin with a button that downloads the filtered list as CSV, for roles with `export_permission`."""

    change_list_template = "admin/exportable_list.html"
    export_permission = ""
    export_columns: tuple[str, ...] = ()
    export_prefetched: tuple[str, ...] = ()

    def export_cells(self, row: Any) -> Iterable[str]:
        """Return the row as texts, one for each of `export_columns`."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_view)
        return [path("export/", view, name=f"{self.opts.app_label}_{self.opts.model_name}_export"), *super().get_urls()]

    def may_export(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return self.has_view_permission(request) and user.has_role_permission(self.export_permission)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        chosen = request.GET.copy()
        chosen.pop("p", None)
        url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_export")
        page = {"export_url": f"{url}?{chosen.urlencode()}" if self.may_export(request) else "", "most": EXPORT_ROWS}
        return super().changelist_view(request, page | (extra_context or {}))

    @method_decorator(require_GET)
    def export_view(self, request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        """Download the filtered list; filters that are not understood lead back to the page that says so."""
        if not self.may_export(request):
            raise PermissionDenied
        try:
            changes = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        problem = next(filter(None, (getattr(spec, "problem", "") for spec in changes.filter_specs)), "")
        if problem:
            messages.error(request, problem)
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        pieces = export_rows(
            changes.queryset.prefetch_related(*self.export_prefetched),
            actor=request.user,
            permission=self.export_permission,
            columns=self.export_columns,
            cells=self.export_cells,
            filters=request.GET.dict(),
        )
        name = f"{self.opts.model_name}-{timezone.localdate().isoformat()}.csv"
        return StreamingHttpResponse(
            pieces,
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )
