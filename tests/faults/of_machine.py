"""Faults of the machine below the bank: its disk, its clock."""

from contextlib import AbstractContextManager
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from tests.faults.clock import Clock
from tests.faults.disks import FULL, NO_SYNC, AilingDisk, Ailment, ailing, database_files, slow
from tests.faults.fault import Fault, Program, RunningBank, Site
from tests.faults.held_up import all_mail_workers_may_double, held_up

_AN_HOUR = 3600  # from which it is never far to midnight (`Clock.begun`)
# In one process's calls: chance decides where in a commit the first one falls.
_CALLS_OF_A_COMMIT = 40


def fill_the_disk(bank: RunningBank, random: Random) -> None:
    """Let no write find room from some write on, in the middle of a commit, until there is room again."""
    _ail(bank, random, FULL, first=random.randint(1, _CALLS_OF_A_COMMIT), step=1)


def fill_the_disk_now_and_then(bank: RunningBank, random: Random) -> None:
    """Let a write here and there find no room, and the next one does."""
    step = random.randint(_CALLS_OF_A_COMMIT, 3 * _CALLS_OF_A_COMMIT)
    _ail(bank, random, FULL, first=random.randint(1, _CALLS_OF_A_COMMIT), step=step)


def fail_to_sync(bank: RunningBank, random: Random) -> None:
    """Let commits be written and not synced: they raise, and may be there or not."""
    _ail(bank, random, NO_SYNC, first=random.randint(1, 3), step=random.choice([1, 2, 3]))


def crash_while_syncs_fail(bank: RunningBank, random: Random) -> None:
    """Kill all processes during such commits: the next to open the database may find the commits, though they
    raised."""
    with _ailing(bank, random, NO_SYNC, first=random.randint(1, 3), step=1) as disk:
        disk.wait_until_it_struck(random.randint(1, 30))
        all_mail_workers_may_double(bank)
        for program in _programs(bank):
            program.kill()
    for program in _programs(bank):
        program.start()


def slow_the_disk(bank: RunningBank, random: Random) -> None:
    _ail(bank, random, slow(sync_ms=random.randint(50, 400), write_ms=random.randint(0, 3)), first=1, step=1)


def _ail(bank: RunningBank, random: Random, ailment: Ailment, *, first: int, step: int) -> None:
    """Run it until it has struck a few times."""
    with held_up(bank), _ailing(bank, random, ailment, first=first, step=step) as disk:
        disk.wait_until_it_struck(random.randint(1, 30))


def _ailing(
    bank: RunningBank, random: Random, ailment: Ailment, *, first: int, step: int
) -> AbstractContextManager[AilingDisk]:
    """Let the disk fail for all processes of the bank, and those that they start meanwhile."""
    pids = [pid for program in _programs(bank) for pid in (program.pid, *program.children())]
    database = Path(urlsplit(bank.environment["DATABASE_URL"]).path)
    log = bank.folder / f"disk-{random.randrange(10**9)}.log"
    return ailing(pids, database_files(database), ailment, log=log, first=first, step=step)


def _programs(bank: RunningBank) -> list[Program]:
    return [bank.web, *bank.mail_workers, bank.scheduler]


def set_the_clock_forward(bank: RunningBank, random: Random) -> None:
    """Set the clock forward by an hour, while the bank pays; then correct it, which is an hour back. Rows written
    meanwhile then have a time in the future."""
    _set_and_set_right(bank, _AN_HOUR)


def set_the_clock_back(bank: RunningBank, random: Random) -> None:
    """Set the clock back by an hour, and then right again: all earlier rows have a time in the future meanwhile."""
    _set_and_set_right(bank, -_AN_HOUR)


def _set_and_set_right(bank: RunningBank, seconds: int) -> None:
    """Set the clock wrong and right again: the operator corrects it, and that is a jump of its own.

    One of the two is forward, and ends all leases at once.
    """
    clock = bank.part(Clock)
    all_mail_workers_may_double(bank)
    clock.jump(seconds)
    bank.wait_until_it_pays(20)  # in the wrong time
    clock.jump(-seconds)


_FILES = (Site.SQLITE,)
_ALL = tuple(Site)

FAULTS: tuple[Fault, ...] = (
    Fault("disk full", fill_the_disk, _FILES),
    Fault("disk full now and then", fill_the_disk_now_and_then, _FILES),
    Fault("fsync fails", fail_to_sync, _FILES),
    Fault("crash while fsync fails", crash_while_syncs_fail, _FILES),
    Fault("disk slow", slow_the_disk, _FILES),
    Fault("clock an hour forward", set_the_clock_forward, _ALL),
    Fault("clock an hour back", set_the_clock_back, _ALL),
)
