"""Forms of the help pages: they parse, the services decide. Those of requests are with their kinds."""

from django import forms

from foundation.form_fields import LineField, OnceForm, ParagraphsField
from support.models import MAX_MESSAGE_CHARS, MAX_SUBJECT_CHARS

NO_SECRETS = "Never write a password, PIN or code here. We do not need them."


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
