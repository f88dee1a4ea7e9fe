"""What a customer reads about an order that was not simply carried out, in plain words (R3.10)."""

from django.conf import settings

from foundation.money import format_money
from transfers.models import OrderKind, OrderState, StepUpReason, TransferOrder
from transfers.orders.fraud import SECOND_CLERK, Rule


def why_held(order: TransferOrder) -> str:
    """One sentence; by the present amounts, "" for a reason that nobody wrote a sentence for."""
    return _sentence_for(order.hold_reason, is_deposit=order.kind == OrderKind.DEPOSIT)


def before_holding(hold_reason: str, *, is_deposit: bool = False) -> str:
    """What the customer reads before they confirm an order that a rule will hold; "" where none will."""
    if not hold_reason:
        return ""
    sentence = _sentence_for(hold_reason, is_deposit=is_deposit)
    return f"{sentence} Until then the money is {_where(is_deposit)}, and {_WE_WRITE}".strip()


_WE_WRITE = "we write to you as soon as it is decided."


def _where(is_deposit: bool) -> str:
    """Where the money of an order is until somebody has decided."""
    return "not on your account" if is_deposit else "set aside in your account"


def asking_for_code(why: StepUpReason) -> str:
    """What the customer reads where a payment needs a code (R3.6)."""
    if why == StepUpReason.NEW_PAYEE:
        return "A first transfer to an account needs a code."
    return (
        f"Once more than {format_money(settings.STEP_UP_AMOUNT)} goes out without a code, the next payment needs one."
    )


def _sentence_for(hold_reason: str, *, is_deposit: bool) -> str:
    if is_deposit:
        return {
            Rule.SUSPICIOUS_AMOUNT.value: f"Deposits above {format_money(settings.SUSPICIOUS_AMOUNT)} are looked at by "
            "a member of staff first.",
            SECOND_CLERK: f"Cash above {format_money(settings.ALERT_AMOUNT)} on one day is paid in at the counter by "
            "two members of staff.",
        }.get(hold_reason, "")
    return {
        Rule.SUSPICIOUS_AMOUNT.value: f"Transfers above {format_money(settings.SUSPICIOUS_AMOUNT)} are looked at by a "
        "member of staff before they go out.",
        SECOND_CLERK: f"Cash above {format_money(settings.ALERT_AMOUNT)} on one day is paid out at the counter by two "
        "members of staff.",
    }.get(hold_reason, "")


def explanation_of(order: TransferOrder) -> str:
    """Why the order waits, and where the money is meanwhile; or why it was rejected. "" for all others."""
    is_deposit = order.kind == OrderKind.DEPOSIT
    if order.state == OrderState.HELD:
        return f"{why_held(order)} The money is {_where(is_deposit)} until then, and {_WE_WRITE}".strip()
    if order.state == OrderState.REJECTED:
        left = "nothing was paid into your account" if is_deposit else "the money is yours to spend again"
        return f"We did not carry this out, and {left}. The reason: {order.decision_reason}"
    return ""
