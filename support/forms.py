"""Forms of the help pages: they parse, the services decide. Those of requests stand with their kinds."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.forms import LineField, OnceForm
from accounts.plain_text import is_longer_than
from support.models import MAX_MESSAGE_CHARS, MAX_SUBJECT_CHARS
from support.texts import is_readable, paragraphs

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
