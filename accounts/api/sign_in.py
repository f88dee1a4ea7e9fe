"""Signing in and out through the API, registration, two-factor, open sessions (R7.1). Routes parse; services decide."""

from typing import Annotated, Any, Self
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Body, Router, Status
from pydantic import Discriminator, Field, Tag, WithJsonSchema

from accounts import selectors
from accounts.api.bearer import ApiRequest
from accounts.api.types import Code, EmailText, Secret
from accounts.forms import PHONE, RegistrationForm
from accounts.people import registration
from accounts.programs import enrolment as api_enrolment
from accounts.programs import sessions as api_sessions
from accounts.programs.enrolment import LASTS as ENROLMENT_LASTS
from accounts.programs.sessions import ACCESS_LASTS, Tokens
from accounts.sign_in.origin import origin_of
from accounts.sign_in.sessions import ending
from accounts.sign_in.sessions.rows import API_REFRESH_LASTS
from foundation.limiter import limiter
from foundation.request_context import client_ip, network_of
from foundation.rest.document import refuses
from foundation.rest.rates import rated
from foundation.rest.schemas import NAMES_THE_FIELD, In, Out, TimeText, text_pattern

_VISIBLE = r"^[\x21-\x7e]*$"
Token = Annotated[str, Field(min_length=1, max_length=2000, pattern=_VISIBLE)]


def read_by_form(pattern: str) -> Any:
    """Say in the document what the form of the page takes: the form finds the fault and names it."""
    return Field(json_schema_extra={"pattern": pattern})


class RegistrationIn(In):
    first_name: Annotated[
        str, read_by_form(text_pattern(required=True, letter=True)), Field(min_length=1, max_length=100)
    ]
    last_name: Annotated[
        str,
        read_by_form(text_pattern(required=False, letter=True)),
        Field(max_length=100, description="Leave it out if you have one name."),
    ] = ""
    email: EmailText
    phone: Annotated[str, read_by_form(f"^{PHONE}$"), Field(min_length=1, max_length=40, examples=["+49 30 1234567"])]
    address: Annotated[str, read_by_form(text_pattern(required=True)), Field(min_length=1, max_length=300)]
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


class PasswordSignInIn(In):
    """E-mail, password and code."""

    email: EmailText
    password: Secret
    code: Code


class PinSignInIn(In):
    """E-mail, PIN and code, where the bank allows it."""

    email: EmailText
    pin: Annotated[str, Field(pattern="^[0-9]{6}$")]
    code: Code


def _kind_of_sign_in(sent: Any) -> str:
    return "pin" if isinstance(sent, dict) and "pin" in sent and "password" not in sent else "password"


SignInIn: Any = Annotated[
    Annotated[PasswordSignInIn, Tag("password")] | Annotated[PinSignInIn, Tag("pin")],
    Discriminator(_kind_of_sign_in),
    NAMES_THE_FIELD,
]


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


class EndSessionIn(In):
    code: Annotated[Code, Field(description="A recovery code will do.")]


router = Router(tags=["Signing in"])
_LOGIN = "login"  # the limit of signing in, as programs are told about it
_FOR_ANYONE: Any = None  # `auth` of the routes that give a token; a test lists each of them


@router.post("/auth/register", auth=_FOR_ANYONE, response={202: RegisteredOut}, openapi_extra=refuses(429))
def register(request: HttpRequest, data: RegistrationIn) -> Status:
    """Ask for a user. The answer is the same whether or not the address is somebody's already: a mail says more."""
    form = RegistrationForm(data.model_dump() | {"password1": data.password, "password2": data.password})
    if not form.is_valid():
        faults = form.errors.as_data()
        raise ValidationError({name.replace("password1", "password"): found for name, found in faults.items()})
    wanted = {name: form.cleaned_data[name] for name in ("first_name", "last_name", "email", "phone", "address")}
    registration.register(**wanted, password=form.cleaned_data["password1"], ip=client_ip(request))
    return Status(202, RegisteredOut())


@router.post("/auth/register/confirm", auth=_FOR_ANYONE, response={204: None}, openapi_extra=refuses(404, 429))
def confirm_registration(request: HttpRequest, data: ConfirmRegistrationIn) -> Status:
    """Confirm the address by the token of the mail, and the password chosen before. Then turn two-factor on."""
    registration.confirm(token=data.token, password=data.password, ip=client_ip(request))
    return Status(204, None)


@router.post(
    "/auth/two-factor/enrol", auth=_FOR_ANYONE, response=EnrolmentOut, openapi_extra=refuses(401, 403, 404, 409)
)
@rated(_LOGIN)
def enrol(request: HttpRequest, data: EnrolmentIn) -> Any:
    """A secret for an authenticator app, for a user who has none yet; nothing else works without one."""
    _count_sign_in(request)
    return api_enrolment.begin(
        email=data.email, password=data.password, link_token=data.link_token, origin=origin_of(request)
    )


@router.post(
    "/auth/two-factor/confirm", auth=_FOR_ANYONE, response=EnrolledOut, openapi_extra=refuses(401, 403, 409, 429)
)
def confirm_enrolment(request: HttpRequest, data: ConfirmEnrolmentIn) -> EnrolledOut:
    """Turn two-factor on by a first code of the app, and sign in. Keep the recovery codes: they are told only now."""
    tokens, codes = api_enrolment.confirm(
        enrolment_token=data.enrolment_token, code=data.code, origin=origin_of(request)
    )
    return EnrolledOut.of(tokens, recovery_codes=codes)


@router.post("/auth/login", auth=_FOR_ANYONE, response=TokensOut, openapi_extra=refuses(401, 403))
@rated(_LOGIN)
def login(request: HttpRequest, data: Body[SignInIn]) -> TokensOut:
    """Sign in: an access token for fifteen minutes, a refresh token for seven days. 401 never says what was wrong."""
    _count_sign_in(request)
    email, origin = data.email, origin_of(request)
    if isinstance(data, PinSignInIn):
        tokens = api_sessions.sign_in_with_pin(email=email, pin=data.pin, code=data.code, origin=origin)
    else:
        tokens = api_sessions.sign_in(email=email, password=data.password, code=data.code, origin=origin)
    return TokensOut.of(tokens)


@router.post("/auth/refresh", auth=_FOR_ANYONE, response=TokensOut, openapi_extra=refuses(401))
def refresh(request: HttpRequest, data: RefreshIn) -> TokensOut:
    """New tokens for a refresh token, which works once. Used a second time, it ends the session."""
    return TokensOut.of(api_sessions.refresh(refresh_token=data.refresh_token))


@router.post("/auth/logout", response={204: None})
def logout(request: ApiRequest) -> Status:
    """End this session: neither token works any more."""
    api_sessions.sign_out(actor=request.user, session=request.api_session)
    return Status(204, None)


@router.get("/auth/session", response=SessionOut)
def present_session(request: ApiRequest) -> Any:
    """The session that this token belongs to."""
    return selectors.session_of_program(request.session_user)


@router.get("/auth/sessions", response=SessionsOut)
def open_sessions(request: ApiRequest) -> Any:
    """Where you are signed in, on the website too: this session first, then by last use."""
    return {"items": selectors.open_sessions(request.user, present=request.api_session)}


@router.delete("/auth/sessions/{uuid:session_id}", response={204: None}, openapi_extra=refuses(403, 429))
def end_session(request: ApiRequest, session_id: UUID, data: EndSessionIn | None = None) -> Status:
    """Sign out one of your sessions, for a code. The session that asks needs none to end itself, and no body."""
    ending.end_one(
        actor=request.user,
        public_id=session_id,
        present=request.api_session,
        code=data.code if data else "",
        origin=origin_of(request),
    )
    return Status(204, None)


def _count_sign_in(request: HttpRequest) -> None:
    """Count it by network, on top of the count of guesses: right ones too, since each costs the hasher's work
    (R7.4)."""
    limit = limiter.Limit(settings.API_LOGINS_PER_MINUTE, 60)
    limiter.take(f"{_LOGIN}:{network_of(client_ip(request))}", limit)
