"""The mails of this app. Importing it registers their writers (`transfers.apps`). Numbers are masked in all."""

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from accounts.models import BankAccount, User
from accounts.outbox import Mail, writes_mails_of
from transfers.explanations import why_held
from transfers.models import Direction, Entry, OrderKind, Transaction, TransferOrder
from transfers.names import short_name


@writes_mails_of("payment_posted")
def payment_posted(order_id: int) -> Iterable[Mail]:
    """Sender and receiver are both told (R3.8)."""
    order = TransferOrder.objects.select_related("source__owner", "target__owner", "transaction").get(pk=order_id)
    sender, receiver = order.source.owner, order.target.owner
    if sender is None or receiver is None or order.transaction is None:
        raise ValueError("A payment has two customers and a transaction.")
    shared = {
        "amount": order.amount,
        "description": order.description,
        "reference": order.transaction.reference,
    }
    return [
        Mail(
            sender.email,
            "payment_sent",
            shared
            | {
                "first_name": sender.first_name,
                "own_number": order.source.masked_number,
                "other_name": short_name(receiver),
                "other_number": order.target.masked_number,
            },
        ),
        Mail(
            receiver.email,
            "payment_received",
            shared
            | {
                "first_name": receiver.first_name,
                "own_number": order.target.masked_number,
                "other_name": short_name(sender),
                "other_number": order.source.masked_number,
            },
        ),
    ]


@writes_mails_of("order_held")
def order_held(order_id: int) -> Iterable[Mail]:
    """The customer alone: nothing has reached anybody else."""
    order = _undelivered(order_id)
    return [_to_the_payer(order, "order_held", why=why_held(order))]


@writes_mails_of("order_rejected")
def order_rejected(order_id: int) -> Iterable[Mail]:
    order = _undelivered(order_id)
    return [_to_the_payer(order, "order_rejected", decision_reason=order.decision_reason)]


def _undelivered(order_id: int) -> TransferOrder:
    return TransferOrder.objects.select_related("target__owner").get(pk=order_id)


def _to_the_payer(order: TransferOrder, template: str, **more: str) -> Mail:
    receiver = order.target.owner
    mail = _about_account(order.source_id, template)
    movement = {
        "amount": order.amount,
        "description": order.description,
        "public_id": order.public_id,
        "other_name": short_name(receiver) if receiver else "",
        "other_number": order.target.masked_number,
    }
    return replace(mail, context=mail.context | movement | more)


@writes_mails_of("account_opened")
def account_opened(account_id: int) -> Iterable[Mail]:
    return [_about_account(account_id, "account_opened")]


@writes_mails_of("account_closed")
def account_closed(account_id: int) -> Iterable[Mail]:
    return [_about_account(account_id, "account_closed")]


@writes_mails_of("cash_at_counter")
def cash_at_counter(order_id: int) -> Iterable[Mail]:
    """The customer hears of what somebody else did with their money."""
    order = TransferOrder.objects.select_related("transaction").get(pk=order_id)
    if order.transaction is None:
        raise ValueError("Cash that changed hands has a transaction.")
    is_deposit = order.kind == OrderKind.DEPOSIT
    mail = _about_account(order.target_id if is_deposit else order.source_id, "cash_at_counter")
    cash = {"is_deposit": is_deposit, "amount": order.amount, "reference": order.transaction.reference}
    return [replace(mail, context=mail.context | cash)]


@writes_mails_of("transaction_reversed")
def transaction_reversed(transaction_id: str) -> Iterable[Mail]:
    """All customers whose accounts it moved, without a word on each other."""
    reversal = Transaction.objects.select_related("reverses").get(pk=UUID(transaction_id))
    if reversal.reverses is None:
        raise ValueError("A reversal reverses something.")
    for entry in Entry.objects.filter(transaction=reversal, account__owner__isnull=False).order_by("pk"):
        mail = _about_account(entry.account_id, "transaction_reversed")
        movement = {
            "amount": entry.amount,
            "was_credited": entry.direction == Direction.CREDIT,
            "reference": reversal.reference,
            "reversed_reference": reversal.reverses.reference,
        }
        yield replace(mail, context=mail.context | movement)


@writes_mails_of("daily_limit_lowered")
def daily_limit_lowered(user_id: int, amount: str) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "daily_limit_lowered", {"first_name": user.first_name, "amount": Decimal(amount)})]


@writes_mails_of("daily_limit_raised")
def daily_limit_raised(user_id: int, amount: str) -> Iterable[Mail]:
    user = User.objects.get(pk=user_id)
    return [Mail(user.email, "daily_limit_raised", {"first_name": user.first_name, "amount": Decimal(amount)})]


def _about_account(account_id: int, template: str) -> Mail:
    account = BankAccount.objects.select_related("owner").get(pk=account_id)
    if account.owner is None:
        raise ValueError("The bank's own accounts have nobody to write to.")
    return Mail(
        account.owner.email,
        template,
        {
            "first_name": account.owner.first_name,
            "account_name": account.display_name,
            "own_number": account.masked_number,
        },
    )
