"""The staff's workplace: Django's admin, read-only, behind two-factor (R5.1)."""

from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.models import BankAccount, User
from accounts.roles import STAFF_ROLES, may
from audit.models import AuditEntry
from transfers.models import Entry, Transaction, TransferOrder


class BankAdminSite(admin.AdminSite):
    site_header = settings.BANK_NAME
    site_title = f"{settings.BANK_NAME} staff"
    index_title = "Staff area"
    site_url = "/"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff by role, with a second factor given; a superuser flag opens nothing (R1.7)."""
        user: Any = request.user
        return user.is_authenticated and user.can_sign_in and user.is_verified() and user.role in STAFF_ROLES

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """There is one way in, the bank's sign-in page; who is signed in and may not gets 403 there."""
        return redirect("home")


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows rows to roles that may view them. Nobody adds, changes or deletes one here, superusers included."""

    actions = None
    list_per_page = 50
    show_full_result_count = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request.user, f"{self.opts.app_label}.view_{self.opts.model_name}")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("email", "get_full_name", "role", "is_active", "locked_at", "created_at")
    list_filter = ("groups", "is_active")
    search_fields = ("email", "first_name", "last_name")
    fields = (
        "email",
        "first_name",
        "last_name",
        "role",
        "is_active",
        "locked_at",
        "created_at",
        "last_login",
    )


@admin.register(BankAccount)
class BankAccountAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "kind", "owner", "status", "balance", "held", "opened_at")
    list_filter = ("kind", "status")
    list_select_related = ("owner",)
    search_fields = ("owner__email",)
    fields = ("masked_number", "kind", "owner", "status", "balance", "held", "opened_at", "closed_at")


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = ("reference", "kind", "amount", "initiated_by", "created_at")
    list_filter = ("kind",)
    list_select_related = ("initiated_by",)
    search_fields = ("reference",)


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = ("posted_at", "transaction", "account", "direction", "amount", "balance_after", "sequence")
    list_filter = ("direction",)
    list_select_related = ("transaction", "account")


@admin.register(TransferOrder)
class TransferOrderAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "kind", "initiator", "source", "target", "amount", "state", "created_at")
    list_filter = ("kind", "state")
    list_select_related = ("initiator", "source", "target")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "actor_label", "subject_type", "subject_id", "ip", "request_id")
    list_filter = ("action",)
    search_fields = ("actor_label", "subject_id", "request_id")
