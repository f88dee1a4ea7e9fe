"""The movements that a history shows: filters read from the page's address, and written back into it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import date_format

from accounts.models import BankAccount
from foundation.form_fields import AmountField, LineField
from foundation.money import as_typed, format_money
from transfers.forms import account_label
from transfers.models import MAX_DESCRIPTION_CHARS, TransactionKind
from transfers.periods import FIRST_DAY, LAST_DAY


@dataclass(frozen=True)
class HistoryFilters:
    """The filters; None or "" leaves one out. Days are the bank's, both included; amounts in major units."""

    account: BankAccount | None = None
    date_from: date | None = None
    date_to: date | None = None
    type: str = ""
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    text: str = ""
    # Ids of the accounts whose names contain `text`; None until `selectors.with_named_accounts()` has looked.
    named_accounts: tuple[int, ...] | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """Return the filters that are set, as the address has them."""
        values = {
            "account": str(self.account.public_id) if self.account else "",
            "date_from": self.date_from.isoformat() if self.date_from else "",
            "date_to": self.date_to.isoformat() if self.date_to else "",
            "type": self.type,
            "min_amount": "" if self.min_amount is None else as_typed(self.min_amount),
            "max_amount": "" if self.max_amount is None else as_typed(self.max_amount),
            "text": self.text,
        }
        return {name: value for name, value in values.items() if value}

    def without(self, name: str) -> "HistoryFilters":
        empty = HistoryFilters()
        return replace(self, **{name: getattr(empty, name)})

    def url(self, path: str, **more: str) -> str:
        """Return `path` with these filters, and the given parameters after them."""
        query = urlencode(self.parameters | more)
        return f"{path}?{query}" if query else path

    def chips(self, path: str) -> Iterator[dict[str, str]]:
        """Yield each filter in words, with the address of the page without it."""
        words = {
            "account": lambda: account_label(self.account) if self.account else "",
            "date_from": lambda: f"From {date_format(self.date_from or FIRST_DAY)}",
            "date_to": lambda: f"Until {date_format(self.date_to or LAST_DAY)}",
            "type": lambda: TransactionKind(self.type).label,
            "min_amount": lambda: f"At least {format_money(self.min_amount or Decimal(0))}",
            "max_amount": lambda: f"At most {format_money(self.max_amount or Decimal(0))}",
            "text": lambda: f"“{self.text}”",
        }
        for name in self.parameters:
            yield {"label": words[name](), "url": self.without(name).url(path)}


def contradictions(filters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield contradictions: the name of the filter that is too early or too low, and a text."""
    first, last = filters.get("date_from"), filters.get("date_to")
    if first is not None and last is not None and first > last:
        yield "date_to", "This day is before the first one."
    low, high = filters.get("min_amount"), filters.get("max_amount")
    if low is not None and high is not None and low > high:
        yield "max_amount", "This is less than the minimum amount."


class DayInput(forms.DateInput):
    """The browser's own date field. It accepts only days: another text is left out, and the error mentions it."""

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d", attrs={"type": "date"})

    def format_value(self, value: Any) -> str | None:
        try:
            return date.fromisoformat(str(value)).isoformat()
        except ValueError:
            return None


class DayField(forms.DateField):
    """A day in the one spelling that browsers send, 2026-11-30, of a year that a customer can mean."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("input_formats", ["%Y-%m-%d"])
        kwargs.setdefault("widget", DayInput())
        kwargs.setdefault("error_messages", {"invalid": "Choose a date, like 2026-11-30."})
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        # strptime takes the digits of every script.
        if isinstance(value, str) and not value.isascii():
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value and not FIRST_DAY <= value <= LAST_DAY:
            raise ValidationError(f"Choose a day from {FIRST_DAY.year} to {LAST_DAY.year}.", code="out_of_range")


class HistoryFilterForm(forms.Form):
    """The filters of the history page, every one optional."""

    account = forms.ChoiceField(
        label="Account", required=False, error_messages={"invalid_choice": "Choose one of your accounts."}
    )
    type = forms.ChoiceField(
        label="Type",
        required=False,
        choices=[("", "All types"), *TransactionKind.choices],
        error_messages={"invalid_choice": "Choose one of the types."},
    )
    date_from = DayField(label="From", required=False)
    date_to = DayField(label="Until", required=False)
    min_amount = AmountField(label="Minimum amount", allow_zero=True, required=False)
    max_amount = AmountField(label="Maximum amount", allow_zero=True, required=False)
    text = LineField(label="Name, description or reference", max_length=MAX_DESCRIPTION_CHARS, required=False)

    def __init__(self, *args: Any, accounts: Sequence[BankAccount], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._accounts = {str(account.public_id): account for account in accounts}
        choices = [("", "All accounts"), *((key, account_label(row)) for key, row in self._accounts.items())]
        self.fields["account"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name, text in contradictions(data):
            self.add_error(name, text)
        return data

    @property
    def filters(self) -> HistoryFilters:
        """Return the filters that were understood; fields with an error are left out."""
        data = {name: value for name, value in self.cleaned_data.items() if value not in (None, "")}
        return HistoryFilters(**data | {"account": self._accounts.get(data.get("account", ""))})
