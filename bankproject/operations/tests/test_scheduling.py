"""Periodic jobs run by themselves, each on one machine at a time, and none takes another down (R9.2)."""

import signal
import sys
import threading
import time as clock
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command, get_commands
from django.db import DatabaseError
from django.utils import timezone

from bankproject.operations import scheduler as scheduling
from bankproject.operations.management.commands import run_scheduled
from bankproject.operations.models import ScheduledJob
from bankproject.operations.scheduler import JOBS, LEASE, Job, Scheduler, claim_due, finish, give_back, make_rows, renew
from tests.asvs import proves
from tests.tables import in_one_world

NOW = datetime(2026, 11, 21, 18, 30, tzinfo=UTC)
HOURLY = Job("hourly", every=timedelta(hours=1))
NIGHTLY = Job("nightly", daily_at=time(2), retry=timedelta(minutes=15))
VERIFYING = Job("verifying", daily_at=time(3))


@pytest.fixture(autouse=True)
def _the_connection_of_the_test_stays(monkeypatch: Any) -> None:
    monkeypatch.setattr(scheduling, "close_old_connections", lambda: None)


@pytest.fixture
def rows(db: None) -> None:
    make_rows([HOURLY, NIGHTLY, VERIFYING], at=NOW)


def due_at(job: Job) -> datetime:
    return ScheduledJob.objects.get(pk=job.name).next_at


# --- When -------------------------------------------------------------------------------------------------


@proves("V16.4.3")
def test_every_job_is_a_command_and_all_of_them_run() -> None:
    names = [job.name for job in JOBS]
    assert set(names) <= get_commands().keys()
    assert names == [
        "seal_audit_log",
        "clean_up",
        "expire_holds",
        "carry_out_pending_acts",
        "accrue_interest",
        "verify_ledger",
        "verify_audit_log",
    ]


def test_a_new_bank_begins_with_what_is_hourly(rows: None) -> None:
    assert [claim.job for claim in claim_due([HOURLY, NIGHTLY], at=NOW)] == [HOURLY]
    assert due_at(NIGHTLY) == datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    make_rows([HOURLY, NIGHTLY], at=NOW + timedelta(days=9))
    assert due_at(NIGHTLY) == datetime(2026, 11, 22, 2, 0, tzinfo=UTC)


@in_one_world(
    ("moment", "due"),
    [
        ("2026-11-21T02:59Z", "2026-11-21T03:00Z"),
        ("2026-11-21T03:00Z", "2026-11-22T03:00Z"),
        ("2026-11-21T23:59Z", "2026-11-22T03:00Z"),
    ],
)
def test_nightly_is_the_next_time_that_it_is_so_late(moment: str, due: str) -> None:
    assert Job("x", daily_at=time(3)).next_after(datetime.fromisoformat(moment)) == datetime.fromisoformat(due)


def test_nights_are_the_banks(settings: Any) -> None:
    """02:00 does not exist in the night in which summer begins: it is 03:00 then."""
    settings.TIME_ZONE = "Europe/Berlin"
    nights = [NIGHTLY.next_after(datetime(2026, 3, day, 12, 0, tzinfo=UTC)) for day in (27, 28, 29)]
    assert nights == [datetime(2026, 3, day, hour, 0, tzinfo=UTC) for day, hour in ((28, 1), (29, 1), (30, 0))]


def test_what_was_missed_is_made_up_for_once(rows: None) -> None:
    later = NOW + timedelta(days=40)
    (claim,) = claim_due([NIGHTLY], at=later)
    finish(claim, succeeded=True, at=later + timedelta(minutes=1))
    assert due_at(NIGHTLY) == datetime(2027, 1, 1, 2, 0, tzinfo=UTC)


def test_what_failed_is_tried_again_soon_or_in_its_next_night(rows: None) -> None:
    night = three = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    for _ in range(2):
        for claim in claim_due([NIGHTLY, VERIFYING], at=night):
            finish(claim, succeeded=False, at=night + timedelta(minutes=1))
        assert due_at(VERIFYING) == three + timedelta(days=1)
        assert due_at(NIGHTLY) == night + timedelta(minutes=16)
        night += timedelta(minutes=16)
    assert ScheduledJob.objects.get(pk="nightly").failures == 2
    (claim,) = claim_due([NIGHTLY], at=night)
    finish(claim, succeeded=True, at=night)
    row = ScheduledJob.objects.get(pk="nightly")
    assert (row.failures, row.succeeded_at, row.next_at) == (0, night, datetime(2026, 11, 23, 2, 0, tzinfo=UTC))


# --- One at a time ----------------------------------------------------------------------------------------


def test_what_runs_somewhere_is_claimed_by_nobody_else(rows: None) -> None:
    (claim,) = claim_due([HOURLY], at=NOW)
    for minutes in range(0, 60, 1):
        at = NOW + timedelta(minutes=minutes)
        assert claim_due([HOURLY], at=at) == []
        assert renew(claim, at=at)
    finish(claim, succeeded=True, at=NOW + timedelta(minutes=59))
    assert due_at(HOURLY) == NOW + timedelta(hours=1)


def test_if_two_look_at_the_same_moment_one_gets_the_job(rows: None, monkeypatch: Any) -> None:
    now, first = scheduling.uuid.uuid4, []

    def other_is_faster() -> Any:
        monkeypatch.setattr(scheduling.uuid, "uuid4", now)
        first.extend(claim_due([HOURLY], at=NOW))
        return now()

    monkeypatch.setattr(scheduling.uuid, "uuid4", other_is_faster)
    assert claim_due([HOURLY], at=NOW) == []
    assert len(first) == 1


def test_what_a_machine_left_behind_is_run_by_another(rows: None) -> None:
    (gone,) = claim_due([HOURLY], at=NOW)
    later = NOW + LEASE + timedelta(seconds=1)
    (claim,) = claim_due([HOURLY], at=later)
    assert not renew(gone, at=later)
    finish(gone, succeeded=True, at=later)
    assert ScheduledJob.objects.get(pk="hourly").claim == claim.key
    assert claim_due([HOURLY], at=later) == []


def test_what_is_given_back_is_due_as_before(rows: None) -> None:
    (claim,) = claim_due([HOURLY], at=NOW)
    give_back(claim)
    assert [claim.job for claim in claim_due([HOURLY], at=NOW)] == [HOURLY]


def test_a_clock_that_is_set_back_stops_no_job(rows: None) -> None:
    """Nothing that was written an hour or a year ahead, or left behind by a machine then, is waited for."""
    for ahead in (timedelta(hours=1), timedelta(days=365)):
        wrong = NOW + ahead
        for claim in claim_due([HOURLY, NIGHTLY], at=wrong):
            finish(claim, succeeded=True, at=wrong)
        claim_due([VERIFYING], at=wrong)
        assert {claim.job for claim in claim_due([HOURLY], at=NOW)} == {HOURLY}
    assert [claim.job for claim in claim_due([VERIFYING, NIGHTLY], at=NOW)] == [NIGHTLY]
    assert claim_due([HOURLY, NIGHTLY, VERIFYING], at=NOW) == []
    assert [claim.job for claim in claim_due([VERIFYING], at=due_at(VERIFYING))] == [VERIFYING]


def test_two_machines_whose_clocks_differ_a_little_run_a_job_once(rows: None) -> None:
    (claim,) = claim_due([HOURLY], at=NOW + timedelta(minutes=1))
    assert claim_due([HOURLY], at=NOW) == []
    finish(claim, succeeded=True, at=NOW + timedelta(minutes=1))
    assert claim_due([HOURLY], at=NOW) == []
    two = due_at(NIGHTLY)
    (claim,) = claim_due([NIGHTLY], at=two + timedelta(seconds=1))
    finish(claim, succeeded=True, at=two + timedelta(seconds=2))
    assert claim_due([NIGHTLY], at=two - timedelta(seconds=58)) == []


# --- Processes --------------------------------------------------------------------------------------------


@pytest.fixture
def scheduler(db: None) -> Iterator[Callable[..., Scheduler]]:
    """A scheduler whose hourly jobs are little programs: `scheduler(good="print(1)")`."""
    made: list[Scheduler] = []

    def make(**programs: str) -> Scheduler:
        jobs = [Job(name, every=timedelta(hours=1)) for name in programs]
        made.append(Scheduler(jobs, lambda job: [sys.executable, "-c", programs[job.name]]))
        return made[-1]

    yield make
    for one in made:
        one.shut_down()


def run_out(scheduler: Scheduler) -> None:
    """Step until nothing runs."""
    scheduler.step()
    until = clock.monotonic() + 30
    while scheduler.is_busy and clock.monotonic() < until:
        clock.sleep(0.02)
        scheduler.step()
    assert not scheduler.is_busy


@proves("V16.4.3")
def test_one_that_fails_takes_no_other_with_it_and_is_loud(scheduler: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    one = scheduler(bad="print('account 7: its balance is off'); exit(1)", good="print('The ledger adds up.')")
    run_out(one)
    assert one.failed == ["bad"]
    levels = {record.getMessage(): record.levelname for record in caplog.records}
    assert levels["bad: FAILED with exit code 1. account 7: its balance is off"] == "CRITICAL"
    assert levels["good: done. The ledger adds up."] == "INFO"
    assert [row.failures for row in ScheduledJob.objects.order_by("name")] == [1, 0]
    one.step()
    assert not one.is_busy


def test_the_end_of_a_jobs_output_is_logged(scheduler: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run_out(scheduler(talks="import sys; sys.stdout.buffer.write(b'x' * 10**6 + b'\\xff the end')"))
    assert caplog.text.rstrip().endswith("the end")
    assert len(caplog.text) < 10_000


def test_a_job_that_cannot_be_begun_has_failed(db: None, caplog: pytest.LogCaptureFixture) -> None:
    one = Scheduler([HOURLY], lambda job: ["/no/such/program"])
    one.step()
    assert (one.failed, one.is_busy) == (["hourly"], False)
    assert "cannot be begun" in caplog.text


def test_a_scheduler_whose_job_another_took_over_says_so(scheduler: Any, caplog: pytest.LogCaptureFixture) -> None:
    one = scheduler(long="import time; time.sleep(60)")
    one.step()
    ScheduledJob.objects.update(claim=None)
    one.step()
    assert "long: another scheduler runs it, too" in caplog.text


def test_told_to_stop_it_ends_what_runs_and_leaves_it_due(scheduler: Any) -> None:
    """One that does not listen is killed."""
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('x', flush=True); time.sleep(60)"
    one = scheduler(deaf=deaf, quick="import time; time.sleep(60)")
    one.step()
    clock.sleep(0.5)
    begun = clock.monotonic()
    one.shut_down()
    assert clock.monotonic() - begun < 15
    assert not ScheduledJob.objects.exclude(claim=None, running_until=None, finished_at=None).exists()
    assert len(claim_due([Job("deaf"), Job("quick")], at=timezone.now())) == 2


# --- The command ------------------------------------------------------------------------------------------


@pytest.fixture
def jobs(monkeypatch: Any) -> Callable[..., None]:
    """The command's jobs are little programs."""

    def use(**programs: str) -> None:
        mine = [Job(name, every=timedelta(hours=1)) for name in programs]

        def make() -> Scheduler:
            return Scheduler(mine, lambda job: [sys.executable, "-c", programs[job.name]])

        monkeypatch.setattr(run_scheduled, "Scheduler", make)

    return use


@pytest.fixture(autouse=True)
def _signals_stay_as_they_were() -> Any:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_once_runs_what_is_due_and_ends(db: None, jobs: Any) -> None:
    jobs(good="print(1)")
    call_command("run_scheduled", "--once")
    assert ScheduledJob.objects.get().succeeded_at


def test_once_says_what_failed(db: None, jobs: Any) -> None:
    jobs(good="print(1)", bad="exit(3)")
    with pytest.raises(CommandError, match=r"Failed: bad\."):
        call_command("run_scheduled", "--once")


def test_a_database_that_is_away_for_a_while_ends_no_scheduler(
    db: None, jobs: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    jobs(good="print(1)")
    make, calls = scheduling.make_rows, []

    def away_at_first(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise DatabaseError("the server has gone away")
        make(*args, **kwargs)

    monkeypatch.setattr(scheduling, "make_rows", away_at_first)
    timer = threading.Timer(1.0, signal.raise_signal, [signal.SIGTERM])
    timer.start()
    call_command("run_scheduled", "--tick", "0.05")
    timer.join()
    assert "cannot see what is due" in caplog.text
    assert ScheduledJob.objects.get().started_at


@time_machine.travel(NOW, tick=False)
def test_the_status_says_when_each_ran_and_is_due(rows: None) -> None:
    (claim,) = claim_due([HOURLY], at=NOW)
    finish(claim, succeeded=False, at=NOW)
    ScheduledJob.objects.filter(pk="nightly").update(running_until=NOW + LEASE)
    out = StringIO()
    call_command("run_scheduled", "--status", stdout=out)
    assert out.getvalue().splitlines() == [
        "hourly: due 2026-11-21 19:30; last succeeded never, failed 1 times since",
        "nightly: runs now; last succeeded never",
        "verifying: due 2026-11-22 03:00; last succeeded never",
    ]
