"""The mails of this app: which event is told to whom. `transfers.apps` registers them; `foundation.outbox` says how a
line is read. Numbers are masked in all of them."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch

from accounts.models import BankAccount
from accounts.notices import OWNER, USER, about_account, about_user
from foundation.outbox import Audience, Notice, Payload, Rows, Told
from transfers.models import Direction, Entry, OrderKind, Transaction, TransferOrder
from transfers.names import payee_of
from transfers.orders.explanations import until_when, why_held

# --- Who is told ------------------------------------------------------------------------------------------------


def _sender(order: TransferOrder, payload: Payload) -> Iterable[Told]:
    return [_side_of_payment(order, own=order.source, other=order.target)]


def _receiver(order: TransferOrder, payload: Payload) -> Iterable[Told]:
    return [_side_of_payment(order, own=order.target, other=order.source)]


def _side_of_payment(order: TransferOrder, *, own: BankAccount, other: BankAccount) -> Told:
    if own.owner is None or other.owner is None or order.transaction is None:
        raise ValueError("A payment has two customers and a transaction.")
    email, about = about_user(own.owner)
    return email, about | {
        "amount": order.amount,
        "description": order.description,
        "reference": order.transaction.reference,
        "own_number": own.masked_number,
        "other_name": order.payer_name if own == order.target else str(payee_of(order)),
        "other_number": other.masked_number,
    }


def _customer(order: TransferOrder, payload: Payload) -> Iterable[Told]:
    """Tell only the customer: nothing has reached anybody else."""
    email, about = about_account(order.customer_account)
    movement = {
        "amount": order.amount,
        "description": order.description,
        "public_id": order.public_id,
        "is_deposit": order.kind == OrderKind.DEPOSIT,
        "is_counter_deposit": order.kind == OrderKind.DEPOSIT and not order.is_by_its_customer,
        "other_name": str(payee_of(order)) if order.kind == OrderKind.PAYMENT else "",
        "other_number": order.target.masked_number,
    }
    return [(email, about | movement)]


def _whose_cash(order: TransferOrder, payload: Payload) -> Iterable[Told]:
    """Tell the customer what another person did with their money, or agreed to."""
    if order.transaction is None:
        raise ValueError("Cash that changed hands has a transaction.")
    is_deposit = order.kind == OrderKind.DEPOSIT
    email, about = about_account(order.customer_account)
    cash = {"is_deposit": is_deposit, "amount": order.amount, "reference": order.transaction.reference}
    return [(email, about | cash)]


def _everyone_it_moved(reversal: Transaction, payload: Payload) -> Iterable[Told]:
    """Tell all customers whose accounts it moved, none of them about another."""
    if reversal.reverses is None:
        raise ValueError("A reversal reverses something.")
    for entry in reversal.entries.all():  # of customers: see _REVERSALS
        email, about = about_account(entry.account)
        movement = {
            "amount": entry.amount,
            "was_credited": entry.direction == Direction.CREDIT,
            "reference": reversal.reference,
            "reversed_reference": reversal.reverses.reference,
        }
        yield email, about | movement


_ORDERS = Rows("order_id", TransferOrder.objects.select_related("source__owner", "target__owner", "transaction"))
_SENDER = Audience(_sender, _ORDERS)
_RECEIVER = Audience(_receiver, _ORDERS)
_CUSTOMER = Audience(_customer, _ORDERS)
_WHOSE_CASH = Audience(_whose_cash, _ORDERS)
_CUSTOMERS_ENTRIES = Entry.objects.filter(account__owner__isnull=False).select_related("account__owner").order_by("pk")
_REVERSALS = Transaction.objects.select_related("reverses").prefetch_related(Prefetch("entries", _CUSTOMERS_ENTRIES))
_EVERYONE_IT_MOVED = Audience(_everyone_it_moved, Rows("transaction_id", _REVERSALS))

# --- What a mail says beside that ---------------------------------------------------------------------------------


def _why_held(order: TransferOrder, payload: Payload) -> dict[str, Any]:
    return {"why": why_held(order), "until_when": until_when(order)}


def _why_rejected(order: TransferOrder, payload: Payload) -> dict[str, Any]:
    return {"decision_reason": order.decision_reason}


def _amount(row: Any, payload: Payload) -> dict[str, Any]:
    return {"amount": Decimal(payload["amount"])}


def _is_taken_back(row: Any, payload: Payload) -> dict[str, Any]:
    amount = Decimal(payload["amount"])
    return {"amount": abs(amount), "is_taken_back": amount < 0}


MAILS = [
    # Sender and receiver are both told (R3.8).
    Notice("payment_posted", _SENDER, template="payment_sent"),
    Notice("payment_posted", _RECEIVER, template="payment_received"),
    Notice("order_held", _CUSTOMER, _why_held),
    Notice("order_rejected", _CUSTOMER, _why_rejected),
    # The payee, who never saw it, is told about neither (R3.14).
    Notice("order_cancelled", _CUSTOMER),
    Notice("order_expired", _CUSTOMER),
    Notice("account_opened", OWNER),
    Notice("account_closed", OWNER),
    Notice("cash_at_counter", _WHOSE_CASH),
    Notice("deposit_released", _WHOSE_CASH),
    Notice("transaction_reversed", _EVERYONE_IT_MOVED),
    Notice("interest_corrected", OWNER, _is_taken_back),
    Notice("daily_limit_lowered", USER, _amount),
    Notice("daily_limit_raised", USER, _amount),
]
