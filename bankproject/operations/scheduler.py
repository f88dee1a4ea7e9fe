"""Runs the periodic jobs when they are due (R9.2): `manage.py run_scheduled`."""

import logging
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from django.conf import settings
from django.db import Error, close_old_connections
from django.utils import timezone

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
