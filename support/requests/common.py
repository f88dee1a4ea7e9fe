"""What the forms and schemas of several kinds of request share."""

from collections.abc import Sequence
from typing import Any

from django import forms

from accounts.api.types import AccountNumber
from accounts.models import BankAccount, User
from foundation.form_fields import LineField
from foundation.rest.schemas import In, text_of
from support.forms import NO_SECRETS
from support.models import MAX_WISH_CHARS
from transfers.forms import account_label


class RequestForm(forms.Form):
    """The field of every kind: why."""

    reason = LineField(
        label="Reason",
        max_length=MAX_WISH_CHARS,
        help_text=NO_SECRETS,
        error_messages={"required": "Say why, in a sentence."},
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    field_order: Sequence[str] | None = None

    def __init__(
        self, *args: Any, customer: User, needs_reason: bool, accounts: Sequence[BankAccount], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = needs_reason
        self.accounts = {str(account.public_id): account for account in accounts}

    @property
    def account(self) -> BankAccount | None:
        return None


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


# Read as the pages' form reads it. For the type checker a call is not a type, so its result is Any.
Reason: Any = text_of(RequestForm.base_fields["reason"])  # type: ignore[arg-type]
ReasonOrNone: Any = text_of(LineField(max_length=MAX_WISH_CHARS, required=False))


class AboutAnAccountIn(In):
    account: AccountNumber
    reason: ReasonOrNone = ""
