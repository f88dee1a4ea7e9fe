"""Reversing more than SUSPICIOUS_AMOUNT: one administrator asks, a second one agrees, or a day passes (R5.8).

The amount is set aside meanwhile on the account that pays it back: so it is there when it is due, and the customer who
got it by mistake cannot pay it on. The customer is told; only administrators can stop it, otherwise a customer who
likes the mistake could keep it.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import partial

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import CUSTOMER_KINDS, AccountStatus, BankAccount, PendingAct, User
from accounts.permission import administrators, second_person
from accounts.permission.reasons import checked_reason
from accounts.permission.second_person import Asked, KindOfAct
from accounts.roles import require
from audit.actions import Action
from audit.services import record
from foundation.money import format_money
from foundation.refusals import Refusal
from foundation.transactions import own_transaction
from transfers.ledger import holding
from transfers.ledger.posting import AccountNotActive
from transfers.models import Direction, Entry, Transaction, TransactionKind
from transfers.orders import reversals
from transfers.orders.decision_keys import Once
from transfers.orders.ownership import require_untouched

_KIND = "reverse_transaction"
_PERMISSION = "transfers.reverse_transaction"


def reverse_or_ask(
    *,
    actor: User,
    transaction: Transaction,
    reason: str,
    idempotency_key: str | None = None,
    at: datetime | None = None,
) -> Transaction | PendingAct:
    """Reverse a movement as `reversals.reverse_transaction()` does; for a large one return the act that waits for a
    second administrator. A repeated call under the same key returns that act, or the reversal once it is made.

    Raises:
        As `reversals.reverse_transaction()`.
        WaitsAlready
    """
    if not reversals.is_large(transaction):
        return reversals.reverse_transaction(
            actor=actor, transaction=transaction, reason=reason, idempotency_key=idempotency_key, at=at
        )
    require(actor, _PERMISSION)
    once = Once(actor, "reverse", str(transaction.pk), checked_reason(reason), idempotency_key)
    try:
        return _ask(once, transaction, at or timezone.now())
    except Refusal as refusal:
        details = {"reason": refusal.code, "reference": transaction.reference}
        record(Action.REVERSAL_REFUSED, actor=actor, subject=transaction, details=details)
        raise


@own_transaction
def _ask(once: Once, original: Transaction, at: datetime) -> Transaction | PendingAct:
    administrators.take_turn(once.actor, _PERMISSION)
    entries = reversals.entries_of(original)
    reversals.refuse_unfit(once.actor, original, entries)
    made = reversals.reversal_of(original).first()
    if once.was_done():
        return made or PendingAct.objects.filter(kind=_KIND, subject_id=str(original.pk)).latest("asked_at")
    if made is not None:
        raise reversals.ReversedAlready
    # Before the hold: there may be no money left for a second one.
    second_person.refuse_waiting(_KIND, str(original.pk))
    require_untouched(*(entry.account for entry in entries))
    payer = _payer(entries)
    if payer is not None:
        [other] = [entry.account_id for entry in entries if entry is not payer]
        with reversals.says_which_is_not_active():
            holding.judge_hold(payer.account_id, payer.amount, target_id=other).write()
    asked = Asked(
        kind=_KIND,
        subject_id=str(original.pk),
        person=reversals.who_pays(entries),
        payload=_in_short(original, entries, payer),
        reason=once.reason,
        held_on=payer.account if payer else None,
        held_amount=payer.amount if payer else Decimal(0),
        audited={"reference": original.reference, "amount": str(original.amount)},
    )
    act = second_person.ask(asked, actor=once.actor)
    once.keep(at=at)
    return act


def waiting_for(original: Transaction) -> QuerySet[PendingAct]:
    """Return the reversal of a movement that waits for a second administrator, if there is one."""
    acts = second_person.waiting().filter(kind=_KIND, subject_id=str(original.pk))
    return acts.select_related("asked_by", "person")


def announced_on(account: BankAccount) -> list[str]:
    """Return what the bank is about to do with money that is set aside on the account, for its owner; no query if
    nothing is held."""
    if not account.held:
        return []
    acts = second_person.waiting().filter(kind=_KIND, held_on=account).order_by("asked_at")
    return [_said_to_person(act) for act in acts]


def _payer(entries: list[Entry]) -> Entry | None:
    """Return the entry of the customer's account that got the money, and pays it back; None if the bank got it."""
    came_to = [entry for entry in entries if entry.direction == Direction.CREDIT]
    return next((entry for entry in came_to if entry.account.kind in CUSTOMER_KINDS), None)


def _in_short(original: Transaction, entries: list[Entry], payer: Entry | None) -> dict[str, str]:
    """Return the values for its words."""
    own = payer or next((entry for entry in entries if entry.account.owner_id is not None), entries[0])
    return {
        "reference": original.reference,
        "amount": str(original.amount),
        "what": TransactionKind(original.kind).label.lower(),
        "day": date_format(timezone.localtime(original.created_at), "j F Y"),
        "account": str(own.account),
        "pays": "yes" if payer else "",
    }


def _carry_out(act: PendingAct, *, second: Mapping[str, str]) -> Transaction:
    """Make the reversal that was asked for.

    Raises:
        PermissionDenied
        Refusal: as `reversals.reverse_transaction()`.
    """
    asker = administrators.take_turn(act.asked_by, _PERMISSION)
    original = Transaction.objects.get(pk=act.subject_id)
    once = Once(asker, "reverse", str(original.pk), act.reason, None)
    return reversals.post_reversal.joined(once, original, timezone.now(), second, partial(_let_go, act))


def _let_go(act: PendingAct) -> None:
    if act.held_on_id is not None:
        holding.release_hold(act.held_on_id, act.held_amount)


def _is_frozen(refusal: Refusal) -> bool:
    """Return whether an account is frozen, which its owner can do without the bank: that does not stop a reversal."""
    if not isinstance(refusal, AccountNotActive):
        return False
    return BankAccount.objects.filter(pk=refusal.account_id, status=AccountStatus.FROZEN).exists()


def _said(act: PendingAct) -> str:
    of = act.opened
    return f"Reverse {_money(act)}, the {of['what']} {of['reference']} of {of['day']}"


def _said_to_person(act: PendingAct) -> str:
    of = act.opened
    if of["pays"]:
        return f"take back {_money(act)} that came to your account {of['account']} on {of['day']}, as a mistake"
    return f"give back {_money(act)} to your account {of['account']}: the {of['what']} of {of['day']} was a mistake"


def _money(act: PendingAct) -> str:
    return format_money(Decimal(act.opened["amount"]))


REVERSE_TRANSACTION = KindOfAct(
    kind=_KIND,
    label="Reverse a transaction",
    said=_said,
    said_to_person=_said_to_person,
    carry_out=_carry_out,
    let_go=_let_go,
    tells_person=True,
    person_may_stop=False,
    waits_on=_is_frozen,
)
