from pathlib import Path

import pytest

from bankproject.operations import backups
from bankproject.operations.tests.small_bank import OurConnection, back_up, make_bank


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the database of a small bank, used for nothing else."""
    path = tmp_path / "bank.sqlite3"
    make_bank(path)
    monkeypatch.setattr(backups, "connection", OurConnection("sqlite", NAME=str(path)))
    return path


@pytest.fixture
def backup(file: Path, db: None) -> Path:
    return back_up(file.with_name("bank.backup")).path
