"""The user of a session, looked up on every request of the API: compiled by the ORM once, then run with other ids.

Compiling the query took longer than asking (docs/adr/0005).
"""

from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from django.db.models import F, QuerySet

from accounts import roles
from accounts.models import SessionKind, User, UserSession
from foundation.compiled import Select

# Columns of the session's row, in the order of the attributes of `SessionUser`; the names are those of annotations of
# the user.
_OF_SESSION = {
    f"_session_{name}": name for name in ("pk", "user_agent", "ip", "created_at", "last_seen_at", "wrote_at")
}
_told = attrgetter(*_OF_SESSION)

# Read by the few requests that ask for them.
_LEFT_OUT = ("password", "last_login", "is_superuser", "created_at")


@dataclass(frozen=True)
class SessionUser:
    """A user with the role already read, and the session's row."""

    user: User
    session: UUID
    session_pk: int
    user_agent: str
    ip: str | None
    created_at: datetime
    last_seen_at: datetime
    wrote_at: datetime | None


def of_api_session(*, user: UUID, session: UUID) -> SessionUser | None:
    """Return the user of an open session of the API, if it belongs to this user: by two unique keys, in one
    statement."""
    rows = _users.instances(user, session)
    if not rows:
        return None
    found = rows[0]
    roles.keep(found, [(row._group, row._permissions) for row in rows])
    return SessionUser(found, session, *_told(found))


def _open_sessions_user(user: UUID, session: UUID) -> QuerySet[User]:
    users = User.objects.filter(
        public_id=user,
        sessions__public_id=session,
        sessions__kind=SessionKind.API,
        sessions__ended_at__isnull=True,
    )
    of_session = {name: F(f"sessions__{field}") for name, field in _OF_SESSION.items()}
    return roles.annotated(users.defer(*_LEFT_OUT).annotate(**of_session))


_users: Select = Select(
    _open_sessions_user, User._meta.get_field("public_id"), UserSession._meta.get_field("public_id")
)
