"""What the routes of `accounts.api_profile` take and give."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, WithJsonSchema

from accounts.api_schemas import Token
from accounts.models import User
from accounts.pin_rules import PIN_DIGITS
from accounts.rest.schemas import Code, EmailText, In, Out, Secret, TimeText
from accounts.roles import Role
from accounts.services.api_credentials import REPLACEMENT_LASTS

_LinkToken = Annotated[Token, Field(description="The last part of the link in the mail.")]


def _left_out(schema: dict[str, Any]) -> None:
    """A field that is not sent is left as it is; it has no default that a program could be told of."""
    for field in schema["properties"].values():
        field.pop("default", None)


class ProfileIn(In):
    """Any of these fields; at staff's, phone and address may be empty."""

    model_config = {"json_schema_extra": _left_out}

    first_name: Annotated[str, Field(min_length=1, max_length=100)] = ""
    last_name: Annotated[str, Field(max_length=100)] = ""
    phone: Annotated[str, Field(max_length=40, examples=["+49 30 1234567"])] = ""
    address: Annotated[str, Field(max_length=300)] = ""


class ProfileOut(Out):
    id: UUID
    email: str
    first_name: str
    last_name: str
    phone: str
    address: str
    role: Annotated[str | None, WithJsonSchema({"type": ["string", "null"], "enum": [*map(str, Role), None]})]
    has_pin: bool
    pin_is_locked: bool
    recovery_codes_left: int

    @classmethod
    def of(cls, user: User, *, recovery_codes_left: int) -> Self:
        return cls(
            id=user.public_id,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            phone=user.phone,
            address=user.address,
            role=user.role,
            has_pin=user.has_pin,
            pin_is_locked=user.pin_locked_at is not None,
            recovery_codes_left=recovery_codes_left,
        )


class EmailChangeIn(In):
    email: EmailText
    password: Secret
    code: Code


class MailedOut(Out):
    detail: str = "Check your e-mail: the link in it goes on from here."


class LinkIn(In):
    token: _LinkToken


class PasswordChangeIn(In):
    current_password: Secret
    new_password: Secret


class PinIn(In):
    pin: Annotated[str, Field(pattern=f"^[0-9]{{{PIN_DIGITS}}}$", json_schema_extra={"format": "password"})]
    code: Code


class CodeIn(In):
    code: Code


class RecoveryCodesOut(Out):
    recovery_codes: Annotated[list[str], Field(description="Told only now. Each signs in once without your phone.")]


class ReplacementOut(Out):
    replacement_token: str
    secret: Annotated[str, Field(description="Base32, to type into an authenticator app.")]
    provisioning_uri: Annotated[str, Field(description="otpauth://…, to show as a QR code.")]
    expires_in: int = int(REPLACEMENT_LASTS.total_seconds())


class ConfirmReplacementIn(In):
    replacement_token: Token
    code: Code


class SignInOut(Out):
    at: TimeText
    ip: str | None
    succeeded: bool


class SignInsOut(Out):
    items: list[SignInOut]


class EndedOut(Out):
    ended: Annotated[int, Field(description="How many sessions were open.")]


class ResetRequestIn(In):
    email: EmailText


class NewPasswordIn(In):
    token: _LinkToken
    new_password: Secret
