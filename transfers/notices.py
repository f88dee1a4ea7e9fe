"""The mails of this app. Importing it registers their writers (`transfers.apps`). Numbers are masked in all."""

from collections.abc import Iterable

from accounts.models import BankAccount
from accounts.outbox import Mail, writes_mails_of
from transfers.models import TransferOrder
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


@writes_mails_of("account_opened")
def account_opened(account_id: int) -> Iterable[Mail]:
    return [_about_account(account_id, "account_opened")]


@writes_mails_of("account_closed")
def account_closed(account_id: int) -> Iterable[Mail]:
    return [_about_account(account_id, "account_closed")]


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
