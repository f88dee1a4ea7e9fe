"""`make bench` (R9.3): its programs run, keep their figures, and leave no process behind, however they end."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import ROOT, processes_of

FOLDER = ROOT / "benchmarks"


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_every_program_says_what_it_measures() -> None:
    programs = [path for path in FOLDER.glob("*.py") if "def main()" in path.read_text(encoding="utf-8")]
    assert len(programs) >= 10
    for path in programs:
        told = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, cwd=ROOT)
        assert told.returncode == 0, told.stderr
        assert "usage" in told.stdout


def test_a_quick_run_keeps_its_figures_and_one_command_puts_them_into_the_documents(place: Path) -> None:
    """Payments by the service, by hand and as a batch add up afterwards, or the program fails."""
    run = start("benchmarks/bench.py", "--only", "payment-sqlite", "--quick", "--results", str(place / "kept"))
    printed, _ = run.communicate(timeout=300)
    assert run.returncode == 0, printed
    kept = json.loads((place / "kept" / "payment-sqlite.json").read_text(encoding="utf-8"))
    figures = {one["what"]: one for one in kept}
    assert figures["the service ÷ hand-written SQL, by the clock"]["middle"] > 0
    assert figures["by hand-written SQL: transactions"]["middle"] == 1
    assert all(one["low"] <= one["middle"] <= one["high"] for one in kept)
    for name in ("docs/performance.md", "benchmarks/figures.md"):
        (place / name).parent.mkdir()
        shutil.copyfile(ROOT / name, place / name)
    for _ in range(2):  # the second time replaces the first
        report = start("benchmarks/report.py", "--results", str(place / "kept"), "--write", str(place))
        assert report.wait(timeout=60) == 0
    written = (place / "benchmarks" / "figures.md").read_text(encoding="utf-8")
    assert [what for what in figures if written.count(f"| {what} |") != 1] == []
    assert written.count("INSERT INTO transfers_transaction") == 1
    document = (place / "docs" / "performance.md").read_text(encoding="utf-8").partition("<!-- figures:")[2]
    assert document.count("| service ÷ hand-written SQL, by the clock |") == 1
    assert "| `POST transfer`, 1 client |" not in document, "of a run that was not made"
    assert processes_of(place) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_no_process_behind(place: Path, number: signal.Signals) -> None:
    run = start("benchmarks/bench.py", "--only", "whole", "--quick", "--results", str(place / "kept"))
    try:
        for _ in range(600):
            if any("gunicorn" in line for line in processes_of(place)):
                break
            time.sleep(0.1)
        assert any("gunicorn" in line for line in processes_of(place))
    finally:
        run.send_signal(number)
        run.communicate(timeout=60)
    for _ in range(400):
        if not processes_of(place):
            break
        time.sleep(0.1)
    assert processes_of(place) == []
