from collections.abc import Iterable
from datetime import UTC
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts import freezes
from accounts.models import BankAccount, User
from accounts.roles import may
from accounts.staff.acts import ActingAdmin, offer
from accounts.staff.list_filters import AmountFilter
from accounts.staff.pending_acts import in_words
from audit.lists.exporting import ExportingAdmin
from foundation.admin.read_only import MoneyAdmin
from foundation.admin.table import moment_text
from foundation.money import format_money
from transfers.admin_acts import ACCOUNT_ACTS, ALERT_ACTS, ORDER_ACTS, TRANSACTION_ACTS, USER_ACTS
from transfers.history.staff import orders_seen_by, sees_the_ledger
from transfers.list_filters import BegunByFilter, EntriesOfFilter, MovedOnFilter, OrderedByFilter, PaidFromFilter
from transfers.models import Direction, Entry, FraudAlert, NameCheck, OrderState, Transaction, TransferOrder
from transfers.names import payee_of
from transfers.orders import explanations, large_reversals
from transfers.orders.records import with_reversal, with_reversed_by

# The name of an account in a list.
_ACCOUNT = ("ledger_code", "number", "owner", "public_id")

offer(BankAccount, *ACCOUNT_ACTS)
offer(User, *USER_ACTS)
offer(Transaction, *TRANSACTION_ACTS)
offer(TransferOrder, *ORDER_ACTS)
offer(FraudAlert, *ALERT_ACTS)


@admin.register(Transaction)
class TransactionAdmin(ActingAdmin, MoneyAdmin, ExportingAdmin):
    list_display = ("reference", "kind", "amount", "initiated_by", "created_at", "reversed_by")
    # The account's order before the amount's: an account has fewer rows than a range of amounts.
    list_filter = ("kind", BegunByFilter, MovedOnFilter, AmountFilter)
    list_select_related = ("initiated_by",)
    list_reads = ("reference", "kind", "amount", "created_at", "initiated_by__email")
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_wholes = ("reference",)
    search_help_text = "A reference, in full."
    export_permission = "transfers.export_transactions"
    export_columns = (
        "At (UTC)", "Reference", "Kind", "Amount", "Currency", "From", "To", "Begun by", "Description", "Reverses",
        "Reversed by",
    )  # fmt: skip
    export_prefetched = ("entries__account", "reverses")
    fields = (
        "reference", "kind", "amount", "description", "initiated_by", "created_at", "reverses", "reversal", "entries",
        "order",
    )  # fmt: skip

    about_template = "admin/pending_acts.html"

    def about(self, request: HttpRequest, row: Transaction) -> dict[str, Any]:
        """Show a reversal of it that waits for a second administrator."""
        if not may(request.user, "accounts.view_pendingact"):
            return {"pending_acts": []}
        return {"pending_acts": [in_words(act) for act in large_reversals.waiting_for(row)]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transaction]:
        """Return each row with the reference of its reversal, in the same statement (R3.15)."""
        return with_reversed_by(super().get_queryset(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields, without those about a reversal if the movement neither is one nor has one."""
        says = {"reverses": bool(obj and obj.reverses_id), "reversal": bool(obj and obj.reversed_by)}
        return [name for name in super().get_fields(request, obj) if says.get(getattr(name, "__name__", name), True)]

    @admin.display(description="reversed by")
    def reversed_by(self, transaction: Transaction) -> str:
        return transaction.reversed_by or ""

    @admin.display(description="reversed by")
    def reversal(self, transaction: Transaction) -> SafeString:
        """Show which movement reversed it, and when."""
        return _reversal_of(transaction.pk)

    def export_cells(self, row: Transaction) -> Iterable[str]:
        """Return numbers masked, as staff see them; amounts plain, so that a spreadsheet can add them up."""
        sides: dict[str, list[str]] = {side: [] for side in Direction.values}
        for entry in row.entries.all():
            sides[entry.direction].append(str(entry.account))
        return (
            f"{timezone.localtime(row.created_at, UTC):%Y-%m-%d %H:%M:%S.%f}", row.reference, row.kind,
            f"{row.amount:f}", settings.CURRENCY, ", ".join(sides[Direction.DEBIT]),
            ", ".join(sides[Direction.CREDIT]), str(row.initiated_by), row.description,
            row.reverses.reference if row.reverses else "", row.reversed_by or "",
        )  # fmt: skip

    @admin.display(description="entries")
    def entries(self, transaction: Transaction) -> SafeString:
        """Show debits and credits, each with the balance after it."""
        rows = Entry.objects.filter(transaction=transaction).select_related("account").order_by("direction", "id")
        return format_html(
            "<table><thead><tr><th scope='col'>Account</th><th scope='col'>Side</th><th scope='col'>Amount</th>"
            "<th scope='col'>Balance after</th></tr></thead><tbody>{}</tbody></table>",
            format_html_join(
                "",
                '<tr><td><a href="{}">{}</a></td><td>{}</td><td class="money">{}</td><td class="money">{}</td></tr>',
                (
                    (
                        reverse("admin:accounts_bankaccount_change", args=[row.account_id]),
                        row.account,
                        row.get_direction_display(),
                        format_money(row.amount),
                        format_money(row.balance_after),
                    )
                    for row in rows
                ),
            ),
        )

    @admin.display(description="order")
    def order(self, transaction: Transaction) -> SafeString | str:
        order = TransferOrder.objects.filter(transaction=transaction).first()
        if order is None:
            return "none"
        url = reverse("admin:transfers_transferorder_change", args=[order.pk])
        return format_html('<a href="{}">{}</a>', url, order)


@admin.register(Entry)
class EntryAdmin(MoneyAdmin):
    list_display = ("posted_at", "transaction", "account", "direction", "amount", "balance_after", "sequence")
    list_filter = (EntriesOfFilter,)
    list_select_related = ("transaction", "account")
    list_reads = (
        "posted_at", "transaction__reference", *(f"account__{column}" for column in _ACCOUNT), "direction", "amount",
        "balance_after", "sequence",
    )  # fmt: skip
    ordering = ("-id",)
    search_path = "transaction"
    search_wholes = ("reference",)
    search_help_text = "The reference of a transaction, in full."


@admin.register(TransferOrder)
class TransferOrderAdmin(ActingAdmin, MoneyAdmin):
    """Support sees orders that were or are held, which it decides; not the rest of the ledger (R5.4)."""

    list_display = ("created_at", "kind", "initiator", "source", "target", "amount", "state", "reversed_by")
    list_filter = ("state", OrderedByFilter, PaidFromFilter)
    list_select_related = ("initiator", "source", "target")
    list_reads = (
        "created_at", "kind", "amount", "state", "initiator__email",
        *(f"{side}__{column}" for side in ("source", "target") for column in _ACCOUNT),
    )  # fmt: skip
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    search_path = "transaction"
    search_wholes = ("reference",)
    search_help_text = "The reference of its transaction, in full."
    fields = (
        "public_id", "kind", "initiator", "source", "payer_name", "target", "payee_name", "name_check",
        "name_the_payer_reads", "is_first_payment", "amount", "description", "state", "transaction", "reversal",
        "created_at", "why_held", "frozen", "expires", "alerts", "decided_by", "decided_at", "decision_reason",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields, without links to what this person may not see."""
        hidden = {"transaction", "reversal"} if not _sees_the_ledger(request) else set()
        if obj is not None and NameCheck(obj.name_check).is_confirmed:
            hidden.add("name_the_payer_reads")
        if obj is None or not obj.reversed_by:
            hidden |= {"reversal"}
        if obj is not None and obj.state == OrderState.POSTED:
            hidden |= {"why_held", "decided_by", "decided_at", "decision_reason"}
        if obj is not None and obj.state != OrderState.HELD:
            hidden |= {"expires", "frozen"}  # the present freezes say nothing about the time of the decision
        return [name for name in super().get_fields(request, obj) if getattr(name, "__name__", name) not in hidden]

    @admin.display(description="name that the payer typed and reads")
    def name_the_payer_reads(self, order: TransferOrder) -> str:
        return str(payee_of(order))

    @admin.display(description="reversed by")
    def reversed_by(self, order: TransferOrder) -> str:
        return order.reversed_by or ""

    @admin.display(description="reversed by")
    def reversal(self, order: TransferOrder) -> SafeString:
        """Show which movement reversed it, and when."""
        return _reversal_of(order.transaction_id)

    @admin.display(description="why it was held")
    def why_held(self, order: TransferOrder) -> str:
        """Show the text that the customer reads."""
        return explanations.why_held(order) or order.hold_reason

    @admin.display(description="frozen accounts")
    def frozen(self, order: TransferOrder) -> SafeString | str:
        return _why_frozen(order.source, order.target)

    @admin.display(description="expires")
    def expires(self, order: TransferOrder) -> str:
        """Show when it is given back if nobody decides."""
        return date_format(timezone.localtime(order.expires_at), "DATETIME_FORMAT")

    @admin.display(description="alerts")
    def alerts(self, order: TransferOrder) -> SafeString | str:
        alerts = FraudAlert.objects.filter(order=order).order_by("pk")
        links = (
            (reverse("admin:transfers_fraudalert_change", args=[alert.pk]), alert, alert.get_state_display().lower())
            for alert in alerts
        )
        return format_html_join(", ", '<a href="{}">{}</a> ({})', links) or "none"

    def get_queryset(self, request: HttpRequest) -> QuerySet[TransferOrder]:
        user: Any = request.user
        return with_reversal(orders_seen_by(user, super().get_queryset(request)))


@admin.register(FraudAlert)
class FraudAlertAdmin(ActingAdmin):
    """Alerts of the fraud rules, each with its payment: Support sees no other payments (R3.10, R5.4)."""

    list_display = ("created_at", "rule", "customer", "money_amount", "state", "closed_by")
    list_filter = ("state",)
    list_select_related = ("order__source__owner", "order__target__owner", "closed_by")
    list_reads = (
        "created_at", "rule", "state", "closed_by__email", "order__kind", "order__amount",
        "order__source__owner__email", "order__target__owner__email",
    )  # fmt: skip
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (
        "rule", "created_at", "customer", "money_amount", "source", "target", "frozen", "description", "payment_state",
        "order", "state", "closed_by", "closed_at", "note",
    )  # fmt: skip

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the fields, without a link to a payment that this person may not see."""
        names = super().get_fields(request, obj)
        is_linked = obj is None or obj.order.state != OrderState.POSTED or _sees_the_ledger(request)
        return [name for name in names if is_linked or name != "order"]

    @admin.display
    def customer(self, alert: FraudAlert) -> str:
        return str(alert.order.customer_account.owner)

    @admin.display(description="amount")
    def money_amount(self, alert: FraudAlert) -> str:
        return format_money(alert.order.amount)

    @admin.display
    def source(self, alert: FraudAlert) -> str:
        return str(alert.order.source)

    @admin.display
    def target(self, alert: FraudAlert) -> str:
        return str(alert.order.target)

    @admin.display(description="frozen accounts")
    def frozen(self, alert: FraudAlert) -> SafeString | str:
        return _why_frozen(alert.order.source, alert.order.target)

    @admin.display
    def description(self, alert: FraudAlert) -> str:
        return alert.order.description

    @admin.display(description="payment")
    def payment_state(self, alert: FraudAlert) -> str:
        return OrderState(alert.order.state).label


def _reversal_of(transaction_id: Any) -> SafeString:
    """Return a link to the reversal of a movement, with its time."""
    reversal = Transaction.objects.get(reverses=transaction_id)
    url = reverse("admin:transfers_transaction_change", args=[reversal.pk])
    return format_html('<a href="{}">{}</a>, {}', url, reversal, moment_text(reversal.created_at))


def _why_frozen(*accounts: BankAccount) -> SafeString | str:
    """Return each freeze of these accounts, with its reason: the decision here affects them too."""
    called = {account.pk: account for account in accounts}
    lines = [(called[row.account_id], row, row.reason or "no reason given") for row in freezes.standing_on(*accounts)]
    return format_html_join("", "<p>{}: {}. {}</p>", lines) or "none"


def _sees_the_ledger(request: HttpRequest) -> bool:
    user: Any = request.user
    return sees_the_ledger(user)
