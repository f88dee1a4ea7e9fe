"""What a customer reads about an order that was not simply carried out, in plain words (R3.10)."""

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from foundation.money import format_money
from transfers.models import OrderKind, OrderState, StepUpReason, TransferOrder
from transfers.orders.fraud import SECOND_CLERK, Rule


def why_held(order: TransferOrder) -> str:
    """One sentence; by the present amounts, "" for a reason that nobody wrote a sentence for."""
    return _sentence_for(order.hold_reason)


def before_holding(hold_reason: str) -> str:
    """What the customer reads before they confirm a payment that a rule will hold; "" where none will."""
    if not hold_reason:
        return ""
    kept = "Until then the money is set aside in your account, and we write to you as soon as it is decided."
    return f"{_sentence_for(hold_reason)} {kept}".strip()


def asking_for_code(why: StepUpReason) -> str:
    """What the customer reads where a payment needs a code (R3.6)."""
    if why == StepUpReason.NEW_PAYEE:
        return "A first transfer to an account needs a code."
    return (
        f"Once more than {format_money(settings.STEP_UP_AMOUNT)} goes out without a code, the next payment needs one."
    )


def _sentence_for(hold_reason: str) -> str:
    return {
        Rule.SUSPICIOUS_AMOUNT.value: f"Transfers above {format_money(settings.SUSPICIOUS_AMOUNT)} are looked at by a "
        "member of staff before they go out.",
        SECOND_CLERK: f"Cash above {format_money(settings.ALERT_AMOUNT)} on one day is paid out at the counter by two "
        "members of staff.",
    }.get(hold_reason, "")


def explanation_of(order: TransferOrder) -> str:
    """Why the order waits, until when, and where the money is meanwhile; or why it was not carried out. "" for all
    others."""
    is_deposit = order.kind == OrderKind.DEPOSIT
    if order.state == OrderState.HELD:
        return f"{why_held(order)} {_KEPT} {until_when(order)}".strip()
    if order.state == OrderState.REJECTED:
        return f"We did not carry this out, and the money is yours to spend again. The reason: {order.decision_reason}"
    if order.state == OrderState.CANCELLED:
        left = "nothing was paid in" if is_deposit else "the money is yours to spend again"
        return f"You cancelled this before we had decided, and {left}."
    if order.state == OrderState.EXPIRED:
        left = _ASK_FOR_CASH if is_deposit else "The money is yours to spend again."
        return f"We did not decide on this in time, so it was not carried out. {left}"
    return ""


# Of a deposit that came to nothing: who has paid in by themselves has the cash still.
_ASK_FOR_CASH = "Cash that you handed in at the counter is yours: ask for it there."
_KEPT = "The money is set aside in your account until then, and we write to you as soon as it is decided."


def until_when(order: TransferOrder) -> str:
    """What becomes of a held order that nobody decides on, and when."""
    day = date_format(timezone.localtime(order.expires_at))
    left = "" if order.kind == OrderKind.DEPOSIT else ", and the money is yours to spend again"
    return f"If we have not decided by {day}, it is not carried out{left}."
