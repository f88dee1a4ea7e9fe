"""The file that the log may be written to, by any number of processes, and the settings of logging (R9.5)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bankproject.operations.logs import HIDDEN
from tests.asvs import proves
from tests.processes import process_environment, run_together

PROCESS = """
import logging, sys
from pathlib import Path
import django
django.setup()
begin, number = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
while not begin.exists():
    pass
for line in range(400):
    logging.getLogger("bank.test").warning("process %s line %s %s", number, line, ". " * 40)
print("[]")
"""


@proves("V16.4.2")
@pytest.mark.django_db(transaction=True)
def test_four_processes_lose_no_line_and_mix_none(tmp_path: Path) -> None:
    file = tmp_path / "bank.log"
    settings = {"LOG_FILE": str(file), "LOG_FILE_MEGABYTES": "1", "LOG_FILES_KEPT": "50", "LOG_LEVEL": "WARNING"}
    program = f"from bankproject.operations import logs\n{PROCESS}".replace(
        "django.setup()",
        "django.setup()\nfor handler in logging.getLogger().handlers:\n"
        "    if isinstance(handler, logs.SharedRotatingFile): handler._max_bytes = 8000",
    )
    run_together(
        program, [(number,) for number in range(4)], begin=tmp_path / "begin",
        environment=process_environment() | settings | {"LOG_FORMAT": "json"},
    )  # fmt: skip
    files = sorted(tmp_path.glob("bank.log*"))
    assert len(files) > 10
    # Two that looked at the same moment both write their line.
    assert all(path.stat().st_size <= 8000 + 4 * 300 for path in files)
    said = [json.loads(line)["message"].split(" .")[0] for path in files for line in path.read_text().splitlines()]
    assert sorted(said) == sorted(f"process {number} line {line}" for number in range(4) for line in range(400))


def test_a_started_bank_writes_where_it_is_told_to(tmp_path: Path, repository: Path) -> None:
    file = tmp_path / "bank.log"
    environment = os.environ | {
        "LOG_FILE": str(file),
        "LOG_FORMAT": "json",
        "DJANGO_SETTINGS_MODULE": "bankproject.settings",
    }
    program = "import django, logging; django.setup(); logging.getLogger('x').error('of %s', 'alice@example.com')"
    subprocess.run([sys.executable, "-c", program], cwd=repository, env=environment, check=True)
    (line,) = file.read_text().splitlines()
    assert json.loads(line)["message"] == f"of {HIDDEN}"
