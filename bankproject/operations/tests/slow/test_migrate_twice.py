"""Two migrates that begin together on an empty database, as two new servers do (R9.3)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.own_database import own_database
from tests.processes import ROOT


def test_both_end_well_and_one_of_them_says_one_line(tmp_path: Path, django_db_blocker: Any) -> None:
    """S7."""
    with django_db_blocker.unblock(), own_database() as url:
        environment = os.environ | {"DATABASE_URL": url or f"sqlite:///{tmp_path}/bank.sqlite3"}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        both = [
            subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)
        ]
        said = [process.communicate(timeout=600)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    line = (
        "Another migrate is at work on this database. This one waits until it has ended. If none is at work, a pooler"
    )
    assert sorted(said) == ["", f"{line} in between has kept its lock: migrate past it.\n"]
