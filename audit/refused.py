"""Accesses that were refused: by role, to what is somebody else's, and with something forged (ASVS V16.3.2, V16.3.3).

Anybody can be refused as often as they like, and nothing is ever deleted from the audit log. So only so many are
recorded for a person, for a stranger's network and for all strangers; the last one says so, and all are counted.
"""

import logging
from typing import Any

from django.db import Error
from django.http import HttpRequest

from audit import tally
from audit.actions import Action
from audit.services import further, record
from foundation.hourly import HourlyBound, Room
from foundation.limiter import limiter
from foundation.limiter.limiter import Limit, LimitsUnavailable, Place, TooOften
from foundation.refusals import CURSOR_FORGED, access_refused
from foundation.request_context import current, network_of

logger = logging.getLogger(__name__)

# The attribute of a request that was refused something, for `RefusedMiddleware`.
REFUSED = "refused_access"

# Refusals of strangers worth an entry. 404 is not: anyone may follow an old link.
_OF_STRANGERS = frozenset({"csrf", CURSOR_FORGED, "forbidden", "foreign_challenge", "token_forged"})

EACH = Limit(times=20, window_seconds=3600)
STRANGERS = Limit(times=100, window_seconds=600)
# Asked first, and cost no statement: beyond them nobody makes the database work by being refused. Strangers, who can
# come from any number of networks, take no place of a person.
_PEOPLE = HourlyBound(each=EACH.times, in_all=5000)
_ANYBODY = HourlyBound(each=EACH.times, in_all=5000)


def note(request: HttpRequest, error: Exception) -> None:
    """Note on the request that this exception refuses an access; other exceptions leave no note."""
    reason = access_refused(error)
    if reason:
        note_reason(request, reason)


def note_reason(request: HttpRequest, reason: str) -> None:
    vars(request)[REFUSED] = reason


def record_refused(*, actor: Any, reason: str, route: str, method: str) -> None:
    """Record a refused access within the bounds. Call it after every transaction of the request: what was refused is
    rolled back, this is not. It raises nothing: the refusal stands.

    Args:
        actor: the user, or None for a stranger.
        route: the name of the route, never the address.
    """
    if actor is None and reason not in _OF_STRANGERS:
        return
    room = _take(f"refused:user:{actor.pk}" if actor else f"refused:{network_of(current().ip)}", is_stranger=not actor)
    if room is Room.NONE:
        tally.leave_out(Action.ACCESS_REFUSED)
        return
    details = {"reason": reason, "route": route, "method": method} | further(room)
    try:
        record(Action.ACCESS_REFUSED, actor=actor, details=details)
    except Error as error:
        _say_lost(error)


def _take(whose: str, *, is_stranger: bool) -> Room:
    """Take a place, here and over all processes."""
    if (_ANYBODY if is_stranger else _PEOPLE).take(whose) is Room.NONE:
        return Room.NONE
    places = [Place(whose, EACH), Place("refused:strangers", STRANGERS)]
    try:
        left = min(limiter.take_all(places if is_stranger else places[:1]))
    except TooOften:
        return Room.NONE
    except (Error, LimitsUnavailable) as error:
        _say_lost(error)
        return Room.NONE
    return Room.ENOUGH if left else Room.LAST


def _say_lost(error: Exception) -> None:
    logger.warning("A refused access was not recorded: %s", type(error).__name__)
