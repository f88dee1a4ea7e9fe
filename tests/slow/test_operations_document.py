"""docs/operations.md, run unchanged against a bank that gunicorn serves with its own configuration (R9.5, R9.7)."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, build_opener

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests import migrated_database
from tests.processes import ROOT
from tests.scanners.demo_bank import environment_of, free_port
from tests.test_operations_document import blocks

pytestmark = pytest.mark.django_db

END = "--- the end of a block ---"

TOKEN = "a-token-that-only-prometheus-has"

WORKERS = 2

SOMETHING_HAPPENED = """
import django
django.setup()
from audit.actions import Action
from audit.services import record
record(Action.LOGIN_FAILURE, actor=None)
"""


@dataclass
class Served:
    url: str
    environment: dict[str, str]
    master: "subprocess.Popen[bytes]"
    metrics: Path

    def asked(self, path: str, **headers: str) -> tuple[int, str]:
        try:
            request = Request(self.url + path, headers=headers)  # noqa: S310 - our own, on loopback
            with build_opener().open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def requests(self) -> float:
        """Return the number of requests that all workers together report."""
        status, text = self.asked("/metrics", Authorization=f"Bearer {TOKEN}")
        assert status == 200
        families = {family.name: family for family in text_string_to_metric_families(text)}
        samples = families["bank_requests"].samples if "bank_requests" in families else []
        return sum(sample.value for sample in samples if sample.name == "bank_requests_total")

    def workers(self) -> list[int]:
        pid = self.master.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def wait_for(self, what: Any) -> None:
        for _ in range(600):
            if what():
                return
            time.sleep(0.1)
        raise AssertionError("It did not come to pass.")

    def answers(self) -> bool:
        try:
            return self.asked("/healthz")[0] == 200 and len(self.workers()) == WORKERS
        except OSError:
            return False


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory, django_db_setup: None) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("operations")
    migrated_database.lay(folder / "bank.sqlite3")
    (folder / "backups").mkdir()
    url = f"http://127.0.0.1:{free_port()}"
    environment = environment_of(folder, url) | {
        "DEBUG": "0", "DEMO": "0", "SECURE_SSL_REDIRECT": "0", "METRICS_TOKEN": TOKEN, "LOG_LEVEL": "INFO",
        "LOG_FORMAT": "json", "LOG_FILE": str(folder / "bank.log"), "WEB_BIND": url.partition("//")[2],
        "WEB_CONCURRENCY": str(WORKERS),
        "BACKUPS": str(folder / "backups"), "BANK": url,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "WEB_CERTIFICATE", "WEB_CERTIFICATE_KEY"):
        environment.pop(name, None)
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    subprocess.run([sys.executable, "-c", SOMETHING_HAPPENED], cwd=ROOT, env=environment, check=True)
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
    with (folder / "server.log").open("w") as errors:
        own = {"PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")}
        master = subprocess.Popen(command, cwd=ROOT, env=environment | own, stdout=errors, stderr=errors)
    served = Served(url, environment, master, folder / "metrics")
    try:
        served.wait_for(served.answers)
        yield served
    finally:
        master.terminate()
        master.wait(timeout=60)
    assert not list(served.metrics.glob("*.db")), "the figures of a server that has ended"


def test_every_block_of_shell_works_as_written(bank: Served) -> None:
    for program in ("curl", "sha256sum"):
        assert shutil.which(program), f"{program} is missing"
    steps: list[list[str]] = []
    for kind, text in blocks("bash", "text"):
        if kind == "bash":
            steps.append([text])
        else:
            steps[-1].append(text)
    script = "set -euo pipefail\n" + "".join(f"{step[0]}\necho '{END}'\n" for step in steps)
    run = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=bank.environment, capture_output=True, text=True, timeout=300
    )
    printed = run.stdout.split(f"{END}\n")
    assert run.returncode == 0, run.stdout + run.stderr
    for (_, *expected), said in zip(steps, printed, strict=False):
        assert said == "".join(expected) or not expected
    whole = run.stdout
    for line in ("The ledger adds up.", "The audit log is as it was sealed", ": OK\n", "Restored and verified."):
        assert line in whole
    assert re.search(r'"message": "GET api:\w+ 401 in [\d.]+ ms"', whole), "the line of a request, found by its id"


def test_what_the_workers_count_is_told_of_all_and_outlives_each(bank: Served) -> None:
    before = bank.requests()
    for _ in range(20):
        assert bank.asked("/api/v1/accounts")[0] == 401
    assert bank.requests() == before + 20, "whichever worker is asked"
    slots = {f"{path.name.rpartition('_')[0]}_{slot}.db" for path in bank.metrics.iterdir() for slot in range(WORKERS)}
    for old in bank.workers():
        os.kill(old, signal.SIGKILL)
        bank.wait_for(lambda old=old: bank.answers() and old not in bank.workers())
    assert bank.requests() == before + 20, "and after all of them were killed"
    for _ in range(20):
        bank.asked("/api/v1/accounts")
    assert bank.requests() == before + 40
    assert {path.name for path in bank.metrics.iterdir()} <= slots, "who follows goes on in the same files"
