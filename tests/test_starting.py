"""What every program of the bank does first: it keeps its files to itself (R8.1, ASVS V13.2.2)."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bankproject.starting import close_to_others, keep_files_private
from tests.asvs import proves
from tests.settings_run import REQUIRED
from tests.tables import in_one_world


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@in_one_world(
    ("command", "mode"), [("", 0o600), ("migrate", 0o600), ("collectstatic", 0o644), ("makemigrations", 0o644)]
)
def test_what_is_written_is_closed_unless_it_is_made_for_everybody(tmp_path: Path, command: str, mode: int) -> None:
    os.umask(0o022)
    keep_files_private(command)
    path = tmp_path / (command or "none")
    path.touch()
    assert mode_of(path) == mode


@proves("V13.2.2")
def test_a_database_that_others_could_read_is_closed_with_what_lies_beside_it(tmp_path: Path) -> None:
    """B4: an earlier version made it readable by every user of the machine."""
    path = tmp_path / "db.sqlite3"
    with sqlite3.connect(path) as open_one:
        open_one.execute("PRAGMA journal_mode=WAL")
        open_one.execute("CREATE TABLE a (b)")
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["db.sqlite3", "db.sqlite3-shm", "db.sqlite3-wal"]
    assert {mode_of(file) for file in files} == {0o644}
    close_to_others(
        {
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path},
            "memory": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
            "other": {"ENGINE": "django.db.backends.postgresql", "NAME": "bank"},
        }
    )
    assert {mode_of(file) for file in files} == {0o600}
    open_one.close()


@proves("V13.2.2")
@in_one_world(
    "program",
    [
        ["manage.py", "migrate", "--verbosity", "0", "sessions"],
        ["-c", "import bankproject.wsgi; from django.db import connection; connection.ensure_connection()"],
    ],
)
def test_a_command_and_the_web_server_make_a_database_that_is_theirs_alone(
    tmp_path: Path, repository: Path, program: list[str]
) -> None:
    """B4."""
    path = tmp_path / f"{program[0]}.sqlite3"
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = kept | REQUIRED | {"DATABASE_URL": f"sqlite:///{path}"}
    subprocess.run([sys.executable, *program], cwd=repository, env=environment, check=True, umask=0o022)
    assert {mode_of(file) for file in tmp_path.glob(f"{path.name}*")} == {0o600}


@in_one_world(("where", "status"), [("file", 0), ("environment", 1)])
def test_the_web_servers_settings_are_tried_where_it_reads_them(tmp_path: Path, where: str, status: int) -> None:
    """gunicorn takes them from its environment alone; they were tried in `.env`, and not obeyed there."""
    env = tmp_path / "env"
    env.write_text("WEB_CONCURRENCY=0\n" if where == "file" else "", encoding="utf-8")
    more = {"WEB_CONCURRENCY": "0"} if where == "environment" else {}
    run = subprocess.run(
        [sys.executable, "-c", "from bankproject import starting; starting.try_settings()"],
        env={"PATH": os.environ["PATH"]} | REQUIRED | {"ENV_FILE": str(env)} | more,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == status, run.stderr
    assert run.stderr.startswith("WEB_CONCURRENCY" if status else "")
