"""New recovery codes, kept for the page that shows them.

They wait in the session, sealed, for ten minutes, so that a reload shows them again: without the redirect, the first
reload would lose them when the old codes are already void.
"""

import json

from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from accounts.models import User
from foundation.keys.encryption import DecryptionFailed, open_sealed, seal

_KEY = "new_recovery_codes"
SECONDS = 10 * 60


def keep(session: SessionBase, user: User, codes: list[str], *, continue_url: str) -> None:
    """Keep the codes of the signed-in user, and the page to go on to."""
    sealed = seal(json.dumps(codes), _context(user))
    session[_KEY] = {"sealed": sealed, "continue_url": continue_url, "at": int(timezone.now().timestamp())}


def shown(session: SessionBase, user: User) -> tuple[list[str], str] | None:
    """Return the codes and the page to go on to; None if there are none, or they were shown long enough."""
    kept = session.get(_KEY)
    if kept is None:
        return None
    if timezone.now().timestamp() - kept["at"] > SECONDS:
        del session[_KEY]
        return None
    try:
        return json.loads(open_sealed(kept["sealed"], _context(user))), kept["continue_url"]
    except DecryptionFailed:  # another user's, or under a key that was retired meanwhile
        return None


def _context(user: User) -> str:
    return f"new recovery codes of user {user.pk}"
