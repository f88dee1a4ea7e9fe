"""A wrong key refuses to start reading rather than show garbage, and every key has an age (R8.1, R8.7)."""

import subprocess
import sys
from pathlib import Path

import pytest

from foundation.keys import records as key_records
from foundation.keys.records import note_keys
from foundation.models import KeyRecord
from tests import migrated_database
from tests.acts import at_once
from tests.asvs import proves
from tests.keys import environment_with, ring_text

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
def test_many_workers_note_the_same_keys_at_once() -> None:
    KeyRecord.objects.all().delete()
    assert at_once(*[note_keys] * 6) == [None] * 6
    assert KeyRecord.objects.count() == len(key_records.RINGS) + 1


def run(environment: dict[str, str], repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=repository, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.fixture
def bank(tmp_path: Path, repository: Path) -> dict[str, str]:
    """The environment of a bank with a database of its own, migrated under one key in each ring."""
    migrated_database.lay(tmp_path / "bank.sqlite3")
    environment = environment_with(DATABASE_URL=f"sqlite:///{tmp_path}/bank.sqlite3")
    made = run(environment, repository, "manage.py", "migrate", "--verbosity", "0")
    assert made.returncode == 0, made.stderr
    return environment


@proves("V11.2.5")
def test_no_program_begins_with_a_wrong_key(bank: dict[str, str], repository: Path) -> None:
    # Shows 8, R8.7: neither the web worker nor migrate, check and rotate_keys.
    programs = [
        ["-c", "import bankproject.wsgi"],
        ["manage.py", "check", "--database", "default"],
        ["manage.py", "migrate"],
        ["manage.py", "rotate_keys"],
    ]
    assert run(bank, repository, *programs[0]).returncode == 0, "with the right one it does"
    wrong = bank | {"FIELD_KEYS": ring_text("k1")}
    for program in programs:
        done = run(wrong, repository, *program)
        assert done.returncode != 0, program
        assert "FIELD_KEYS: the key k1 is not the one that this bank has used under that id." in done.stderr
        assert wrong["FIELD_KEYS"].partition(":")[2] not in done.stdout + done.stderr


@pytest.mark.parametrize("cut", [1, 4, 20])
def test_a_truncated_key_is_refused_by_every_program(repository: Path, cut: int) -> None:
    # Shows 8
    bank = environment_with()
    done = run(bank | {"FIELD_KEYS": bank["FIELD_KEYS"][:-cut]}, repository, "manage.py", "check")
    assert done.returncode != 0
    assert "FIELD_KEYS: the key 'k1'" in done.stderr
