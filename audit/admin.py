from django.contrib import admin

from audit.models import AuditEntry
from audit.read_only_admin import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "actor_label", "subject_type", "subject_id", "ip", "request_id")
    list_filter = ("action",)
    search_fields = ("actor_label", "subject_id", "request_id")
