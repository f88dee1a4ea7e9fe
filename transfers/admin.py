from django.contrib import admin

from accounts.money_admin import MoneyAdmin
from transfers.models import Entry, Transaction, TransferOrder


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
