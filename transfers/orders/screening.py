"""Asking the fraud rules about a payment in the making and about cash, and what becomes of their alerts (R3.10)."""

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
    """The present ones."""
    return {rule.setting: getattr(settings, rule.setting) for rule in fraud.PAYMENT_RULES}


def check_thresholds(**_: Any) -> list[checks.CheckMessage]:
    """Whether each rule has its setting: without it every payment would fail."""
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
    """The rules that a payment sets off, after so many `earlier` ones of its customer (`limits.earlier_payments`)."""
    return fraud.alerts(fraud.facts_of(payment, earlier), thresholds())


def rules_of_cash_in(instruction: Instruction) -> tuple[Rule, ...]:
    """The rules that a deposit sets off: by its amount, where customers pay in by themselves; at the counter with what
    staff have noted for this customer that day and no second clerk has looked at."""
    if instruction.served is None:
        cash = fraud.Payment(instruction.amount, instruction.at, is_first=False)
        return fraud.alerts(fraud.Facts(cash, {}), thresholds())
    noted = _noted_cash_in(instruction.served, at=instruction.at)
    return fraud.alerts_of_cash_in(noted + instruction.amount, thresholds())


def is_much_cash_out(customer: User, amount: Decimal, *, at: datetime) -> bool:
    """Whether `amount` (major units), with what staff have paid this customer out that day and no second clerk has
    looked at, is more than one clerk may give out.

    One statement, by the index of each account's orders by time. The customer's limit row is locked: of two at once
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
    """What staff have noted for this customer that day and no second clerk has looked at.

    One statement, by the index of each account's entries by time: deposits leave the bank's account, and what is paid
    to an account has no index by time. The customer's limit row is locked.
    """
    today = TransferOrder.objects.filter(
        kind=OrderKind.DEPOSIT.value,
        hold_reason="",
        transaction__entries__account__owner=customer,
        transaction__entries__posted_at__gte=start_of_day(day_of(at)),
    )
    return _sum_by_others(today, customer)


def _sum_by_others(orders: QuerySet[TransferOrder], customer: User) -> Decimal:
    """What those orders add up to that somebody else placed for the customer."""
    return orders.exclude(initiator=customer).aggregate(total=Sum("amount"))["total"] or Decimal(0)


def raise_alerts(order: TransferOrder, rules: Iterable[Rule], *, at: datetime) -> None:
    """Write an open alert for each rule, in the transaction of the order."""
    alerts = [(uuid4(), order.pk, rule.value, at, AlertState.OPEN.value, "") for rule in rules]
    if alerts:
        _insert_alerts.execute(alerts)


def refuse_parties(actor: User, order: TransferOrder) -> None:
    """Refuse whoever ordered it, pays it or is paid: a second person decides (R3.10, R5.2).

    Raises:
        NotYourself
    """
    if actor.pk in {order.initiator_id, order.source.owner_id, order.target.owner_id}:
        raise NotYourself


@own_transaction
def close_alert(*, actor: User, alert: FraudAlert, note: str, at: datetime | None = None) -> None:
    """Somebody has looked: the alert leaves the queue, once, with a note that stays in the audit log. The order, and
    money that is held for it, stay as they are.

    Raises:
        PermissionDenied, ReasonMissing, ReasonTooLong, ReasonUnreadable
        NotYourself: the actor ordered, pays or is paid.
        WrongStatus: somebody else was faster.
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
    """Whoever decides on an order has looked at it: its open alerts close with the decision, in its transaction."""
    _close_of_order.execute(order.pk, AlertState.CLOSED.value, actor.pk, at, note)


def _close(alerts: QuerySet[FraudAlert], actor: User, note: str, at: datetime) -> int:
    """How many were open until now."""
    return alerts.filter(state=AlertState.OPEN).update(
        state=AlertState.CLOSED, closed_by=actor, closed_at=at, note=note
    )
