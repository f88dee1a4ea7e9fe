"""The periodic jobs: when each is due, who has claimed it, and what runs it (R9.2): `manage.py run_scheduled`."""

import logging
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import reduce
from operator import or_
from typing import IO

from django.conf import settings
from django.db import Error, close_old_connections
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from bankproject.operations.models import ScheduledJob

logger = logging.getLogger(__name__)

# A scheduler that has not renewed its lease for this long is gone.
LEASE = timedelta(minutes=2)
_KILLED_AFTER_SECONDS = 5
_LAST_BYTES = 4_000  # of what a job printed, for the log


@dataclass(frozen=True)
class Job:
    """A command, and when to run it: `every` so long after it began, or each day at the time `daily_at`. A failed job
    with `retry` is tried again after that; others when they are due again."""

    name: str
    every: timedelta | None = None
    daily_at: time = time.min
    retry: timedelta | None = None

    def next_after(self, moment: datetime) -> datetime:
        """Return when it is due next, later than `moment`."""
        if self.every is not None:
            return moment + self.every
        here = timezone.get_default_timezone()
        today = timezone.localtime(moment, here).date()
        times = (datetime.combine(today + timedelta(days=days), self.daily_at, tzinfo=here) for days in (0, 1, 2))
        # In UTC: a time that a clock never showed is compared with none.
        return next(at for at in (one.astimezone(UTC) for one in times) if at > moment)

    def first_after(self, moment: datetime) -> datetime:
        """Return when a bank that has never run it does so: hourly jobs at once."""
        return moment if self.every is not None else self.next_after(moment)


_HOURLY = timedelta(hours=1)
_SOON = timedelta(minutes=15)
JOBS: Sequence[Job] = (
    Job("seal_audit_log", every=_HOURLY, retry=_SOON),
    Job("clean_up", every=_HOURLY),
    Job("expire_holds", every=_HOURLY, retry=_SOON),
    # An act that needs a second administrator, where there is none, takes effect a day after it was asked for.
    Job("carry_out_pending_acts", every=_SOON),
    # An hour after midnight at the earliest: before that a day cannot be counted.
    Job("accrue_interest", daily_at=time(2), retry=_SOON),
    # Asking again soon corrects nothing; each fault is in the log until a person has looked.
    Job("verify_ledger", daily_at=time(3)),
    Job("verify_audit_log", daily_at=time(4)),
)


@dataclass(frozen=True)
class Claim:
    """The right to run a job now, which no other scheduler has."""

    job: Job
    key: uuid.UUID
    begun_at: datetime

    @property
    def row(self) -> QuerySet[ScheduledJob]:
        """Return the job's row, as long as the claim holds."""
        return ScheduledJob.objects.filter(pk=self.job.name, claim=self.key)


def make_rows(jobs: Sequence[Job], *, at: datetime) -> None:
    """Make the rows of jobs that are new to this bank; safe for several schedulers at once."""
    for job in jobs:
        ScheduledJob.objects.get_or_create(name=job.name, defaults={"next_at": job.first_after(at)})


def claim_due(jobs: Sequence[Job], *, at: datetime) -> list[Claim]:
    """Claim the jobs that are due and that no scheduler runs, and return them: if several ask, one gets each.

    A time further ahead than a lease, or than the job's next time, was written by a clock that has since been set back.
    """
    # Twice as far, since machines' clocks differ.
    nobody = Q(running_until__isnull=True) | Q(running_until__lt=at) | Q(running_until__gt=at + 2 * LEASE)
    due = {job.name: Q(pk=job.name) & (Q(next_at__lte=at) | Q(next_at__gt=job.next_after(at + LEASE))) for job in jobs}
    by_name = {job.name: job for job in jobs}
    rows = ScheduledJob.objects.filter(nobody, reduce(or_, due.values())).order_by("next_at")
    claims = []
    for name in rows.values_list("pk", flat=True):
        claim = Claim(by_name[name], uuid.uuid4(), at)
        won = ScheduledJob.objects.filter(nobody, due[name]).update(
            claim=claim.key, running_until=at + LEASE, started_at=at
        )
        if won:
            claims.append(claim)
    return claims


def renew(claim: Claim, *, at: datetime) -> bool:
    """Renew the lease while the job runs; return False if another scheduler took it for gone and runs it."""
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
    """Make the job due again: it was stopped through no fault of its own."""
    claim.row.update(claim=None, running_until=None)


@dataclass
class _Running:
    claim: Claim
    process: "subprocess.Popen[bytes]"
    output: IO[bytes]


def _command_of(job: Job) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), job.name]


class Scheduler:
    """Runs the jobs that are due, each as a process of its own: a crash of one stops neither another nor the
    scheduler."""

    def __init__(self, jobs: Sequence[Job] = JOBS, command_of: Callable[[Job], list[str]] = _command_of) -> None:
        self._jobs = jobs
        self._command_of = command_of
        self._running: list[_Running] = []
        self._has_rows = False
        self.failed: list[str] = []

    @property
    def is_busy(self) -> bool:
        return bool(self._running)

    def step(self) -> None:
        """Collect the jobs that have ended, and begin those that are due.

        Raises:
            Error: the database does not answer; the jobs go on, and so does the next step.
        """
        close_old_connections()
        self._look_after()
        if not self._has_rows:
            make_rows(self._jobs, at=timezone.now())
            self._has_rows = True
        for claim in claim_due(self._jobs, at=timezone.now()):
            self._begin(claim)

    def shut_down(self) -> None:
        """End running jobs, within seconds, and leave them due: every job can be stopped and run again."""
        for running in self._running:
            running.process.terminate()
        for running in self._running:
            with suppress(subprocess.TimeoutExpired):
                running.process.wait(_KILLED_AFTER_SECONDS)
            running.process.kill()
            running.process.wait()
            logger.info("%s: stopped, to be run again", running.claim.job.name)
            with suppress(Error):
                give_back(running.claim)
        self._running = []

    def _begin(self, claim: Claim) -> None:
        output = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the job has ended
        try:
            # Its errors go where ours go; it has a session of its own, so that Ctrl-C reaches it only through us.
            process = subprocess.Popen(  # noqa: S603 - our own commands
                self._command_of(claim.job), stdout=output, cwd=settings.BASE_DIR, start_new_session=True
            )
        except OSError:  # no memory for another process, for example
            logger.exception("%s: cannot be begun", claim.job.name)
            self._finish(claim, output, code=-1)
            return
        self._running.append(_Running(claim, process, output))
        logger.info("%s: begun", claim.job.name)

    def _look_after(self) -> None:
        for running in list(self._running):
            code = running.process.poll()
            if code is None:
                if not renew(running.claim, at=timezone.now()):
                    logger.warning("%s: another scheduler runs it, too", running.claim.job.name)
                continue
            self._finish(running.claim, running.output, code=code)
            self._running.remove(running)

    def _finish(self, claim: Claim, output: IO[bytes], *, code: int) -> None:
        finish(claim, succeeded=code == 0, at=timezone.now())
        said = _last_lines(output)
        if code == 0:
            logger.info("%s: done. %s", claim.job.name, said)
        else:
            self.failed.append(claim.job.name)
            logger.critical("%s: FAILED with exit code %s. %s", claim.job.name, code, said)


def _last_lines(output: IO[bytes]) -> str:
    with output:
        length = output.seek(0, 2)
        output.seek(max(length - _LAST_BYTES, 0))
        return output.read().decode(errors="replace").strip()
