"""Forms of the help pages: they parse, the services decide."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.forms import AmountField, LineField, OnceForm, PersonForm
from accounts.models import BankAccount
from accounts.plain_text import is_longer_than
from support.kinds import RequestKind
from support.models import MAX_MESSAGE_CHARS, MAX_SUBJECT_CHARS, MAX_WISH_CHARS
from support.texts import is_readable, paragraphs
from transfers.forms import account_label

NO_SECRETS = "Never write a password, PIN or code here. We do not need them."


class ParagraphsField(forms.CharField):
    """Free text of several lines in any script, NFC, measured as SQL Server stores it."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        return paragraphs(super().to_python(value) or "")

    def validate(self, value: Any) -> None:
        super().validate(value)
        if not is_readable(value):
            raise ValidationError("This text has characters that cannot be shown.", code="unprintable")

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if self.max_length is not None and is_longer_than(value, self.max_length):
            raise ValidationError("This text is too long.", code="max_length")


def message_field(label: str, *, help_text: str = "") -> ParagraphsField:
    return ParagraphsField(
        label=label,
        max_length=MAX_MESSAGE_CHARS,
        help_text=help_text,
        error_messages={"required": "Write something first."},
        widget=forms.Textarea(attrs={"rows": 6}),
    )


class TicketForm(OnceForm):
    subject = LineField(
        label="Subject",
        max_length=MAX_SUBJECT_CHARS,
        error_messages={"required": "Say in a few words what it is about."},
    )
    text = message_field("Your message", help_text=NO_SECRETS)
    reference = LineField(
        label="Reference",
        max_length=14,
        required=False,
        help_text="If your message is about a transfer: you find it on the receipt.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def clean_reference(self) -> str:
        return self.cleaned_data["reference"].upper()


class ReplyForm(forms.Form):
    text = message_field("Your reply", help_text=NO_SECRETS)


class RequestForm(forms.Form):
    """What every kind asks for: why."""

    reason = LineField(
        label="Reason",
        max_length=MAX_WISH_CHARS,
        help_text=NO_SECRETS,
        error_messages={"required": "Say why, in a sentence."},
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    field_order: Sequence[str] | None = None

    def __init__(self, *args: Any, needs_reason: bool, accounts: Sequence[BankAccount], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = needs_reason
        self.accounts = {str(account.public_id): account for account in accounts}

    @property
    def account(self) -> BankAccount | None:
        return None

    @property
    def payload(self) -> dict[str, str]:
        return {}


class AccountRequestForm(RequestForm):
    account_id = forms.ChoiceField(
        label="Account",
        error_messages={"required": "Choose an account.", "invalid_choice": "Choose one of these accounts."},
    )
    field_order = ["account_id", "reason"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(key, account_label(account)) for key, account in self.accounts.items()]
        self.fields["account_id"].choices = choices  # type: ignore[attr-defined]

    @property
    def account(self) -> BankAccount | None:
        return self.accounts[self.cleaned_data["account_id"]]


class IdentityRequestForm(RequestForm, PersonForm):
    """Name and address; a phone number is changed on the profile."""

    phone = None  # type: ignore[assignment]
    field_order = ["first_name", "last_name", "address", "reason"]

    @property
    def payload(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in ("first_name", "last_name", "address")}


class LimitRequestForm(RequestForm):
    amount = AmountField(label="New daily limit")
    field_order = ["amount", "reason"]

    @property
    def payload(self) -> dict[str, str]:
        return {"amount": f"{self.cleaned_data['amount']:f}"}


FORM_OF: dict[RequestKind, type[RequestForm]] = {
    RequestKind.FREEZE_ACCOUNT: AccountRequestForm,
    RequestKind.UNFREEZE_ACCOUNT: AccountRequestForm,
    RequestKind.CLOSE_ACCOUNT: AccountRequestForm,
    RequestKind.RAISE_DAILY_LIMIT: LimitRequestForm,
    RequestKind.UPDATE_IDENTITY: IdentityRequestForm,
    RequestKind.RESET_PIN: RequestForm,
}
