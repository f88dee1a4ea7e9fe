"""What a user may see about themselves."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, QuerySet
from django.utils import timezone

from accounts.models import RecoveryCode, SessionKind, User, UserSession
from accounts.programs.session_user import SessionUser
from accounts.sign_in.devices import device_label
from accounts.sign_in.sessions import rows as user_sessions
from audit.actions import Action
from audit.models import AuditEntry

_SIGN_INS_SHOWN = 10


@dataclass(frozen=True)
class OpenSession:
    public_id: uuid.UUID
    kind: str
    device: str
    ip: str | None
    created_at: datetime
    last_seen_at: datetime
    is_present: bool


@dataclass(frozen=True)
class SignIn:
    at: datetime
    ip: str | None
    succeeded: bool


@dataclass(frozen=True)
class NameThatWaits:
    """A name that a person asked for and no clerk has approved yet, and the request for it."""

    name: str
    request_id: uuid.UUID


_who_knows: list[Callable[[User], NameThatWaits | None]] = []


def ask_for_names_at(find: Callable[[User], NameThatWaits | None]) -> None:
    """Set the function that knows requested names: requests belong to an app above this one."""
    _who_knows[:] = [find]


def name_that_waits(user: User) -> NameThatWaits | None:
    """Return the user's requested name, until the bank has decided."""
    return next((found for find in _who_knows if (found := find(user)) is not None), None)


def locked_users() -> QuerySet[User]:
    """Return the users whom an administrator has locked."""
    return User.objects.filter(locked_at__isnull=False)


def last_lock_at() -> datetime | None:
    """Return when the last of the users who are locked now was locked."""
    return locked_users().aggregate(last=Max("locked_at"))["last"]


def failed_sign_ins_since(moment: datetime) -> QuerySet[AuditEntry]:
    """Return the wrong passwords and codes of all people, from the audit log."""
    return AuditEntry.objects.filter(action=Action.LOGIN_FAILURE.value, at__gte=moment)


def open_sessions(user: User, *, present: uuid.UUID | None) -> list[OpenSession]:
    """Return the user's sessions that are neither ended nor timed out: this one first, then by last use."""
    now = timezone.now()
    rows = UserSession.objects.filter(user=user, ended_at__isnull=True).order_by("-last_seen_at")
    sessions = [
        OpenSession(
            public_id=row.public_id,
            kind=row.kind,
            device=device_label(row.user_agent),
            ip=row.ip,
            created_at=row.created_at,
            last_seen_at=row.last_seen_at,
            is_present=row.public_id == present,
        )
        for row in rows
        if user_sessions.is_within_timeouts(row, now)
    ]
    return sorted(sessions, key=lambda session: not session.is_present)


def session_of_program(found: SessionUser) -> OpenSession:
    """Return the session that a token belongs to, from what was read with its user."""
    return OpenSession(
        public_id=found.session,
        kind=SessionKind.API,
        device=device_label(found.user_agent),
        ip=found.ip,
        created_at=found.created_at,
        last_seen_at=found.last_seen_at,
        is_present=True,
    )


def recent_sign_ins(user: User) -> list[SignIn]:
    """Return the last sign-ins and failed tries, newest first, from the audit log."""
    entries = AuditEntry.objects.only("at", "ip", "action").order_by("-at")
    # Two range scans, by two indexes; one query with OR would read all of a busy user's entries.
    succeeded = entries.filter(actor_id=user.pk, action=Action.LOGIN_SUCCESS.value)[:_SIGN_INS_SHOWN]
    failed = entries.filter(concerns_id=user.pk, action=Action.LOGIN_FAILURE.value)[:_SIGN_INS_SHOWN]
    newest = sorted([*succeeded, *failed], key=lambda entry: entry.at, reverse=True)[:_SIGN_INS_SHOWN]
    return [SignIn(entry.at, entry.ip, entry.action == Action.LOGIN_SUCCESS.value) for entry in newest]


def recovery_codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at__isnull=True).count()
