"""Longer walks, which reach every act, every refusal and every state of money that the model knows."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.asvs import proves
from tests.faults import model
from tests.faults.test_walk import IS_SQLITE, walk_from, with_a_bank
from tests.faults.walks.steps import drawn

# Met once in tens of thousands of steps.
RARE = {"interest_overpaid"}
SEEDS, LONG = ((11, 12), 3_500) if IS_SQLITE else ((11, 12), 600)


@proves("V2.3.2")
@with_a_bank
def test_long_walks_come_to_every_act_and_the_bank_is_as_the_model_says() -> None:
    words, written = set[str](), set[str]()
    for seed in SEEDS:
        outcome = walk_from(seed, LONG)
        words, written = words | outcome.words.keys(), written | outcome.written
    if IS_SQLITE:
        assert words | RARE == model.REFUSALS | RARE | {"done"}
        assert written >= model.AUDITED | model.STATES | model.MOVEMENTS


def program(folder: Path, *arguments: object) -> "subprocess.Popen[str]":
    """Run the walk in processes of its own, whose temporary files are in this folder."""
    command = [sys.executable, "-m", "tests.faults.walk", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name != "TEST_RUN_FOLDER"}
    environment["TMPDIR"] = str(folder)
    return subprocess.Popen(command, cwd=Path(__file__).parents[3], env=environment, stdout=subprocess.PIPE, text=True)


def test_the_program_walks_from_seeds_in_two_processes_and_sums_up(tmp_path: Path) -> None:
    folder, figures = tmp_path / "of its own", tmp_path / "figures.jsonl"
    folder.mkdir()
    run = program(folder, "--seed", 21, "--steps", 60, "--runs", 3, "--processes", 2, "--json", figures)
    out, _ = run.communicate(timeout=600)
    assert run.returncode == 0
    lines = [json.loads(line) for line in figures.read_text().splitlines()]
    assert [line["seed"] for line in lines] == [21, 22, 23]
    assert out.splitlines()[0].startswith("seed 21:")
    assert f"{sum(line['operations'] for line in lines)} operations" in out
    assert "0 violations" in out
    assert list(folder.iterdir()) == []
    steps = tmp_path / "steps.json"
    steps.write_text(json.dumps(drawn(21, 20)))
    again = program(folder, "--seed", 21, "--replay", steps)
    assert "20 checks of the rows touched" in again.communicate(timeout=600)[0]
    assert again.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_leaves_nothing_behind_when_it_is_stopped(tmp_path: Path, number: signal.Signals) -> None:
    run = program(tmp_path, "--seed", 21, "--steps", 10**6, "--runs", 2, "--processes", 2)
    assert run.stdout is not None
    for _ in range(600):
        if any(path.stem.isdigit() for path in tmp_path.glob("*/*.sqlite3")):  # the walks have begun
            break
        time.sleep(0.2)
    run.send_signal(number)
    run.stdout.read()  # until no process holds it any more
    assert run.wait(timeout=60) == 128 + number
    assert list(tmp_path.iterdir()) == []
