"""New recovery codes on their way to the page that shows them.

They wait in the session, sealed, for ten minutes, so that a reload shows them again: answered at once, without
a redirect, they were lost with the first reload, and the old ones were void already.
"""

import json

from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from accounts.models import User
from foundation.keys.encryption import DecryptionFailed, open_sealed, seal

_KEY = "new_recovery_codes"
SECONDS = 10 * 60


def keep(session: SessionBase, user: User, codes: list[str], *, continue_url: str) -> None:
    """Remember the codes of the user who is signed in here, and where the page leads on to."""
    sealed = seal(json.dumps(codes), _context(user))
    session[_KEY] = {"sealed": sealed, "continue_url": continue_url, "at": int(timezone.now().timestamp())}


def shown(session: SessionBase, user: User) -> tuple[list[str], str] | None:
    """Return the codes and the way on; None when there are none, or they were shown long enough."""
    kept = session.get(_KEY)
    if kept is None:
        return None
    if timezone.now().timestamp() - kept["at"] > SECONDS:
        del session[_KEY]
        return None
    try:
        return json.loads(open_sealed(kept["sealed"], _context(user))), kept["continue_url"]
    except DecryptionFailed:  # another user's, or a key that was retired meanwhile
        return None


def _context(user: User) -> str:
    return f"new recovery codes of user {user.pk}"
