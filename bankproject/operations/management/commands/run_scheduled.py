import logging
import signal
import subprocess
import sys
import tempfile
import threading
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, close_old_connections
from django.utils import timezone

from bankproject.operations.models import ScheduledJob
from bankproject.operations.scheduling import JOBS, Claim, Job, claim_due, finish, give_back, make_rows, renew

logger = logging.getLogger(__name__)

_KILLED_AFTER_SECONDS = 5
_LAST_BYTES = 4_000  # of what a job printed, for the log


@dataclass
class _Running:
    claim: Claim
    process: "subprocess.Popen[bytes]"
    output: IO[bytes]


def _command_of(job: Job) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), job.name]


class Scheduler:
    """Runs the jobs that are due, each as a process of its own: none takes another, or the scheduler, down with it."""

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
        """See what has ended, and begin what is due.

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
        """End what runs, within seconds, and leave it due: every job can be stopped and run again."""
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
            # Its errors go where ours go; a session of its own, so that Ctrl-C reaches it by us alone.
            process = subprocess.Popen(  # noqa: S603 - our own commands
                self._command_of(claim.job), stdout=output, cwd=settings.BASE_DIR, start_new_session=True
            )
        except OSError:  # no memory for another process, say
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


class Command(BaseCommand):
    help = (
        "Run the periodic jobs when they are due, until told to stop: seal_audit_log and clean_up hourly, "
        "accrue_interest, verify_ledger and verify_audit_log nightly. Several machines may run it: each job runs on "
        "one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tick", type=float, default=5.0, metavar="SECONDS", help="look every SECONDS (5)")
        parser.add_argument("--once", action="store_true", help="run what is due now, wait for it, and end")
        parser.add_argument("--status", action="store_true", help="say when each job ran and is due, and end")

    def handle(self, *args: Any, tick: float, once: bool, status: bool, **options: Any) -> None:
        if status:
            self._say_status()
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        scheduler = Scheduler()
        try:
            while not stop.is_set():
                self._step(scheduler)
                if once and not scheduler.is_busy:
                    if scheduler.failed:
                        raise CommandError(f"Failed: {', '.join(scheduler.failed)}.")
                    return
                stop.wait(min(tick, 0.2) if once else tick)
        finally:
            scheduler.shut_down()

    def _step(self, scheduler: Scheduler) -> None:
        try:
            scheduler.step()
        except Error:  # a database that is away comes back; a scheduler that ended would not
            logger.exception("The scheduler cannot see what is due.")

    def _say_status(self) -> None:
        for row in ScheduledJob.objects.order_by("next_at"):
            state = (
                "runs now" if row.running_until and row.running_until > timezone.now() else f"due {_at(row.next_at)}"
            )
            failed = f", failed {row.failures} times since" if row.failures else ""
            self.stdout.write(f"{row.name}: {state}; last succeeded {_at(row.succeeded_at)}{failed}")


def _at(moment: Any) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}" if moment else "never"
