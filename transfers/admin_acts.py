"""Acts of staff with money: at the counter, for a customer, to undo a mistake, and to decide held orders (R2.1, R3.1,
R3.2, R3.10)."""

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest

from accounts import freezes
from accounts.forms import CodeField
from accounts.models import (
    CUSTOMER_KINDS,
    AccountFreeze,
    AccountKind,
    AccountStatus,
    BankAccount,
    FreezeKind,
    PendingAct,
    User,
)
from accounts.roles import Role
from accounts.sign_in.origin import origin_of
from accounts.staff.acts import (
    ActForm,
    CodeAsked,
    ReasonForCustomerForm,
    ReasonForm,
    ShownFreezesField,
    StaffAct,
    actor_of,
)
from accounts.staff.pending_acts import how_it_waits
from foundation.form_fields import AmountField, LineField, OnceForm
from transfers.accounts import freezing, opening
from transfers.forms import description_field
from transfers.models import AlertState, FraudAlert, OrderState, Transaction, TransactionKind, TransferOrder
from transfers.orders import cash, counter_words, holds, large_reversals, reversals, screening
from transfers.orders.records import held_deposits


class CounterForm(OnceForm, ActForm):
    amount = AmountField(label="Amount")
    description = description_field()


class CounterWithdrawalForm(CounterForm):
    customer_code = CodeField(
        label="The customer’s code",
        help_text="Six digits that the customer reads from their own authenticator app, here at the counter. Say the "
        "account and the amount first: the app shows neither.",
        error_messages={"required": "Ask the customer for the code."},
        widget=forms.TextInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )


class OpenForCustomerForm(OnceForm, ReasonForm):
    kind = forms.ChoiceField(label="Kind of account", choices=[(kind.value, kind.label) for kind in CUSTOMER_KINDS])
    nickname = LineField(label="Name", max_length=40, required=False)
    opening_deposit = AmountField(label="Opening deposit", allow_zero=True, required=False)

    field_order = ("kind", "nickname", "opening_deposit", "reason")


class UnfreezeForm(ReasonForm):
    """Which freezes to lift, if there are several. A freeze added since the page was shown is not lifted unread."""

    kinds = forms.MultipleChoiceField(
        label="Freezes to lift",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one.", "invalid_choice": "This freeze is lifted already."},
    )

    seen = ShownFreezesField()

    field_order = ("kinds", "reason")

    def __init__(self, *args: Any, row: BankAccount, **kwargs: Any) -> None:
        super().__init__(*args, row=row, **kwargs)
        standing = freezes.standing_on(row)
        self.fields["seen"].initial = freezes.version_of(standing)
        field: Any = self.fields["kinds"]
        field.choices = [(freeze.kind, f"Frozen {freeze.kind_label}") for freeze in standing]
        if len(standing) == 1:
            field.widget, field.initial = forms.MultipleHiddenInput(), [standing[0].kind]


def _deposit(request: HttpRequest, account: BankAccount, *, key: uuid.UUID, **given: Any) -> TransferOrder:
    return cash.deposit_at_counter(actor=actor_of(request), account=account, idempotency_key=str(key), **given)


def _withdraw(request: HttpRequest, account: BankAccount, *, key: uuid.UUID, **given: Any) -> TransferOrder:
    actor, origin = actor_of(request), origin_of(request)
    return cash.withdraw_at_counter(actor=actor, account=account, idempotency_key=str(key), origin=origin, **given)


def _freeze(request: HttpRequest, account: BankAccount, *, reason: str) -> None:
    freezing.freeze_account(actor=actor_of(request), account=account, reason=reason)


def _unfreeze(request: HttpRequest, account: BankAccount, *, kinds: list[str], **given: Any) -> list[AccountFreeze]:
    chosen = [FreezeKind(kind) for kind in kinds]
    return freezing.unfreeze_account(actor=actor_of(request), account=account, kinds=chosen, **given)


def _unfrozen(still: list[AccountFreeze]) -> str:
    if not still:
        return "The account is active again."
    return f"Lifted. The account is still frozen {' and '.join(freeze.kind_label for freeze in still)}."


def _open_account(
    request: HttpRequest, owner: User, *, key: uuid.UUID, kind: str, opening_deposit: Decimal | None, **given: Any
) -> BankAccount:
    return opening.open_account(
        actor=actor_of(request),
        owner=owner,
        kind=AccountKind(kind),
        opening_deposit=opening_deposit or Decimal(0),
        idempotency_key=str(key),
        **given,
    )


def _reverse(request: HttpRequest, transaction: Transaction, *, reason: str) -> Transaction | PendingAct:
    return large_reversals.reverse_or_ask(actor=actor_of(request), transaction=transaction, reason=reason)


def _reversed(outcome: Transaction | PendingAct) -> str:
    return how_it_waits(outcome) if isinstance(outcome, PendingAct) else "The transaction is reversed."


def _what_reversing_does(transaction: Transaction) -> str:
    what = (
        "Moves the same amount the other way round, once. The mistake stays in the ledger beside its correction, and "
        "all sides are told."
    )
    if not reversals.is_large(transaction):
        return what
    return f"{what} It is so large that a second administrator has to agree; the amount is set aside meanwhile."


def _release(request: HttpRequest, order: TransferOrder, *, reason: str) -> TransferOrder:
    return holds.release_order(actor=actor_of(request), order=order, reason=reason)


def _reject(request: HttpRequest, order: TransferOrder, *, reason: str) -> TransferOrder:
    return holds.reject_order(actor=actor_of(request), order=order, reason=reason)


def _close_alert(request: HttpRequest, alert: FraudAlert, *, reason: str) -> None:
    screening.close_alert(actor=actor_of(request), alert=alert, note=reason)


def _is_held(order: TransferOrder) -> bool:
    return order.state == OrderState.HELD


def _awaits_deposit(account: BankAccount) -> bool:
    return held_deposits(account).exists()


def _can_be_used(account: BankAccount) -> bool:
    return account.is_active and not account.is_internal


def _can_be_frozen(account: BankAccount) -> bool:
    """Return whether the account can be frozen, even if its owner or support has frozen it: lifting those freezes then
    frees no money."""
    if account.is_internal or account.status == AccountStatus.CLOSED:
        return False
    return all(freeze.kind != FreezeKind.ADMINISTRATOR for freeze in freezes.standing_on(account))


def _can_be_reversed(transaction: Transaction) -> bool:
    if transaction.kind == TransactionKind.REVERSAL or transaction.reversals.exists():
        return False
    return not large_reversals.waiting_for(transaction).exists()


ACCOUNT_ACTS = (
    StaffAct(
        name="deposit",
        label="Deposit",
        permission="transfers.deposit_at_counter",
        explanation="Cash that you have been handed for this account. A large amount waits until a second clerk has "
        "looked at it; else it is there at once. The customer is told.",
        done=counter_words.noted,
        is_waiting=_is_held,
        carry_out=_deposit,
        code=CodeAsked.LATELY,
        form=CounterForm,
        is_offered=_can_be_used,
    ),
    StaffAct(
        name="withdraw",
        label="Withdraw",
        permission="transfers.withdraw_at_counter",
        explanation="Cash that you hand to the customer, who proves with a code that they stand here. A large amount "
        "waits until a second clerk has looked at it.",
        done=counter_words.noted,
        is_waiting=_is_held,
        carry_out=_withdraw,
        code=CodeAsked.LATELY,
        form=CounterWithdrawalForm,
        is_offered=_can_be_used,
    ),
    StaffAct(
        name="freeze",
        label="Freeze",
        permission="accounts.freeze_account",
        explanation="No money moves in or out of the account until an administrator lifts this freeze. The customer is "
        "told by mail that the bank has frozen it, and not why: the reason is for colleagues.",
        done="The account is frozen.",
        carry_out=_freeze,
        code=CodeAsked.LATELY,
        is_offered=_can_be_frozen,
        is_dangerous=True,
    ),
    StaffAct(
        name="unfreeze",
        label="Unfreeze",
        permission="accounts.unfreeze_account",
        explanation="Once no freeze stands, money can move in and out of the account again. The customer is told by "
        "mail.",
        done=_unfrozen,
        carry_out=_unfreeze,
        code=CodeAsked.LATELY,
        form=UnfreezeForm,
        is_offered=lambda account: account.status == AccountStatus.FROZEN,
    ),
)

USER_ACTS = (
    StaffAct(
        name="open-account",
        label="Open an account",
        permission="transfers.open_account_for_customer",
        explanation="A new account of this customer, who is told by mail. An opening deposit is cash handed to you; a "
        "large one waits until a second clerk has looked at it.",
        done=lambda account: counter_words.opened(awaits_deposit=_awaits_deposit(account)),
        is_waiting=_awaits_deposit,
        carry_out=_open_account,
        code=CodeAsked.LATELY,
        form=OpenForCustomerForm,
        is_offered=lambda user: user.role == Role.CUSTOMER,
    ),
)

TRANSACTION_ACTS = (
    StaffAct(
        name="reverse",
        label="Reverse",
        permission="transfers.reverse_transaction",
        explanation=_what_reversing_does,
        done=_reversed,
        is_waiting=lambda outcome: isinstance(outcome, PendingAct),
        carry_out=_reverse,
        code=CodeAsked.LATELY,
        is_offered=_can_be_reversed,
        is_dangerous=True,
    ),
)

ORDER_ACTS = (
    StaffAct(
        name="release",
        label="Release",
        permission="transfers.decide_held_transfer",
        explanation=counter_words.before_release,
        done=counter_words.released,
        carry_out=_release,
        code=CodeAsked.LATELY,
        is_offered=_is_held,
        why_not=holds.what_has_happened,
    ),
    StaffAct(
        name="reject",
        label="Reject",
        permission="transfers.decide_held_transfer",
        explanation=counter_words.before_rejection,
        done=counter_words.rejected,
        carry_out=_reject,
        code=CodeAsked.LATELY,
        form=ReasonForCustomerForm,
        is_offered=_is_held,
        why_not=holds.what_has_happened,
        is_dangerous=True,
    ),
)

ALERT_ACTS = (
    StaffAct(
        name="close",
        label="Close",
        permission="transfers.close_fraud_alert",
        explanation="You have looked at it, and it leaves the queue. The payment, and money held for it, stay as they "
        "are; whoever releases or rejects a held transfer closes its alerts with that.",
        done="The alert is closed.",
        carry_out=_close_alert,
        code=CodeAsked.NONE,
        is_offered=lambda alert: alert.state == AlertState.OPEN,
    ),
)
