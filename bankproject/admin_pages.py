"""What staff see of each model. Imported once the site stands (`bankproject.apps`): made while the site is being
made, these pages would be registered with an instance that is thrown away."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from accounts.models import BankAccount, User
from accounts.money import MoneyField, format_money
from audit.models import AuditEntry
from bankproject.admin_site import ReadOnlyAdmin
from transfers.models import Entry, Transaction, TransferOrder


@cache
def _money(name: str) -> Callable[[Any], str]:
    """The field as people write amounts, for lists and rows. admin.css knows it by its name."""

    @admin.display(description=name.replace("_", " "), ordering=name)
    def shown(row: Any) -> str:
        return format_money(getattr(row, name))

    shown.__name__ = f"money_{name}"
    return shown


class MoneyAdmin(ReadOnlyAdmin):
    """Shows each amount of its model with the currency."""

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return self._with_money(super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return self._with_money(super().get_fields(request, obj))

    def _with_money(self, names: Iterable[Any]) -> list[Any]:
        amounts = {field.name for field in self.opts.fields if isinstance(field, MoneyField)}
        return [_money(name) if name in amounts else name for name in names]


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

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")  # the role of each row


@admin.register(BankAccount)
class BankAccountAdmin(MoneyAdmin):
    list_display = ("__str__", "kind", "owner", "status", "balance", "held", "opened_at")
    list_filter = ("kind", "status")
    list_select_related = ("owner",)
    search_fields = ("owner__email",)
    fields = ("masked_number", "kind", "owner", "status", "balance", "held", "opened_at", "closed_at")


@admin.register(Transaction)
class TransactionAdmin(MoneyAdmin):
    list_display = ("reference", "kind", "amount", "initiated_by", "created_at")
    list_filter = ("kind",)
    list_select_related = ("initiated_by",)
    search_fields = ("reference",)


@admin.register(Entry)
class EntryAdmin(MoneyAdmin):
    list_display = ("posted_at", "transaction", "account", "direction", "amount", "balance_after", "sequence")
    list_filter = ("direction",)
    list_select_related = ("transaction", "account")


@admin.register(TransferOrder)
class TransferOrderAdmin(MoneyAdmin):
    list_display = ("public_id", "kind", "initiator", "source", "target", "amount", "state", "created_at")
    list_filter = ("kind", "state")
    list_select_related = ("initiator", "source", "target")


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "actor_label", "subject_type", "subject_id", "ip", "request_id")
    list_filter = ("action",)
    search_fields = ("actor_label", "subject_id", "request_id")
