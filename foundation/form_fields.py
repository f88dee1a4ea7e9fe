"""Fields and forms of the pages: amounts, texts in any script, and a key that makes a form count once."""

import unicodedata
import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.utils.html import format_html
from django.utils.safestring import SafeString

from foundation.money import InvalidAmount, currency_exponent, currency_sign, parse_typed_amount
from foundation.text import has_unprintable, is_longer_than, is_readable, length_of, paragraphs


class OnceForm(forms.Form):
    """A form with an idempotency key, new for every fresh page: the form counts once, however often it is sent."""

    key = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["initial"] = {"key": uuid.uuid4()} | (kwargs.get("initial") or {})
        super().__init__(*args, **kwargs)

    @property
    def idempotency_key(self) -> str:
        return str(self.cleaned_data["key"])


class AmountInput(forms.TextInput):
    """A field with the currency's sign before it, so that nobody has to type the sign."""

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        field = super().render(*args, **kwargs)
        return format_html(
            '<div class="input-group"><span class="input-group-text">{}</span>{}</div>', currency_sign(), field
        )


class AmountField(forms.CharField):
    """A positive amount of money; cleans to a `Decimal` in major units."""

    widget = AmountInput

    def __init__(self, *, allow_zero: bool = False, **kwargs: Any) -> None:
        self.allow_zero = allow_zero
        kwargs.setdefault("max_length", 40)  # 999,999,999,999.99 with currency, spaces and marks
        kwargs.setdefault("error_messages", {"required": "Enter an amount."})
        super().__init__(**kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        mode = "decimal" if currency_exponent() else "numeric"
        return super().widget_attrs(widget) | {"inputmode": mode, "autocomplete": "off"}

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return parse_typed_amount(text, allow_zero=self.allow_zero)
        except InvalidAmount as error:
            raise ValidationError(str(error), code=error.code) from error


class LineField(forms.CharField):
    """One line of free text in any script, NFC, runs of white space made one space.

    Normalised before its length is checked: composing can make a text longer.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Our own message: the length that counts is the column's.
        self.validators = [rule for rule in self.validators if not isinstance(rule, MaxLengthValidator)]

    def to_python(self, value: Any) -> Any:
        return unicodedata.normalize("NFC", " ".join((super().to_python(value) or "").split()))

    def validate(self, value: Any) -> None:
        super().validate(value)
        if has_unprintable(value):
            raise ValidationError("This text has characters that cannot be shown.", code="unprintable")

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if self.max_length is not None and is_longer_than(value, self.max_length):
            raise ValidationError(too_long(value, self.max_length), code="max_length")


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


def too_long(text: str, max_chars: int) -> str:
    """Return the message for a text that a column cannot hold; the length is counted as the column counts."""
    return f"At most {max_chars} characters; this has {length_of(text)}."
