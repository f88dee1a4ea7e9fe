"""The bank's own jobs (`manage.py run_scheduled`), and whether they run."""

import json

from tests.faults.fault import RunningBank, Violation

# Jobs that run by themselves, except for slow ones.
_JOBS = ("seal_audit_log", "clean_up", "expire_holds", "carry_out_pending_acts")
# More than a dead scheduler's claim lasts (`LEASE` of the scheduler), on a busy machine.
_PATIENCE_SECONDS = 240
_BEGIN = f"""
import json, time
from django.db.models import Q
from django.utils import timezone
from bankproject.operations.models import ScheduledJob
end = time.monotonic() + {_PATIENCE_SECONDS}
"""
_FIND_IDLE = """
while time.monotonic() < end:
    nobody = Q(running_until__isnull=True) | Q(running_until__lt=timezone.now())
    idle = ScheduledJob.objects.filter(nobody, pk__in={jobs}, next_at__gt=timezone.now())
    found = list(idle.values_list("pk", flat=True))
    if len(found) >= {wanted}:
        break
    time.sleep(0.2)
print(json.dumps(sorted(found)))
"""
_MAKE_DUE = """
ScheduledJob.objects.filter(pk="{job}").update(next_at=timezone.now(), succeeded_at=None)
"""
_WAIT_UNTIL_IT_RAN = """
ran = ScheduledJob.objects.filter(pk="{job}", succeeded_at__isnull=False)
while time.monotonic() < end and not ran.exists():
    time.sleep(0.2)
print(json.dumps(ran.exists()))
"""


def idle_jobs(bank: RunningBank, wanted: int) -> list[str]:
    """Find at least this many jobs that are not due and that no scheduler runs.

    The claims of a killed scheduler last for two minutes. Then its jobs are due again, except those that ran only
    because the clock had been set back: they wait for their time.

    Raises:
        Violation: there are fewer; due jobs did not run.
    """
    found: list[str] = json.loads(shell(bank, _BEGIN + _FIND_IDLE.format(jobs=_JOBS, wanted=wanted)))
    if len(found) < wanted:
        raise Violation(f"Of the jobs that run by themselves these alone have run: {found}.")
    return found


def make_due(bank: RunningBank, job: str) -> None:
    shell(bank, _BEGIN + _MAKE_DUE.format(job=job))


def require_that_it_runs(bank: RunningBank, job: str) -> None:
    """Make it due, and wait until it has run.

    Raises:
        Violation
    """
    if not json.loads(shell(bank, _BEGIN + _MAKE_DUE.format(job=job) + _WAIT_UNTIL_IT_RAN.format(job=job))):
        raise Violation(f"{job} is due, and has not run within {_PATIENCE_SECONDS} s.")


def require_that_one_runs(bank: RunningBank) -> None:
    """Check that the scheduler has survived the fault.

    Raises:
        Violation
    """
    require_that_it_runs(bank, idle_jobs(bank, 1)[0])


def shell(bank: RunningBank, program: str) -> str:
    """Return what a program prints in the bank's shell."""
    return bank.manage("shell", "--no-imports", "--command", program).strip()
