import json
from collections.abc import Iterable
from datetime import UTC
from typing import Any, ClassVar

from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from audit.lists.exporting import ExportingAdmin
from audit.lists.filters import ActionFilter, ActorFilter, ConcernsFilter
from audit.models import AuditBlock, AuditEntry
from foundation.admin.filters import TypedFilter
from foundation.admin.read_only import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ExportingAdmin):
    """Apps above add filters of theirs with `offer_filters()`."""

    list_display = ("at", "action", "actor_label", "subject_type", "subject_id", "ip", "request_id")
    list_filter: ClassVar[tuple[Any, ...]] = (ActionFilter, ActorFilter, ConcernsFilter)
    date_hierarchy = "at"
    ordering = ("-at",)
    search_wholes = ("subject_id",)
    search_help_text = "The id of what it was done to, in full."
    export_permission = "audit.export_auditentry"
    export_columns = (
        "At (UTC)", "Action", "Actor id", "Actor", "Subject type", "Subject id", "Concerns", "IP", "Request id",
        "Details",
    )  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """Search by the id of the subject, of every type there is, since the index begins with the type."""
        term = search_term.replace("\x00", "").strip()
        if not term:
            return queryset, False
        types = sorted({str(model._meta.model_name) for model in apps.get_models()})
        return queryset.filter(subject_type__in=types, subject_id=term[:64]), False

    def export_cells(self, row: AuditEntry) -> Iterable[str]:
        columns = (
            f"{timezone.localtime(row.at, UTC):%Y-%m-%d %H:%M:%S.%f}", row.action, row.actor_id, row.actor_label,
            row.subject_type, row.subject_id, row.concerns_id, row.ip, row.request_id,
            json.dumps(row.details, ensure_ascii=False, sort_keys=True),
        )  # fmt: skip
        return ("" if column is None else str(column) for column in columns)


def offer_filters(*filters: type[TypedFilter]) -> None:
    """Add filters to the log: an app above knows its own rows."""
    AuditEntryAdmin.list_filter = (*AuditEntryAdmin.list_filter, *filters)


@admin.register(AuditBlock)
class AuditBlockAdmin(ReadOnlyAdmin):
    list_display = ("number", "sealed_at", "entry_count", "highest_entry_id", "key_id", "hash")
    ordering = ("-number",)
