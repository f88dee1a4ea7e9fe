"""Which jobs run by themselves, when, and that each runs on one machine at a time (R9.2; ADR 20).

A job is a command of `manage.py` that may be stopped and run again. Times of day are the bank's (TIME_ZONE).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from bankproject.operations.models import ScheduledJob

# A scheduler that has not moved its lease on for so long is gone.
LEASE = timedelta(minutes=2)


@dataclass(frozen=True)
class Job:
    """A command, and when: `every` so long after it began, or at a time of `day`. What failed and has `retry` is
    tried again after it; the rest, when it is due again."""

    name: str
    every: timedelta | None = None
    day: time = time.min
    retry: timedelta | None = None

    def next_after(self, moment: datetime) -> datetime:
        """When it is due next, later than `moment`."""
        if self.every is not None:
            return moment + self.every
        here = timezone.get_default_timezone()
        today = timezone.localtime(moment, here).date()
        times = (datetime.combine(today + timedelta(days=days), self.day, tzinfo=here) for days in (0, 1, 2))
        # In UTC: a time that a clock never showed is compared with none.
        return next(at for at in (one.astimezone(UTC) for one in times) if at > moment)

    def first_after(self, moment: datetime) -> datetime:
        """When a bank that has never run it does so: what is hourly at once."""
        return moment if self.every is not None else self.next_after(moment)


_HOURLY = timedelta(hours=1)
_SOON = timedelta(minutes=15)
JOBS: Sequence[Job] = (
    Job("seal_audit_log", every=_HOURLY, retry=_SOON),
    Job("clean_up", every=_HOURLY),
    # An hour after midnight at the earliest: until then a day is not countable.
    Job("accrue_interest", day=time(2), retry=_SOON),
    # Nothing gets right by asking again soon; each fault is in the log until somebody has looked.
    Job("verify_ledger", day=time(3)),
    Job("verify_audit_log", day=time(4)),
)


@dataclass(frozen=True)
class Claim:
    """The right to run a job now, which no other scheduler has."""

    job: Job
    key: uuid.UUID
    begun_at: datetime

    @property
    def row(self) -> QuerySet[ScheduledJob]:
        """The job's row, as long as the claim holds."""
        return ScheduledJob.objects.filter(pk=self.job.name, claim=self.key)


def make_rows(jobs: Sequence[Job], *, at: datetime) -> None:
    """Make the rows of jobs that are new to this bank; safe for several schedulers at once."""
    for job in jobs:
        ScheduledJob.objects.get_or_create(name=job.name, defaults={"next_at": job.first_after(at)})


def claim_due(jobs: Sequence[Job], *, at: datetime) -> list[Claim]:
    """The jobs that are due and that nobody runs, now claimed: of several who ask, one gets each."""
    nobody = Q(running_until__isnull=True) | Q(running_until__lt=at)
    by_name = {job.name: job for job in jobs}
    due = ScheduledJob.objects.filter(nobody, pk__in=list(by_name), next_at__lte=at).order_by("next_at")
    claims = []
    for name in due.values_list("pk", flat=True):
        claim = Claim(by_name[name], uuid.uuid4(), at)
        won = ScheduledJob.objects.filter(nobody, pk=name, next_at__lte=at).update(
            claim=claim.key, running_until=at + LEASE, started_at=at
        )
        if won:
            claims.append(claim)
    return claims


def renew(claim: Claim, *, at: datetime) -> bool:
    """Say that the job still runs; False if another scheduler has taken it for gone and runs it."""
    return bool(claim.row.update(running_until=at + LEASE))


def finish(claim: Claim, *, succeeded: bool, at: datetime) -> None:
    """Write down how the job ended, and when it is due again."""
    job = claim.job
    next_at = job.next_after(claim.begun_at)
    if succeeded:
        claim.row.update(claim=None, running_until=None, finished_at=at, next_at=next_at, succeeded_at=at, failures=0)
        return
    if job.retry is not None:
        next_at = min(next_at, at + job.retry)
    claim.row.update(claim=None, running_until=None, finished_at=at, next_at=next_at, failures=F("failures") + 1)


def give_back(claim: Claim) -> None:
    """Let the job be due as before: it was stopped, by no fault of its own."""
    claim.row.update(claim=None, running_until=None)
