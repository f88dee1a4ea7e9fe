from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import BankAccount, User
from accounts.money_admin import MoneyAdmin
from audit.read_only_admin import ReadOnlyAdmin


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ("email", "name", "role", "is_active", "locked_at", "created_at")
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

    @admin.display(ordering="first_name")
    def name(self, user: User) -> str:
        return user.get_full_name()

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")  # the role of each row


@admin.register(BankAccount)
class BankAccountAdmin(MoneyAdmin):
    list_display = ("__str__", "kind", "owner", "status", "balance", "held", "opened_at")
    list_filter = ("kind", "status")
    list_select_related = ("owner",)
    search_fields = ("owner__email",)
    fields = ("masked_number", "kind", "owner", "status", "balance", "held", "opened_at", "closed_at")
