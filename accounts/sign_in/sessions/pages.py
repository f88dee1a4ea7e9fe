"""The session of a page: a browser's cookie on one side, a row of `UserSession` on the other.

Not for programs: they have tokens, and a cookie that a browser sends beside a token is not ours.
"""

import uuid

from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from accounts.models import SessionKind, User, UserSession
from accounts.sign_in.origin import Origin
from accounts.sign_in.sessions import rows as user_sessions
from audit.actions import Action
from audit.services import record

_KEY = "user_session"
_NO_ROW = str(uuid.UUID(int=0))


def begin(session: SessionBase, *, actor: User, origin: Origin) -> None:
    """Note that this session is signed in now, from where and with what."""
    row = user_sessions.new_row(actor=actor, kind=SessionKind.PAGES, origin=origin)
    session[_KEY] = str(row.public_id)


def id_of(session: SessionBase) -> uuid.UUID:
    """Return the id of this session's row; an id that no row has, if our sign-in did not begin it."""
    return uuid.UUID(session.get(_KEY) or _NO_ROW)


def open_row(session: SessionBase) -> UserSession | None:
    """Return the row that lets this session go on; None if it was ended. One look-up by a unique key."""
    return user_sessions.open_row(id_of(session), user_id=session["_auth_user_id"], kind=SessionKind.PAGES)


def renew_key(session: SessionBase) -> None:
    """Give the session another key, after its owner has proved a factor or ended other sessions: a copy of the cookie
    then opens nothing, and is not shown the next secret."""
    session.cycle_key()


def end_present(session: SessionBase) -> None:
    """End the row of a session that is signed out or has timed out; the caller audits that."""
    user_sessions.mark_one_ended(id_of(session))


def end_others(session: SessionBase, *, actor: User) -> int:
    """Sign out all of one's own other sessions, copies of its cookie too; return how many were open."""
    count = user_sessions.end_others(actor=actor, present=id_of(session))
    renew_key(session)
    return count


def sign_out(request: HttpRequest) -> None:
    """End the session on the server (R1.6)."""
    if request.user.is_authenticated:
        record(Action.LOGOUT, actor=request.user)
        end_present(request.session)
    logout(request)
