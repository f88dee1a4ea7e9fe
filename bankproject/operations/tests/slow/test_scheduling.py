"""Periodic jobs run by themselves, each on one machine at a time, and none takes another down (R9.2)."""

import signal
import subprocess
import sys
import time as clock
from pathlib import Path

import pytest

from bankproject.operations.models import ScheduledJob
from tests.processes import process_environment


@pytest.mark.django_db(transaction=True)
def test_the_program_seals_and_ends_within_seconds_of_being_told(repository: Path) -> None:
    from audit.actions import Action
    from audit.models import AuditBlock
    from audit.services import record

    record(Action.LOGIN_FAILURE, actor=None)
    program = subprocess.Popen(
        [sys.executable, "manage.py", "run_scheduled", "--tick", "0.2"],
        cwd=repository,
        env=process_environment(),
    )
    try:
        until = clock.monotonic() + 90
        while clock.monotonic() < until and not ScheduledJob.objects.filter(
            pk="seal_audit_log", succeeded_at__isnull=False
        ):
            assert program.poll() is None
            clock.sleep(0.2)
        assert AuditBlock.objects.count() == 1
        program.send_signal(signal.SIGTERM)
        assert program.wait(timeout=15) == 0
    finally:
        program.kill()
        program.wait()
