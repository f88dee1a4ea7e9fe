"""What the routes of `accounts.api` take and give."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from accounts.rest.schemas import Code, EmailText, In, Out, Secret, TimeText
from accounts.services.api_enrolment import LASTS as ENROLMENT_LASTS
from accounts.services.api_sessions import ACCESS_LASTS, Tokens
from accounts.services.user_sessions import API_REFRESH_LASTS

_VISIBLE = r"^[\x21-\x7e]*$"
Token = Annotated[str, Field(min_length=1, max_length=2000, pattern=_VISIBLE)]


class RegistrationIn(In):
    first_name: Annotated[str, Field(min_length=1, max_length=100)]
    last_name: Annotated[str, Field(max_length=100, description="Leave it out if you have one name.")] = ""
    email: EmailText
    phone: Annotated[str, Field(min_length=1, max_length=40, examples=["+49 30 1234567"])]
    address: Annotated[str, Field(min_length=1, max_length=300)]
    password: Secret


class RegisteredOut(Out):
    detail: str = "Check your e-mail: the link in it goes on from here."


class ConfirmRegistrationIn(In):
    token: Annotated[Token, Field(description="The last part of the link in the mail.")]
    password: Secret


class EnrolmentIn(In):
    email: EmailText
    password: Secret
    link_token: Annotated[
        str,
        Field(
            max_length=200,
            pattern=_VISIBLE,
            description="From the mail, if the bank has reset your two-factor; else leave it out.",
        ),
    ] = ""


class EnrolmentOut(Out):
    enrolment_token: str
    secret: Annotated[str, Field(description="Base32, to type into an authenticator app.")]
    provisioning_uri: Annotated[str, Field(description="otpauth://…, to show as a QR code.")]
    expires_in: int = int(ENROLMENT_LASTS.total_seconds())


class ConfirmEnrolmentIn(In):
    enrolment_token: Token
    code: Code


class SignInIn(In):
    """E-mail, password and code; where the bank allows it, `pin` in place of `password`."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["password"]}, {"required": ["pin"]}]})

    email: EmailText
    password: Secret | SkipJsonSchema[None] = None
    pin: Annotated[str, Field(pattern="^[0-9]{6}$")] | SkipJsonSchema[None] = None
    code: Code

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.password is None) == (self.pin is None):
            raise ValueError("Send either a password or a PIN.")
        return self


class RefreshIn(In):
    refresh_token: Token


class TokensOut(Out):
    access_token: str
    refresh_token: str
    token_type: Annotated[str, WithJsonSchema({"type": "string", "const": "Bearer"})] = "Bearer"  # noqa: S105
    expires_in: Annotated[int, Field(description="Seconds that the access token lasts.")]
    refresh_expires_in: int
    session: UUID

    @classmethod
    def of(cls, tokens: Tokens, **more: Any) -> Self:
        return cls(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            expires_in=int(ACCESS_LASTS.total_seconds()),
            refresh_expires_in=int(API_REFRESH_LASTS.total_seconds()),
            session=tokens.session,
            **more,
        )


class EnrolledOut(TokensOut):
    recovery_codes: Annotated[list[str], Field(description="Told only now. Each signs in once without your phone.")]


class SessionOut(Out):
    id: Annotated[UUID, Field(validation_alias="public_id")]
    kind: Annotated[str, WithJsonSchema({"type": "string", "enum": ["pages", "api"]})]
    device: str
    ip: str | None
    created_at: TimeText
    last_seen_at: TimeText
    is_present: bool


class SessionsOut(Out):
    items: list[SessionOut]
