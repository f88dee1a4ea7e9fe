"""Signing in and out through the API, registration, two-factor, open sessions (R7.1). Routes parse; services decide."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Router, Status

from accounts import limiter, selectors
from accounts.api_schemas import (
    ConfirmEnrolmentIn,
    ConfirmRegistrationIn,
    EnrolledOut,
    EnrolmentIn,
    EnrolmentOut,
    RefreshIn,
    RegisteredOut,
    RegistrationIn,
    SessionOut,
    SessionsOut,
    SignInIn,
    TokensOut,
)
from accounts.forms import RegistrationForm
from accounts.origin import origin_of
from accounts.rest.bearer import ApiRequest
from accounts.rest.documenting import refuses
from accounts.rest.rates import rated
from accounts.services import api_enrolment, api_sessions, registration, user_sessions
from audit.context import client_ip, network_of

router = Router(tags=["Signing in"])
_LOGIN = "login"  # the limit of signing in, as programs are told of it
_FOR_ANYONE: Any = None  # `auth` of the routes by which one gets a token; each is on the list of a test


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
    """A secret for an authenticator app, for somebody who has none yet; nothing else works without one."""
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
def login(request: HttpRequest, data: SignInIn) -> TokensOut:
    """Sign in: an access token for fifteen minutes, a refresh token for seven days. 401 never says what was wrong."""
    _count_sign_in(request)
    email, origin = data.email, origin_of(request)
    if data.pin is not None:
        tokens = api_sessions.sign_in_with_pin(email=email, pin=data.pin, code=data.code, origin=origin)
    else:
        tokens = api_sessions.sign_in(email=email, password=data.password or "", code=data.code, origin=origin)
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


@router.delete("/auth/sessions/{uuid:session_id}", response={204: None})
def end_session(request: ApiRequest, session_id: UUID) -> Status:
    """Sign out one of your sessions."""
    user_sessions.end_one(actor=request.user, public_id=session_id)
    return Status(204, None)


def _count_sign_in(request: HttpRequest) -> None:
    """By network, on top of the count of guesses: right ones too, since each costs the hasher's work (R7.4)."""
    limit = limiter.Limit(settings.API_LOGINS_PER_MINUTE, 60)
    limiter.take(f"{_LOGIN}:{network_of(client_ip(request))}", limit)
