"""The walk-through of docs/api.md and the first call in README.md, run unchanged: every line of shell, with curl,
against a served demo bank (R7; issue 6, Shows 3)."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import migrated_database
from tests.scanners.demo_bank import DemoBank

BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "--- the end of a block ---"


def blocks(document: str) -> list[tuple[str, str]]:
    """Return each block of shell, and the output that the document shows."""
    found: list[tuple[str, str]] = []
    for kind, text in BLOCK.findall(document):
        if kind == "bash":
            found.append((text, ""))
        else:
            found[-1] = (found[-1][0], text)
    return found


@pytest.fixture
def bank(tmp_path: Path, django_db_setup: None) -> Iterator[DemoBank]:
    """Served with the ordinary limits, its mail worker beside it."""
    migrated_database.lay(tmp_path / "bank.sqlite3")
    with DemoBank(tmp_path).served(raised={}) as bank:
        command = [sys.executable, "manage.py", "send_queued_mail", "--watch", "0.5"]
        worker = subprocess.Popen(command, env=bank.environment)
        try:
            yield bank
        finally:
            worker.terminate()
            worker.wait(timeout=30)


@pytest.mark.django_db
def test_the_shell_of_both_documents_works_as_written(bank: DemoBank, repository: Path) -> None:
    assert shutil.which("curl"), "curl is missing: make curl"
    first_call = blocks((repository / "README.md").read_text(encoding="utf-8"))
    assert len(first_call) == 1
    steps = first_call + blocks((repository / "docs" / "api.md").read_text(encoding="utf-8"))
    script = "set -euo pipefail\n" + "".join(f"{text}\necho '{END}'\n" for text, _ in steps)
    environment = bank.environment | {"BANK": bank.url}
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the `make test` that runs this
        environment.pop(name, None)
    run = subprocess.run(
        ["bash", "-c", script], cwd=repository, env=environment, capture_output=True, text=True, timeout=300
    )
    printed = run.stdout.split(f"{END}\n")
    assert list(zip([said for _, said in steps], printed, strict=False)) == [(said, said) for _, said in steps], (
        run.stderr
    )
    assert run.returncode == 0, run.stderr
    assert bank.problems() == []
    assert bank.faults() == []


def test_the_document_shows_what_is_to_be_shown(repository: Path) -> None:
    """Issue 6, Shows 3, by the addresses in its shell."""
    shell = "".join(text for text, _ in blocks((repository / "docs" / "api.md").read_text(encoding="utf-8")))
    for step in ("auth/login", '/accounts"', "/deposit", "/transfer", "/transactions", "auth/logout", "auth/register"):
        assert step in shell
