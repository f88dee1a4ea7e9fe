"""Who asks: the holder of an access token. Cookies are ignored here, so a form on another site cannot ask in a person's
name, and no CSRF token is needed."""

from uuid import UUID

from django.http import HttpRequest
from ninja.security import HttpBearer

from accounts.models import User
from accounts.programs import sessions as api_sessions
from accounts.programs.session_user import SessionUser
from accounts.programs.tokens import TokenInvalid
from audit import refused
from foundation import replica


class ApiRequest(HttpRequest):
    """A request that has passed `AccessToken`: tells the type checker that it has a user and a session."""

    user: User
    api_session: UUID
    session_user: SessionUser


class AccessToken(HttpBearer):
    """Sets `request.user`, with the role already read, and `request.api_session`; otherwise the answer is 401."""

    openapi_bearerFormat = "JWT"

    def __call__(self, request: HttpRequest) -> User | None:
        """Do as the base class does, which would first make a dictionary of every header of the request."""
        scheme, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        return self.authenticate(request, token) if scheme.lower() == self.openapi_scheme else None

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        try:
            found = api_sessions.session_of(token)
        except TokenInvalid as error:
            refused.note(request, error)
            return None
        request.user, request.api_session, request.session_user = (  # type: ignore[attr-defined]
            found.user,
            found.session,
            found,
        )
        replica.asked_by(last_wrote_at=found.wrote_at)
        return found.user
