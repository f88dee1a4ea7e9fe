"""The user's own profile through the API: details, ways to sign in, and a forgotten password (R1.8, R1.9).

Routes parse; services decide, and tell the person by mail what was changed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Self
from uuid import UUID

from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpRequest
from ninja import Router, Status
from pydantic import ConfigDict, Field, WithJsonSchema

from accounts import selectors
from accounts.api.bearer import ApiRequest
from accounts.api.sign_in import EndSessionIn, EnrolledOut, Token, TokensOut, read_by_form
from accounts.api.types import Code, EmailText, Secret
from accounts.forms import PHONE, EmailChangeForm, ForgottenPasswordForm, ProfileForm
from accounts.models import User
from accounts.people import email_change
from accounts.people import profile as profile_service
from accounts.programs import credentials as api_credentials
from accounts.programs.credentials import REPLACEMENT_LASTS
from accounts.roles import Role
from accounts.sign_in import authenticator, pins
from accounts.sign_in.origin import origin_of
from accounts.sign_in.passwords import reset as password_reset
from accounts.sign_in.pins import PIN_DIGITS
from accounts.sign_in.sessions import ending
from foundation.refusals import Refusal
from foundation.request_context import client_ip
from foundation.rest.document import refuses
from foundation.rest.schemas import In, Out, TimeText, text_pattern

_LinkToken = Annotated[Token, Field(description="The last part of the link in the mail.")]


class NameByRequest(Refusal):
    """Of customers; whoever works here asks an administrator."""

    code = "name_by_request"
    text = "A name is changed by a request that the bank approves. File one of the kind update_identity."


_AS_IT_IS = {"deprecated": True, "description": "Refused unless it is your name as it is: see `name_waiting`."}


class ProfileIn(In):
    """Any of these fields, with a code for phone and address; at staff's, these two may be empty."""

    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"phone": ["code"], "address": ["code"]}})

    first_name: Annotated[str, Field(min_length=1, max_length=100, **_AS_IT_IS)] = ""
    last_name: Annotated[str, Field(max_length=100, **_AS_IT_IS)] = ""
    phone: Annotated[str, read_by_form(f"^(?:{PHONE})?$"), Field(max_length=40, examples=["+49 30 1234567"])] = ""
    address: Annotated[str, read_by_form(text_pattern(required=False)), Field(max_length=300)] = ""
    code: Annotated[Code, Field(description="Needed with phone or address; a recovery code will do.")] = ""


class ProfileOut(Out):
    id: UUID
    email: str
    first_name: str
    last_name: str
    name_waiting: Annotated[str | None, Field(description="A new name that you asked for and nobody has decided on.")]
    phone: str
    address: str
    role: Annotated[str | None, WithJsonSchema({"type": ["string", "null"], "enum": [*map(str, Role), None]})]
    has_pin: bool
    pin_is_locked: bool
    recovery_codes_left: int

    @classmethod
    def of(cls, user: User) -> Self:
        waiting = selectors.name_that_waits(user)
        return cls(
            id=user.public_id,
            email=user.email,
            first_name=user.first_name,
            last_name=user.last_name,
            name_waiting=waiting.name if waiting is not None else None,
            phone=user.phone,
            address=user.address,
            role=user.role,
            has_pin=user.has_pin,
            pin_is_locked=user.pin_locked_at is not None,
            recovery_codes_left=selectors.recovery_codes_left(user),
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


router = Router(tags=["Profile"])
_FOR_ANYONE: Any = None  # as in accounts.api.sign_in


@router.get("/profile", response=ProfileOut)
def profile(request: ApiRequest) -> ProfileOut:
    """What the bank knows of you, and how you sign in."""
    return ProfileOut.of(request.user)


@router.patch("/profile", response=ProfileOut, openapi_extra=refuses(409, 429))
def change_profile(request: ApiRequest, data: ProfileIn) -> ProfileOut:
    """Change phone or address, for a code, and leave the rest: by the rules of the page. A mail says which fields were
    changed. Your name is changed by a request: `POST /requests` with the kind `update_identity`."""
    user, sent = request.user, data.model_dump(exclude_unset=True)
    if any(getattr(user, name) != sent[name] for name in ("first_name", "last_name") if name in sent):
        raise NameByRequest
    wanted = {name: sent[name] for name in ("phone", "address") if name in sent}
    form = ProfileForm({"phone": user.phone, "address": user.address} | sent, needs_contact=not user.is_staff)
    _refuse_faults_of(form, {*sent, "code"} if wanted else sent)
    wanted = {name: form.cleaned_data[name] for name in wanted}
    profile_service.update_details(
        actor=user, code=form.cleaned_data.get("code", ""), origin=origin_of(request), **wanted
    )
    for name, value in wanted.items():
        setattr(user, name, value)
    return ProfileOut.of(user)


@router.post("/profile/email", response={202: MailedOut}, openapi_extra=refuses(409, 429))
def request_email_change(request: ApiRequest, data: EmailChangeIn) -> Status:
    """Ask for another address, with password and code. Nothing changes until the link in the mail to it is followed;
    the answer is the same whether or not the address is somebody's already."""
    form = EmailChangeForm(data.model_dump())
    _refuse_faults_of(form, {"email"})
    email = form.cleaned_data["email"]
    email_change.request_change(
        actor=request.user,
        new_email=email,
        password=data.password,
        code=data.code,
        origin=origin_of(request),
    )
    return Status(202, MailedOut())


@router.post("/profile/email/confirm", response={204: None}, openapi_extra=refuses(404))
def confirm_email_change(request: ApiRequest, data: LinkIn) -> Status:
    """Sign in with the new address from now on, by the token of the mail to it; whoever asked for it confirms it."""
    email_change.confirm_change(actor=request.user, token=data.token)
    return Status(204, None)


@router.post("/profile/password", response=TokensOut, openapi_extra=refuses(429))
def change_password(request: ApiRequest, data: PasswordChangeIn) -> TokensOut:
    """Choose another password. All other sessions end; this one goes on with the new tokens of the answer, and those
    that you used so far are not good any more."""
    with _faults_at("new_password"):
        tokens = api_credentials.change_password(
            actor=request.user,
            session=request.api_session,
            old_password=data.current_password,
            new_password=data.new_password,
            origin=origin_of(request),
        )
    return TokensOut.of(tokens)


@router.put("/profile/pin", response={204: None}, openapi_extra=refuses(409, 429))
def set_pin(request: ApiRequest, data: PinIn) -> Status:
    """Set a PIN, or another in its place. Where the bank allows it, you sign in by PIN and code."""
    pins.set_pin(actor=request.user, pin=data.pin, code=data.code, origin=origin_of(request))
    return Status(204, None)


@router.delete("/profile/pin", response={204: None}, openapi_extra=refuses(409, 429))
def remove_pin(request: ApiRequest, data: CodeIn) -> Status:
    """Have no PIN any more. The code stands in the body, where no log keeps it."""
    pins.remove_pin(actor=request.user, code=data.code, origin=origin_of(request))
    return Status(204, None)


@router.post("/profile/recovery-codes", response={201: RecoveryCodesOut}, openapi_extra=refuses(429))
def renew_recovery_codes(request: ApiRequest, data: CodeIn) -> Status:
    """Ten new recovery codes, told only now. The old ones are worthless."""
    codes = authenticator.renew_recovery_codes(actor=request.user, code=data.code, origin=origin_of(request))
    return Status(201, RecoveryCodesOut(recovery_codes=codes))


@router.post("/profile/authenticator", response={201: ReplacementOut}, openapi_extra=refuses(429))
def begin_authenticator_replacement(request: ApiRequest, data: CodeIn) -> Status:
    """A secret for another authenticator app, for a code of the present one or a recovery code. The present one works
    on until the new one is confirmed, in this session. After a recovery code, first transfers to somebody and cash
    withdrawals wait a day."""
    begun = api_credentials.begin_replacement(
        actor=request.user, session=request.api_session, code=data.code, origin=origin_of(request)
    )
    return Status(201, begun)


@router.post("/profile/authenticator/confirm", response=EnrolledOut, openapi_extra=refuses(409))
def confirm_authenticator_replacement(request: ApiRequest, data: ConfirmReplacementIn) -> EnrolledOut:
    """Replace the old app with the new one, by a first code of it. All other sessions end; this one goes on with the
    new tokens of the answer, and those that you used so far are not good any more. Keep the new recovery codes: they
    are told only now."""
    tokens, codes = api_credentials.complete_replacement(
        actor=request.user,
        session=request.api_session,
        replacement_token=data.replacement_token,
        code=data.code,
    )
    return EnrolledOut.of(tokens, recovery_codes=codes)


@router.get("/profile/sign-ins", response=SignInsOut)
def recent_sign_ins(request: ApiRequest) -> Any:
    """Your last sign-ins and failed tries, newest first."""
    return {"items": selectors.recent_sign_ins(request.user)}


@router.post("/auth/sessions/end-others", response=EndedOut, openapi_extra=refuses(429))
def end_other_sessions(request: ApiRequest, data: EndSessionIn) -> EndedOut:
    """Sign out everywhere but here, for a code."""
    ended = ending.end_others(
        actor=request.user, present=request.api_session, code=data.code, origin=origin_of(request)
    )
    return EndedOut(ended=ended)


@router.post("/auth/password-reset", auth=_FOR_ANYONE, response={202: MailedOut}, openapi_extra=refuses(429))
def request_password_reset(request: HttpRequest, data: ResetRequestIn) -> Status:
    """Ask for a link by which to choose a new password. The answer is the same whoever's the address is."""
    form = ForgottenPasswordForm(data.model_dump())
    _refuse_faults_of(form, {"email"})
    password_reset.request_reset(email=form.cleaned_data["email"], ip=client_ip(request))
    return Status(202, MailedOut())


@router.post("/auth/password-reset/confirm", auth=_FOR_ANYONE, response={204: None}, openapi_extra=refuses(404))
def reset_password(request: HttpRequest, data: NewPasswordIn) -> Status:
    """Choose a new password by the token of the mail. All sessions end; signing in takes the code as always."""
    with _faults_at("new_password"):
        password_reset.reset_password(token=data.token, new_password=data.new_password)
    return Status(204, None)


def _refuse_faults_of(form: Form, names: Any) -> None:
    """Refuse what the page's form finds wrong with these fields; a field that was not sent stays unchanged.

    Raises:
        ValidationError
    """
    form.is_valid()
    faults = {name: found for name, found in form.errors.as_data().items() if name in names}
    if faults:
        raise ValidationError(faults)


@contextmanager
def _faults_at(field: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        raise ValidationError({field: error.error_list}) from error
