"""Ending one's own sessions, for a fresh code: otherwise a thief with a stolen session could sign its owner out (R1.8,
ASVS V7.5.2)."""

import uuid

from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User, UserSession
from accounts.sign_in.fresh_code import CodeNeeded, verify_fresh_code
from accounts.sign_in.origin import Origin
from accounts.sign_in.sessions import rows as user_sessions
from audit.actions import Action
from audit.services import record
from foundation import outbox
from foundation.refusals import Refusal
from foundation.transactions import own_transaction


class SessionNotFound(Refusal):
    """No open session of this user has this id; it does not say whether another user has it."""

    code = "session_not_found"
    text = "There is no such session of yours."
    status = 404


def end_one(*, actor: User, public_id: uuid.UUID, present: uuid.UUID, code: str, origin: Origin) -> None:
    """Sign out one of one's own sessions; that session notices at its next request.

    Args:
        present: the session that asks. It needs no code to end itself.
        code: a fresh one, or a recovery code; not looked at if there is nothing to end.

    Raises:
        SessionNotFound: also when it belongs to another user, or is over already.
        CodeNeeded: none is given, "".
        WrongCode, TryAgainIn, TooOften
    """
    if public_id != present:
        if not _open(actor, public_id).exists():
            raise SessionNotFound
        if not code:
            raise CodeNeeded("Ending another session takes a code of your authenticator app, or a recovery code.")
        verify_fresh_code(actor=actor, code=code, origin=origin, recovery_code_too=True)
    _end_one(actor, public_id)


@own_transaction
def _end_one(actor: User, public_id: uuid.UUID) -> None:
    if not _open(actor, public_id).update(ended_at=timezone.now()):
        raise SessionNotFound
    _tell_of_ended(actor, 1)


def end_others(*, actor: User, present: uuid.UUID, code: str, origin: Origin) -> int:
    """Sign out all of one's own other sessions; return how many were open.

    Args:
        code: a fresh one, or a recovery code.

    Raises:
        WrongCode, TryAgainIn, TooOften
    """
    verify_fresh_code(actor=actor, code=code, origin=origin, recovery_code_too=True)
    return _end_others(actor, present)


@own_transaction
def _end_others(actor: User, present: uuid.UUID) -> int:
    now = timezone.now()
    others = UserSession.objects.filter(user=actor, ended_at__isnull=True).exclude(public_id=present)
    count = sum(user_sessions.is_within_timeouts(row, now) for row in others)
    user_sessions.mark_ended(actor, but=present)
    if count:
        _tell_of_ended(actor, count)
    return count


def _open(actor: User, public_id: uuid.UUID) -> QuerySet[UserSession]:
    return UserSession.objects.filter(public_id=public_id, user=actor, ended_at__isnull=True)


def _tell_of_ended(actor: User, count: int) -> None:
    record(Action.SESSION_ENDED, actor=actor, subject=actor, details={"sessions": count})
    outbox.tell("sessions_ended", user_id=actor.pk, count=count)
