"""The session of a page: a browser's cookie on one side, a row of `UserSession` on the other.

Not for programs: they have tokens, and a cookie that a browser sends beside a token is not ours.
"""

import uuid
from typing import Any, cast

from django.contrib.auth import logout
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from accounts.models import SessionKind, User, UserSession
from accounts.sign_in.origin import Origin
from accounts.sign_in.sessions import pending
from accounts.sign_in.sessions import rows as user_sessions
from audit.actions import Action
from audit.services import record
from foundation.locking import lock
from foundation.transactions import own_transaction

_KEY = "user_session"
_NO_ROW = str(uuid.UUID(int=0))


def begin(session: SessionBase, *, actor: User, origin: Origin) -> None:
    """Note that this session is signed in now, from where and with what."""
    session[_KEY] = str(_begin(actor, origin).public_id)


@own_transaction
def _begin(actor: User, origin: Origin) -> UserSession:
    lock(User.objects).get(pk=actor.pk)
    return user_sessions.new_row(actor=actor, kind=SessionKind.PAGES, origin=origin)


def id_of(session: SessionBase) -> uuid.UUID:
    """Return the id of this session's row; an id that no row has, if our sign-in did not begin it."""
    return uuid.UUID(session.get(_KEY) or _NO_ROW)


def is_signed_in(request: HttpRequest) -> bool:
    """Return whether both factors were given; a password alone is not signed in."""
    user: Any = getattr(request, "user", None)
    return user is not None and user.is_authenticated and user.is_verified()


def reader_of(request: HttpRequest) -> str:
    """Return the mark that forms carry which are shown now: of the person who is signed in, or who waits to give a
    code; "" for a visitor."""
    if is_signed_in(request):
        return pending.reader_mark(cast("User", request.user))
    return pending.reader_of(request.session) if hasattr(request, "session") else ""


def is_of_another(request: HttpRequest) -> bool:
    """Return whether the form that was sent was shown to another person, who shares this browser: without this, the
    code that one of them gives would be counted for the other."""
    present = reader_of(request)
    return bool(present) and request.POST.get("reader", present) != present


def open_row(session: SessionBase) -> UserSession | None:
    """Return the row that lets this session go on; None if it was ended. One look-up by a unique key."""
    return user_sessions.open_row(id_of(session), user_id=session["_auth_user_id"], kind=SessionKind.PAGES)


def renew_key(session: SessionBase) -> None:
    """Give the session another key, after its owner has proved a factor: a copy of the cookie then opens nothing, and
    is not shown the next secret. All tabs share the cookie, and the token of their forms stays."""
    session.cycle_key()


def end_present(session: SessionBase) -> None:
    """End the row of a session that is signed out or has timed out; the caller audits that."""
    user_sessions.mark_one_ended(id_of(session))


def sign_out(request: HttpRequest) -> None:
    """End the session on the server (R1.6)."""
    if request.user.is_authenticated:
        record(Action.LOGOUT, actor=request.user)
        end_present(request.session)
    logout(request)
