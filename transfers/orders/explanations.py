"""What a customer reads about an order that was not simply carried out, in plain words (R3.10)."""

from dataclasses import dataclass

from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format

from foundation.money import format_money
from transfers.models import NameCheck, OrderKind, OrderState, StepUpReason, TransferOrder
from transfers.orders.fraud import SECOND_CLERK, Rule


def why_held(order: TransferOrder) -> str:
    """Return one sentence, with the current amounts; "" for a reason without a sentence."""
    return _sentence_for(order.hold_reason, is_deposit=order.kind == OrderKind.DEPOSIT)


def before_holding(hold_reason: str, *, is_deposit: bool = False) -> str:
    """Return what the customer reads before they confirm an order that a rule will hold; "" where none will."""
    if not hold_reason:
        return ""
    sentence = _sentence_for(hold_reason, is_deposit=is_deposit)
    return f"{sentence} Until then the money is {_where(is_deposit)}, and {_WE_WRITE}".strip()


_WE_WRITE = "we’ll email you our decision."


def _where(is_deposit: bool) -> str:
    """Return where the money of an order is until it is decided."""
    return "not on your account" if is_deposit else "set aside in your account"


@dataclass(frozen=True)
class AboutName:
    """What the payer reads about the check of a name; `tone` is the notice's."""

    tone: str
    title: str
    text: str


def about_name_check(check: NameCheck, typed: str, name: str) -> AboutName | None:
    """Return what the page says about the `typed` name before a payment is sent; `name` is the payee's as the payer
    reads it. None where nothing was checked."""
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
    """Return what the page says if the number belongs to a payee whom the payer knows by another name."""
    text = (
        f"You entered “{typed}”. The account with this number belongs to {name}, whom you have paid before. If you "
        "mean somebody else, edit the payment."
    )
    return AboutName("error", "The name doesn’t match.", text)


def asking_for_code(why: StepUpReason) -> str:
    """Return what the customer reads if a payment needs a code (R3.6)."""
    if why == StepUpReason.NEW_PAYEE:
        return "A first transfer to an account needs a code."
    return (
        f"Once more than {format_money(settings.STEP_UP_AMOUNT)} goes out without a code, the next payment needs one."
    )


def _sentence_for(hold_reason: str, *, is_deposit: bool) -> str:
    if is_deposit:
        return {
            Rule.SUSPICIOUS_AMOUNT.value: f"We check deposits above {format_money(settings.SUSPICIOUS_AMOUNT)} first.",
            SECOND_CLERK: f"At the counter, cash above {format_money(settings.ALERT_AMOUNT)} in a day takes two "
            "members of staff.",
        }.get(hold_reason, "")
    return {
        Rule.SUSPICIOUS_AMOUNT.value: f"We check transfers above {format_money(settings.SUSPICIOUS_AMOUNT)} before "
        "sending them.",
        SECOND_CLERK: f"At the counter, cash above {format_money(settings.ALERT_AMOUNT)} in a day takes two members of "
        "staff.",
    }.get(hold_reason, "")


def explanation_of(order: TransferOrder) -> str:
    """Return why the order waits, until when, and where the money is meanwhile; or why it was not carried out. "" for
    all others."""
    is_deposit = order.kind == OrderKind.DEPOSIT
    left = "nothing was paid in" if is_deposit else "the money is yours to spend again"
    if order.state == OrderState.HELD:
        kept = f"The money is {_where(is_deposit)} until then, and {_WE_WRITE}"
        return f"{why_held(order)} {kept} {until_when(order)}".strip()
    if order.state == OrderState.REJECTED:
        return f"We did not carry this out, and {left}. The reason: {order.decision_reason}"
    if order.state == OrderState.CANCELLED:
        return f"You cancelled this before we had decided, and {left}."
    if order.state == OrderState.EXPIRED:
        ask = _ASK_FOR_CASH if is_deposit and not order.is_by_its_customer else ""
        return f"We did not decide on this in time, so it was not carried out, and {left}. {ask}".strip()
    return ""


# A deposit that ended without effect: a customer who paid in by themselves still has the cash.
_ASK_FOR_CASH = "Cash that you handed in at the counter is yours: ask for it there."


def until_when(order: TransferOrder) -> str:
    """Return what happens to a held order that nobody decides, and when."""
    day = date_format(timezone.localtime(order.expires_at))
    left = "" if order.kind == OrderKind.DEPOSIT else ", and the money is yours to spend again"
    return f"If we have not decided by {day}, it is not carried out{left}."
