"""The signed-in sessions of a user, one row for each: shown on the profile, and ended there (R1.8). The idle clock of
R1.6 is here too, and not in the session's data: moving it can overwrite nothing.

A session carries the id of its row. Without an open row of its own user it is over at its next request: so a row that
was ended elsewhere, or a session that our sign-in did not begin, opens nothing
(`accounts.sign_in.sessions.middleware`).
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.models import SessionKind, User, UserSession
from accounts.sign_in.origin import Origin
from audit.actions import Action
from audit.services import record
from foundation.compiled import Select, Update
from foundation.transactions import own_repeatable_transaction

_API_NOTED = timedelta(minutes=1)
_KEPT = timedelta(days=30)
API_REFRESH_LASTS = timedelta(days=7)  # R7.1

# Run on every request of a page.
_open_rows: Select = Select(
    lambda public_id, user, kind: UserSession.objects.filter(
        public_id=public_id, user=user, kind=kind, ended_at__isnull=True
    ),
    UserSession._meta.get_field("public_id"),
    UserSession._meta.get_field("user"),
    UserSession._meta.get_field("kind"),
)
# If several requests come at once, one matches, and none sets the clock back.
_noting = Update(
    lambda pk, now, noted_by: (
        UserSession.objects.filter(pk=pk, last_seen_at__lte=noted_by),
        {"last_seen_at": now},
    ),
    UserSession._meta.get_field("id"),
    UserSession._meta.get_field("last_seen_at"),
    UserSession._meta.get_field("last_seen_at"),
)
# The same where the noted time is in the future: a clock that has since been set back wrote it.
_noting_anew = Update(
    lambda pk, now, noted: (UserSession.objects.filter(pk=pk, last_seen_at=noted), {"last_seen_at": now}),
    UserSession._meta.get_field("id"),
    UserSession._meta.get_field("last_seen_at"),
    UserSession._meta.get_field("last_seen_at"),
)


def new_row(*, actor: User, kind: SessionKind, origin: Origin) -> UserSession:
    """Make the row of a session that begins now, and end the one unused for longest if there would be more than
    MAX_SESSIONS; sweep rows that ended long ago.

    The caller's transaction has locked the user's row, so that of several sign-ins at once each counts those before it.
    """
    now = timezone.now()
    UserSession.objects.filter(user=actor, last_seen_at__lt=now - _KEPT).delete()
    _make_room(actor, now)
    agent = origin.user_agent[:200]
    row = UserSession(user=actor, kind=kind, user_agent=agent, ip=origin.ip, created_at=now, last_seen_at=now)
    row.wrote_at = now  # they see here what they did elsewhere just before
    row.code_at = now  # both factors have been given
    row.save()
    return row


def _make_room(actor: User, now: datetime) -> None:
    """End as many sessions as stand in the way of one more. No mail says so: a program that signs in again and again
    would fill a mailbox."""
    rows = UserSession.objects.filter(user=actor, ended_at__isnull=True).order_by("last_seen_at", "pk")
    alive = [row.pk for row in rows if is_within_timeouts(row, now)]
    too_many = alive[: max(len(alive) + 1 - settings.MAX_SESSIONS, 0)]
    if too_many:
        UserSession.objects.filter(pk__in=too_many).update(ended_at=now)
        details = {"sessions": len(too_many), "why": "max_sessions"}
        record(Action.SESSION_ENDED, actor=actor, subject=actor, details=details)


def open_row(public_id: uuid.UUID, *, user_id: Any, kind: SessionKind) -> UserSession | None:
    """Return the open row of this id, if it belongs to this user. One look-up by a unique key."""
    return next(iter(_open_rows.instances(public_id, user_id, kind)), None)


def note_seen(row: UserSession, *, now: datetime) -> None:
    """Note that the pages are being used, at most once in SESSION_NOTED_SECONDS, so that looking writes nothing."""
    _note(row.pk, row.last_seen_at, now, timedelta(seconds=settings.SESSION_NOTED_SECONDS))


def note_program(pk: int, *, last_seen_at: datetime, now: datetime) -> None:
    """Note that a program uses its session, at most once a minute: no idle time ends it."""
    _note(pk, last_seen_at, now, _API_NOTED)


def _note(pk: int, last_seen_at: datetime, now: datetime, every: timedelta) -> None:
    if now - last_seen_at >= every:
        _noting.execute(pk, now, now - every)
    elif last_seen_at - now >= every:  # or the session would live that much longer with nobody there
        _noting_anew.execute(pk, now, last_seen_at)


@own_repeatable_transaction
def note_write(user: User, *, now: datetime) -> None:
    """Note in every open session of the user, whatever server answers it next, that they have changed something: a
    replica's data for them is old (`foundation.replica`)."""
    UserSession.objects.filter(user=user, ended_at__isnull=True).update(wrote_at=now)


def is_within_timeouts(row: UserSession, now: datetime) -> bool:
    """Return whether neither the clocks of R1.6 nor the last refresh token of the API have run out, which the row
    itself does not say."""
    if row.kind == SessionKind.API:
        return now - row.last_seen_at <= API_REFRESH_LASTS + _API_NOTED and not is_too_old(row, now)
    idle = timedelta(seconds=settings.SESSION_IDLE_SECONDS + settings.SESSION_NOTED_SECONDS)
    return now - row.last_seen_at <= idle and now - row.created_at <= timedelta(
        seconds=settings.SESSION_ABSOLUTE_SECONDS
    )


def is_too_old(row: UserSession, now: datetime) -> bool:
    """Return whether a session of the API began so long ago that both factors are due again."""
    return now - row.created_at > timedelta(days=settings.API_SESSION_DAYS)


def mark_one_ended(public_id: uuid.UUID) -> None:
    """End the row of this id, if it is open; the caller audits that."""
    UserSession.objects.filter(public_id=public_id, ended_at__isnull=True).update(ended_at=timezone.now())


def mark_ended(user: User, *, but: uuid.UUID | None = None) -> int:
    """End all sessions of a user except one, inside the caller's transaction; return how many rows were still open."""
    rows = UserSession.objects.filter(user=user, ended_at__isnull=True)
    if but is not None:
        rows = rows.exclude(public_id=but)
    return rows.update(ended_at=timezone.now())


def mark_all_ended() -> int:
    """End every session of everybody, inside the caller's transaction; return how many rows were still open."""
    return UserSession.objects.filter(ended_at__isnull=True).update(ended_at=timezone.now())
