"""Writing the audit log. There is one way in: `record()`, and `record_many()` for a batch of the same."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone

from audit import tally
from audit.actions import Action
from audit.models import AuditEntry
from foundation import request_context
from foundation.compiled import Insert
from foundation.hourly import Room

ANONYMOUS = "anonymous"

_insert = Insert(AuditEntry)


@dataclass(frozen=True, kw_only=True)
class Report:
    """The content of one entry; the fields are `record`'s arguments."""

    action: Action
    actor: Any
    subject: models.Model | None = None
    concerns: Any = None
    actor_label: str = ""
    details: dict[str, Any] | None = None
    evidence_digest: str = ""
    at: datetime | None = None


def record(
    action: Action,
    *,
    actor: Any,
    subject: models.Model | None = None,
    concerns: Any = None,
    actor_label: str = "",
    details: dict[str, Any] | None = None,
    evidence_digest: str = "",
    at: datetime | None = None,
) -> AuditEntry:
    """Write one audit entry, stamped with the IP and id of the current request.

    Call it inside the transaction of what it reports, so that both commit or neither does. Report a refusal in a
    transaction that the refusal does not roll back: the one that returns it, or a later one.

    Args:
        actor: the user who acts, or None for a person not signed in; then `actor_label` says what is known.
        subject: the row acted on; its `public_id`, or its primary key, is kept.
        concerns: the user it is about, if not the actor.
        details: plain JSON. Never a full account number, phone, address or secret (R6.2).
        at: when it happened (UTC); now, if not given.

    Raises:
        ValueError: the action is not in the catalogue.
    """
    values = _values(
        Report(
            action=action,
            actor=actor,
            subject=subject,
            concerns=concerns,
            actor_label=actor_label,
            details=details,
            evidence_digest=evidence_digest,
            at=at,
        )
    )
    entry = AuditEntry(**values)
    _insert.save(entry)
    tally.count([tally.event_of(action, entry.details)])
    return entry


def further(room: Room) -> dict[str, str]:
    """Return what the details of an entry say that is the last one within a bound: those after it are only counted."""
    return {"further": "counted only"} if room is Room.LAST else {}


def record_many(reports: Iterable[Report]) -> None:
    """Write an entry for each report, in their order, in as few statements as the database takes: as `record()`
    does, inside the transaction of what they report.

    Raises:
        ValueError: an action is not in the catalogue; nothing was written.
    """
    reports = list(reports)
    _insert.execute([tuple(_values(report).values()) for report in reports])
    tally.count(tally.event_of(report.action, report.details or {}) for report in reports)


def _values(report: Report) -> dict[str, Any]:
    """Return the columns of the entry, in their order, stamped with the current request.

    Raises:
        ValueError: the action is not in the catalogue.
    """
    if not isinstance(report.action, Action):
        raise ValueError(f"{report.action!r} is not in audit.actions.")
    now, actor, subject = request_context.current(), report.actor, report.subject
    return {
        "at": report.at or timezone.now(),
        "action": report.action.value,
        "actor_id": actor.pk if actor else None,
        "actor_label": str(actor)[:254] if actor else (report.actor_label or ANONYMOUS)[:254],
        "subject_type": subject._meta.model_name or "" if subject is not None else "",
        "subject_id": str(getattr(subject, "public_id", subject.pk)) if subject is not None else "",
        "concerns_id": report.concerns.pk if report.concerns else None,
        "ip": now.ip,
        "request_id": now.request_id,
        "details": report.details or {},
        "evidence_digest": report.evidence_digest,
    }
