"""The clock of a bank's processes is set while they run, and only the wall clock."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.faults.clock import Clock, _zone_before_midnight

# Prints the time from every function that has it, once for each line of input, and once more in a child.
TELLING = """
import datetime, os, sys, threading, time
for line in sys.stdin:
    before = time.monotonic()
    time.sleep(0.01)
    threading.Event().wait(0.01)
    waited = 0.02 <= time.monotonic() - before < 600
    if os.fork() == 0:
        print(int(time.time()), flush=True)
        os._exit(0)
    os.wait()
    told = [
        time.time(), time.time_ns() / 1e9, time.clock_gettime(time.CLOCK_REALTIME),
        datetime.datetime.now(datetime.UTC).timestamp(), datetime.datetime.now().timestamp(),
        time.mktime(time.localtime()),
    ]
    print(waited and "pytest" not in sys.modules and max(told) - min(told) < 60, int(told[0]), flush=True)
"""


def test_all_processes_of_a_bank_see_a_jump_and_no_others(tmp_path: Path) -> None:
    with Clock.begun(tmp_path) as clock:
        told = subprocess.Popen(
            [sys.executable, "-c", TELLING],
            env=os.environ | clock.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert told.stdin is not None
        assert told.stdout is not None
        with told:
            for seconds, wrong in ((0, 0), (3600, 3600), (-7200, -3600), (3600, 0)):
                clock.jump(seconds)
                told.stdin.write("\n")
                told.stdin.flush()
                child, (is_well, parent) = told.stdout.readline(), told.stdout.readline().split()
                assert is_well == "True"
                assert abs(int(child) - time.time() - wrong) < 600
                assert abs(int(parent) - time.time() - wrong) < 600
                assert clock.seconds_wrong == wrong
            clock.jump(-3600)
            late = subprocess.run(
                [sys.executable, "-c", "import time; print(int(time.time()))"],
                env=os.environ | clock.environment,
                check=True,
                capture_output=True,
                text=True,
            )
            assert abs(int(late.stdout) - time.time() + 3600) < 600
            told.stdin.close()
    assert told.returncode == 0


def test_midnight_is_within_the_next_hour_whenever_it_begins() -> None:
    for hour in range(24):
        moment = datetime(2026, 11, 30, hour, 30, tzinfo=UTC).astimezone(ZoneInfo(_zone_before_midnight(hour)))
        assert moment.hour == 23
        assert (moment + timedelta(hours=1)).date() > moment.date()
