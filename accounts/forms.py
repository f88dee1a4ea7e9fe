"""Forms parse what people type; services decide (house style)."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.account_numbers import InvalidAccountNumber, parse_number
from accounts.models import User
from accounts.people.names import NameRefused, check_name, check_visible
from accounts.sign_in.codes import MAX_CODE_CHARS, InvalidCode, parse_code
from accounts.sign_in.emails import is_plain
from accounts.sign_in.passwords.hashing import MAX_PASSWORD_CHARS
from accounts.sign_in.passwords.rules import check_new_password, password_help
from accounts.sign_in.pins import InvalidPin, check_pin
from foundation.form_fields import LineField
from foundation.text import has_unprintable


class AccountNumberField(forms.CharField):
    """Somebody's account number, spaces and dashes of any kind allowed; cleans to twelve digits."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 40)
        kwargs.setdefault("error_messages", {"required": "Enter an account number."})
        super().__init__(**kwargs)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return super().widget_attrs(widget) | {"inputmode": "numeric", "autocomplete": "off"}

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return ""
        try:
            return parse_number(text)
        except InvalidAccountNumber as error:
            raise ValidationError(str(error), code=error.code) from error


class PersonNameField(LineField):
    """A real person's name: accents, apostrophes, hyphens and single names are fine; it must have something visible."""

    def validate(self, value: Any) -> None:
        super().validate(value)
        if value and not any(char.isalpha() for char in value):
            raise ValidationError("A name has at least one letter.", code="invalid_name")
        try:
            check_visible(value)
        except NameRefused as refusal:
            raise ValidationError(str(refusal), code=refusal.code) from refusal


class PlainEmailField(forms.EmailField):
    """An e-mail address in its one spelling: without invisible characters, and unchanged by NFKC."""

    def run_validators(self, value: Any) -> None:
        super().run_validators(value)
        if not is_plain(str(value)):
            raise ValidationError("Write the address without accents or other special letters.", code="invalid")


class EmailAddressField(PlainEmailField):
    """An e-mail address in ASCII. Django also accepts the few letters that a case-blind comparison takes for ASCII (İ,
    ſ, the Kelvin sign); no mail would arrive there, and two spellings would be one person."""

    def validate(self, value: Any) -> None:
        super().validate(value)
        if not str(value).isascii():
            raise ValidationError("Write the address without accents or other special letters.", code="invalid")


def password_field(label: str, *, new: bool, help_text: str = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        strip=False,
        max_length=MAX_PASSWORD_CHARS,
        help_text=help_text,
        error_messages={"required": "Enter a password." if new else "Enter your password."},
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password" if new else "current-password"}),
    )


class SignInForm(forms.Form):
    email = PlainEmailField(
        label="E-mail",
        error_messages={"required": "Enter your e-mail address."},
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = password_field("Password", new=False)


class CodeField(forms.CharField):
    """A one-time or recovery code as people type and copy it; cleans to its one spelling (`accounts.sign_in.codes`)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", MAX_CODE_CHARS)
        kwargs.setdefault("error_messages", {"required": "Enter the code."})
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return parse_code(text) if text else ""
        except InvalidCode as error:
            raise ValidationError(str(error), code=error.code) from error


class CodeForm(forms.Form):
    """A six-digit code, or, at sign-in, a recovery code."""

    code = CodeField(widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True}))


class FreshCodeForm(CodeForm):
    """A code given now, for a change that a stolen session must not make."""

    def __init__(self, *args: Any, recovery_code_too: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].label = "Code"
        self.fields["code"].help_text = "Six digits from your authenticator app" + (
            ", or one of your recovery codes." if recovery_code_too else ", one that you have not used yet."
        )


class EmailChangeForm(FreshCodeForm):
    email = EmailAddressField(
        label="New e-mail",
        max_length=254,
        error_messages={"required": "Enter your new e-mail address."},
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password = password_field("Password", new=False)
    field_order = ["email", "password", "code"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.pop("autofocus")


def pin_field(label: str, *, help_text: str = "") -> forms.CharField:
    attributes = {"autocomplete": "off", "inputmode": "numeric"}
    return forms.CharField(
        label=label,
        max_length=24,
        help_text=help_text,
        error_messages={"required": "Enter six digits."},
        widget=forms.PasswordInput(attrs=attributes),
    )


class PinForm(FreshCodeForm):
    pin = pin_field("New PIN", help_text="Six digits without a pattern.")
    pin_again = pin_field("New PIN again")
    field_order = ["pin", "pin_again", "code"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs.pop("autofocus")

    def clean_pin(self) -> str:
        pin = self.cleaned_data["pin"]
        try:
            check_pin(pin)
        except InvalidPin as error:
            raise ValidationError(str(error), code=error.code) from error
        return pin

    def clean_pin_again(self) -> str:
        again, pin = self.cleaned_data["pin_again"], self.cleaned_data.get("pin")
        if pin and again != pin:
            raise ValidationError("The two PINs are not the same.", code="pin_mismatch")
        return again


# A phone number that can be called: 5 to 15 digits (E.164), not all the same; after a plus comes a country's code,
# which begins with no 0.
PHONE = r"(?!\+?([0-9])(?:[^0-9]*\1)*[^0-9]*$)(?:\+[1-9]|[0-9])(?:[ ()./\-]{0,3}[0-9]){4,14}[ ()./\-]{0,3}"


class AddressField(forms.CharField):
    """Some lines of text, with runs of white space in them made one space, and no empty lines. Part of it can be
    read."""

    widget = forms.Textarea

    def clean(self, value: Any) -> Any:
        lines = [" ".join(line.split()) for line in super().clean(value).splitlines()]
        if any(has_unprintable(line) for line in lines):
            raise ValidationError("This address has characters that cannot be shown.", code="unprintable")
        if any(lines) and not any(char.isalnum() for char in "".join(lines)):
            raise ValidationError("An address has letters or digits.", code="invalid_address")
        return "\n".join(line for line in lines if line)


class NameForm(forms.Form):
    """A person's name, checked as a whole where it differs from before."""

    first_name = PersonNameField(
        label="First name",
        max_length=100,
        error_messages={"required": "Enter your first name."},
        widget=forms.TextInput(attrs={"autocomplete": "given-name"}),
    )
    last_name = PersonNameField(
        label="Last name",
        max_length=100,
        required=False,
        help_text="Leave empty if you have one name.",
        widget=forms.TextInput(attrs={"autocomplete": "family-name"}),
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("first_name") and {"first_name", "last_name"}.intersection(self.changed_data):
            try:
                check_name(data["first_name"], data.get("last_name", ""))
            except NameRefused as refusal:
                self.add_error("first_name", ValidationError(str(refusal), code=refusal.code))
        return data


class ContactForm(forms.Form):
    """How the bank reaches a person."""

    phone = forms.RegexField(
        f"^{PHONE}$",
        label="Phone",
        error_messages={
            "required": "Enter your phone number.",
            "invalid": "Write a phone number in digits, like +49 30 1234567.",
        },
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"}),
    )
    address = AddressField(
        label="Address",
        max_length=300,
        error_messages={"required": "Enter your address."},
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "street-address"}),
    )


class PersonForm(NameForm, ContactForm):
    """What the bank knows about a person."""

    field_order: Sequence[str] | None = ["first_name", "last_name", "phone", "address"]


class ProfileForm(FreshCodeForm, ContactForm):
    """Details that people change themselves, at once. Staff are not asked where they live."""

    field_order = ["phone", "address", "code"]

    def __init__(self, *args: Any, needs_contact: bool, **kwargs: Any) -> None:
        super().__init__(*args, recovery_code_too=True, **kwargs)
        self.fields["phone"].required = self.fields["address"].required = needs_contact
        self.fields["code"].widget.attrs.pop("autofocus")


class RegistrationForm(PersonForm):
    email = EmailAddressField(
        label="E-mail",
        max_length=254,
        error_messages={"required": "Enter your e-mail address."},
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    password1 = password_field("Password", new=True, help_text=password_help())
    password2 = password_field("Password again", new=True)
    field_order = ["first_name", "last_name", "email"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        password = data.get("password1")
        if password:
            person = User(
                first_name=data.get("first_name", ""),
                last_name=data.get("last_name", ""),
                email=data.get("email", ""),
            )
            _check_new_password(self, "password1", "password2", person)
        return data


class ConfirmRegistrationForm(forms.Form):
    password = password_field("Password", new=False, help_text="The one you chose when you registered.")


class ForgottenPasswordForm(forms.Form):
    email = EmailAddressField(
        label="E-mail",
        max_length=254,
        error_messages={"required": "Enter your e-mail address."},
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )


class NewPasswordForm(forms.Form):
    new_password1 = password_field("New password", new=True, help_text=password_help())
    new_password2 = password_field("New password again", new=True)

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("new_password1"):
            _check_new_password(self, "new_password1", "new_password2", self.user)
        return data


class PasswordChangeForm(NewPasswordForm):
    old_password = password_field("Current password", new=False)
    field_order = ["old_password", "new_password1", "new_password2"]


def _check_new_password(form: forms.Form, first: str, second: str, person: User) -> None:
    password, again = form.cleaned_data[first], form.cleaned_data.get(second)
    try:
        check_new_password(password, person)
    except ValidationError as error:
        form.add_error(first, error)  # takes the value out of cleaned_data
    if again and password != again:
        form.add_error(second, ValidationError("The two passwords are not the same.", code="password_mismatch"))
