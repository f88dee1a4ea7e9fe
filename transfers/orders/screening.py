"""Applying the fraud rules to a new payment and to cash, and handling their alerts (R3.10)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core import checks
from django.db.models import QuerySet, Sum
from django.utils import timezone

from accounts.models import User
from accounts.permission.reasons import checked_reason
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation.compiled import Insert, Update
from foundation.refusals import NotYourself, WrongStatus
from foundation.transactions import own_transaction
from transfers.models import AlertState, FraudAlert, OrderKind, TransferOrder
from transfers.orders import fraud
from transfers.orders.fraud import Rule
from transfers.orders.instruction import Instruction
from transfers.periods import day_of, start_of_day

_field: Any = FraudAlert._meta.get_field
_close_of_order = Update(
    lambda order, state, actor, at, note: (
        FraudAlert.objects.filter(order=order, state=AlertState.OPEN),
        {"state": state, "closed_by": actor, "closed_at": at, "note": note},
    ),
    *map(_field, ["order", "state", "closed_by", "closed_at", "note"]),
)
_insert_alerts = Insert(FraudAlert, ["public_id", "order", "rule", "created_at", "state", "note"])


class AlertClosedAlready(WrongStatus):
    text = "Somebody else has closed this alert already."


def thresholds() -> fraud.Thresholds:
    """Return the current thresholds."""
    return {rule.setting: getattr(settings, rule.setting) for rule in fraud.PAYMENT_RULES}


def check_thresholds(**_: Any) -> list[checks.CheckMessage]:
    """Check that each rule has its setting: without it every payment would fail."""
    return [
        checks.Error(
            f"Rule.{rule.rule.name} in transfers/orders/fraud.py needs {rule.setting}: add it to "
            "bankproject/settings.py.",
            id="transfers.E001",
        )
        for rule in fraud.PAYMENT_RULES
        if not hasattr(settings, rule.setting)
    ]


def rules_set_off(payment: fraud.Payment, *, earlier: Mapping[fraud.Count, int]) -> tuple[Rule, ...]:
    """Return the rules that a payment sets off, after so many `earlier` ones of its customer
    (`limits.earlier_payments`)."""
    return fraud.alerts(fraud.facts_of(payment, earlier), thresholds())


def rules_of_cash_in(instruction: Instruction) -> tuple[Rule, ...]:
    """Return the rules that a deposit sets off: by its amount, where customers pay in by themselves; at the counter
    together with the day's cash for this customer that staff have noted and no second clerk has checked."""
    if instruction.served is None:
        cash = fraud.Payment(instruction.amount, instruction.at, is_first=False)
        return fraud.alerts(fraud.Facts(cash, {}), thresholds())
    noted = _noted_cash_in(instruction.served, at=instruction.at)
    return fraud.alerts_of_cash_in(noted + instruction.amount, thresholds())


def is_much_cash_out(customer: User, amount: Decimal, *, at: datetime) -> bool:
    """Return whether `amount` (major units), together with the day's cash to this customer that no second clerk has
    checked, is more than one clerk may give out.

    One statement, by the index of each account's orders by time. The customer's limit row is locked, so of two at once
    one sees the other.
    """
    today = TransferOrder.objects.filter(
        source__owner=customer,
        kind=OrderKind.WITHDRAWAL.value,
        hold_reason="",
        created_at__gte=start_of_day(day_of(at)),
    )
    return amount + _sum_by_others(today, customer) > settings.ALERT_AMOUNT


def _noted_cash_in(customer: User, *, at: datetime) -> Decimal:
    """Return the day's cash for this customer that staff have noted and no second clerk has checked.

    One statement, by the index of each account's entries by time: deposits leave the bank's account, and orders to an
    account have no index by time. The customer's limit row is locked.
    """
    today = TransferOrder.objects.filter(
        kind=OrderKind.DEPOSIT.value,
        hold_reason="",
        transaction__entries__account__owner=customer,
        transaction__entries__posted_at__gte=start_of_day(day_of(at)),
    )
    return _sum_by_others(today, customer)


def _sum_by_others(orders: QuerySet[TransferOrder], customer: User) -> Decimal:
    """Return the sum of those orders that another person placed for the customer."""
    return orders.exclude(initiator=customer).aggregate(total=Sum("amount"))["total"] or Decimal(0)


def raise_alerts(order: TransferOrder, rules: Iterable[Rule], *, at: datetime) -> None:
    """Write an open alert for each rule, in the transaction of the order."""
    alerts = [(uuid4(), order.pk, rule.value, at, AlertState.OPEN.value, "") for rule in rules]
    if alerts:
        _insert_alerts.execute(alerts)


def refuse_parties(actor: User, order: TransferOrder) -> None:
    """Refuse the person who ordered it, pays it or is paid: a second person decides (R3.10, R5.2).

    Raises:
        NotYourself
    """
    if actor.pk in {order.initiator_id, order.source.owner_id, order.target.owner_id}:
        raise NotYourself


@own_transaction
def close_alert(*, actor: User, alert: FraudAlert, note: str, at: datetime | None = None) -> None:
    """Close an alert after a look at it: it leaves the queue, once, with a note that stays in the audit log. The order,
    and money held for it, do not change.

    Raises:
        PermissionDenied, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NotYourself: the actor ordered, pays or is paid.
        WrongStatus: another clerk was faster.
    """
    require(actor, "transfers.close_fraud_alert")
    kept_note, now = checked_reason(note), at or timezone.now()
    row = FraudAlert.objects.select_related("order__source__owner", "order__target__owner").get(pk=alert.pk)
    refuse_parties(actor, row.order)
    if not _close(FraudAlert.objects.filter(pk=row.pk), actor, kept_note, now):
        raise AlertClosedAlready
    record(
        Action.FRAUD_ALERT_CLOSED,
        actor=actor,
        subject=row,
        concerns=row.order.customer_account.owner,
        details={"rule": row.rule, "order": str(row.order.public_id), "reason": kept_note},
        at=now,
    )


def close_alerts_of(order: TransferOrder, *, actor: User, note: str, at: datetime) -> None:
    """Close the open alerts of an order with its decision, in its transaction: deciding includes looking at them."""
    _close_of_order.execute(order.pk, AlertState.CLOSED.value, actor.pk, at, note)


def _close(alerts: QuerySet[FraudAlert], actor: User, note: str, at: datetime) -> int:
    """Close them; return how many were open until now."""
    return alerts.filter(state=AlertState.OPEN).update(
        state=AlertState.CLOSED, closed_by=actor, closed_at=at, note=note
    )
