"""What a customer reads about an order that was not simply carried out, in plain words (R3.10)."""

from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from foundation.money import format_money
from transfers.models import NameCheck, OrderKind, OrderState, StepUpReason, TransferOrder
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


@dataclass(frozen=True)
class AboutName:
    """What the payer reads of the check of a name; `tone` is the notice's."""

    tone: str
    title: str
    text: str


def about_name_check(check: NameCheck, typed: str, name: str) -> AboutName | None:
    """What is said before a payment goes out of the name that was `typed`; `name` is the payee's as the payer reads it.
    None where nothing was checked."""
    ask = "Check the number and the name with them, by a phone number that you know is theirs."
    scam = "If you were told to expect this message and to send all the same, it is a scam."
    return {
        NameCheck.MATCH: AboutName(
            "success", "The name matches.", "This account belongs to the name that you entered."
        ),
        NameCheck.NEAR: AboutName(
            "warning", "The name nearly matches.", f"You entered “{typed}”. This account belongs to {name}."
        ),
        NameCheck.NO_MATCH: AboutName(
            "error", "The name doesn’t match.", f"This account doesn’t belong to “{typed}”. {ask} {scam}"
        ),
        NameCheck.NOT_CHECKED: AboutName(
            "error",
            "We couldn’t check the name.",
            f"You have entered several names for this account today. {ask} {scam}",
        ),
        NameCheck.SKIPPED: AboutName("warning", "The name was never checked.", ask),
    }.get(check)


def about_another_name(typed: str, name: str) -> AboutName:
    """What is said where the number is that of a payee whom the payer knows by another name."""
    text = f"You entered “{typed}”. The account with this number belongs to {name}, whom you have paid before."
    return AboutName("warning", "This is somebody else.", text)


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
