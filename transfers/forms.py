"""Forms of the money pages. A hidden key makes a form count once, however often it is sent."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.forms import AccountNumberField, FreshCodeForm
from accounts.models import CUSTOMER_KINDS, AccountKind, BankAccount
from accounts.permission.reasons import MAX_REASON_CHARS
from foundation.form_fields import AmountField, AmountInput, LineField, OnceForm
from foundation.money import format_money
from foundation.text import has_something_to_read, without_marks
from transfers.models import MAX_DESCRIPTION_CHARS, MAX_LABEL_CHARS, MAX_NAME_CHARS, StepUpReason
from transfers.orders.explanations import asking_for_code


def description_field() -> LineField:
    return LineField(label="Description", max_length=MAX_DESCRIPTION_CHARS, required=False)


class LowerLimitForm(forms.Form):
    """A lower daily limit: 0 means nothing at all."""

    amount = AmountField(label="New daily limit", allow_zero=True)


class CashForm(forms.Form):
    """A deposit, to be reviewed."""

    amount = AmountField(label="Amount", widget=AmountInput(attrs={"autofocus": True}))
    description = description_field()

    def __init__(self, *args: Any, account: BankAccount, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account


class WithdrawalForm(CashForm):
    """A withdrawal, to be reviewed."""

    def clean(self) -> dict[str, Any]:
        """Report missing funds early; the ledger decides under its lock."""
        data = super().clean() or {}
        if data.get("amount") and data["amount"] > self.account.available:
            self.add_error("amount", _not_enough_in(self.account))
        return data


def nickname_field(help_text: str = "") -> LineField:
    return LineField(label="Name", max_length=40, required=False, help_text=help_text)


class RenameAccountForm(forms.Form):
    nickname = nickname_field()


def freeze_reason_field() -> LineField:
    return LineField(label="What happened?", max_length=MAX_REASON_CHARS, required=False)


class FreezeOwnAccountForm(forms.Form):
    reason = freeze_reason_field()


class OpenAccountForm(OnceForm):
    kind = forms.ChoiceField(
        label="Kind of account",
        choices=[(kind.value, kind.label) for kind in CUSTOMER_KINDS],
        widget=forms.RadioSelect,
        initial=AccountKind.CHECKING.value,
    )
    nickname = nickname_field(help_text="Only you see it: holidays, household, …")
    opening_deposit = AmountField(label="Opening deposit", allow_zero=True, required=False)

    def __init__(self, *args: Any, left_to_pay_in: Decimal | None, **kwargs: Any) -> None:
        """Build the form; `left_to_pay_in` is what may still be paid in today, None where customers do not pay in by
        themselves."""
        super().__init__(*args, **kwargs)
        if left_to_pay_in is None:
            del self.fields["opening_deposit"]
        else:
            left = format_money(left_to_pay_in)
            self.fields[
                "opening_deposit"
            ].help_text = f"Simulated cash: you can pay in {left} more today. You can also pay in later."

    @property
    def deposit(self) -> Decimal:
        return self.cleaned_data.get("opening_deposit") or Decimal(0)


def _not_enough_in(account: BankAccount) -> str:
    return f"There is not enough money in this account: {format_money(account.available)} is available."


class _FromOwnAccountForm(forms.Form):
    """The fields that both kinds of transfer share: the account the money comes from, the amount, a description."""

    source = forms.ChoiceField(label="From")

    def __init__(self, *args: Any, accounts: Sequence[BankAccount], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accounts = {str(account.public_id): account for account in accounts}
        self._choices("source")
        self.fields["source"].help_text = available_list(accounts)

    def _choices(self, name: str) -> None:
        field = self.fields[name]
        field.choices = [(key, account_label(account)) for key, account in self.accounts.items()]  # type: ignore[attr-defined]
        field.error_messages["invalid_choice"] = "Choose one of your accounts."

    @property
    def source_account(self) -> BankAccount:
        return self.accounts[self.cleaned_data["source"]]

    def clean(self) -> dict[str, Any]:
        """Report missing funds early; the ledger decides under its lock."""
        data = super().clean() or {}
        if data.get("source") and data.get("amount") and data["amount"] > self.source_account.available:
            self.add_error("amount", _not_enough_in(self.source_account))
        return data


class OwnTransferForm(_FromOwnAccountForm):
    target = forms.ChoiceField(label="To")
    amount = AmountField(label="Amount")
    description = description_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choices("target")

    @property
    def target_account(self) -> BankAccount:
        return self.accounts[self.cleaned_data["target"]]

    def clean_target(self) -> str:
        if self.cleaned_data["target"] == self.cleaned_data.get("source"):
            raise ValidationError("Choose two different accounts.", code="same_account")
        return self.cleaned_data["target"]


# As long as an account number, however it is grouped; `\d` are digits of every script.
_TWELVE_DIGITS = re.compile(r"(?<!\d)\d(?:[^\w]{0,3}\d){11}(?!\d)")


class PayeeNameField(LineField):
    """The name of the person to pay. An empty one is accepted: a payee who was paid before needs none, and only the
    look-up knows that. A name with an account number in it is refused: names are in clear, on papers and in mails. So
    is a name of invisible characters."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value)
        return text if has_something_to_read(text) else ""

    def validate(self, value: str) -> None:
        if value:
            super().validate(value)
        if _TWELVE_DIGITS.search(without_marks(value)):
            raise ValidationError("This is an account number. Enter the name here.", code="account_number")


def payee_name_field(*, required: bool) -> PayeeNameField:
    """Return the field of a payee's name.

    Args:
        required: whether the form marks it as required, as pages do.
    """
    return PayeeNameField(
        label="Name of the person or business",
        max_length=MAX_NAME_CHARS,
        required=required,
        help_text="We check that the account is theirs. First name and last name, or the whole name of a business.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class SendMoneyForm(_FromOwnAccountForm):
    number = AccountNumberField(label="Account number of the payee")
    name = payee_name_field(required=True)
    amount = AmountField(label="Amount")
    description = description_field()


class ConfirmForm(forms.Form):
    """The confirmation of what was reviewed. If the payee's name was not confirmed, the payer agrees to send anyway."""

    all_the_same = forms.BooleanField(
        label="Send all the same, although the name is not confirmed",
        error_messages={"required": "Tick this to send, or edit the payment."},
    )

    def __init__(self, *args: Any, needs_a_word: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not needs_a_word:
            del self.fields["all_the_same"]


class ConfirmByCodeForm(ConfirmForm, FreshCodeForm):
    """The code that a payment needs; `why` says what for. It is sent back with the challenge of the payment that was
    shown, even if another window has changed the draft since."""

    challenge = forms.UUIDField(widget=forms.HiddenInput, required=False)
    field_order = ("challenge", "all_the_same", "code")

    def __init__(self, *args: Any, challenge: str, why: str, **kwargs: Any) -> None:
        super().__init__(*args, initial={"challenge": challenge}, **kwargs)
        reason = asking_for_code(StepUpReason(why))
        del self.fields["code"].widget.attrs["autofocus"]  # the payment is to be read first
        self.fields["code"].label = "Code from your authenticator app"
        lasts = f"{settings.STEP_UP_SECONDS // 60} minutes" if settings.STEP_UP_SECONDS >= 120 else "a moment"
        self.fields[
            "code"
        ].help_text = f"{reason} It counts for this payment only, and for {lasts}. Never tell it to anybody."


class PayeeLabelForm(forms.Form):
    label = LineField(
        label="Name",
        max_length=MAX_LABEL_CHARS,
        required=False,
        help_text="Only you see it. Leave it empty to remove it.",
        widget=forms.TextInput(attrs={"autofocus": True}),
    )


def account_label(account: BankAccount) -> str:
    return f"{account.display_name} {account.masked_number}"


def available_list(accounts: Sequence[BankAccount]) -> SafeString:
    """Return what each account has, as HTML; form.js shows only the line of the chosen one. The select would cut it
    off."""
    return format_html(
        '<ul class="list-unstyled" data-lines-of-choice>{}</ul>',
        format_html_join(
            "",
            '<li data-choice="{}">{}: <span class="money">{}</span> available</li>',
            ((account.public_id, account.display_name, format_money(account.available)) for account in accounts),
        ),
    )
