"""What a clerk reads about cash and about orders that wait: what has happened, and what to do with the money now."""

from foundation.money import format_money
from transfers.models import OrderKind, OrderState, TransferOrder


def noted(order: TransferOrder) -> str:
    """Return the words for cash that a clerk has just noted at the counter."""
    amount, is_held = format_money(order.amount), order.state == OrderState.HELD
    if order.kind == OrderKind.DEPOSIT:
        if is_held:
            return f"Waits for a second clerk: {amount} is not on the account before it is released. Keep it apart."
        return f"Paid in: {amount} is on the account."
    if is_held:
        return f"Waits for a second clerk: hand out nothing before the {amount} is released."
    return f"Paid out: hand {amount} to the customer now."


def opened(*, awaits_deposit: bool) -> str:
    """Return the words for an account that a member of staff has just opened."""
    if awaits_deposit:
        return "The account is open and empty. Its opening deposit waits for a second clerk: keep the cash apart."
    return "The account is open."


def before_release(order: TransferOrder) -> str:
    """Return what releasing this order will do."""
    kept = "Your reason stays in the audit log; the customer does not read it."
    if order.kind == OrderKind.DEPOSIT:
        return f"{format_money(order.amount)} in cash is on the account at once. Count it first. {kept}"
    if order.kind == OrderKind.WITHDRAWAL:
        return f"{format_money(order.amount)} leaves the account now, if it is still there, to be handed out. {kept}"
    return (
        "The money leaves the account now, if it is still there and both accounts are active. Sender and receiver are "
        f"told as of any payment. {kept}"
    )


def released(order: TransferOrder) -> str:
    """Return the words for an order that has just been released."""
    amount = format_money(order.amount)
    if order.kind == OrderKind.DEPOSIT:
        return f"Released. {amount} is on the account now."
    if order.kind == OrderKind.WITHDRAWAL:
        return f"Released. {amount} may be handed out now."
    return f"Released. {amount} has been sent."


def before_rejection(order: TransferOrder) -> str:
    """Return what rejecting this order will do."""
    read = "The customer reads your reason, in a mail and on the receipt: write it to them."
    if order.kind == OrderKind.DEPOSIT:
        return f"Nothing is paid in, and the cash goes back to whoever brought it. {read}"
    return f"Nothing moves, and the customer can use the money again at once. {read}"


def rejected(order: TransferOrder) -> str:
    """Return the words for an order that has just been rejected."""
    if order.kind == OrderKind.DEPOSIT:
        return "Rejected: nothing was paid in. Give back the cash, if there is any."
    if order.kind == OrderKind.WITHDRAWAL:
        return "Rejected: hand out nothing. The money is the customer’s to use again."
    return "Rejected: the money is the customer’s to use again."
