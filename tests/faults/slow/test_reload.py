"""gunicorn's SIGHUP, in the bank's configuration: a deploy drops no request (docs/deployment.md)."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.waiting import wait_until

SECONDS_AT_WORK = 2


class Served:
    """gunicorn with the bank's configuration, and an application that does nothing."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, settings: Path, said: Path) -> None:
        self.process, self.port, self.settings, self.said = process, port, settings, said

    def ask(self, path: str = "/") -> int:
        """Return the process that answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            assert response.status == 200
            return int(response.read())
        finally:
            connection.close()

    def workers(self) -> set[int]:
        pid = self.process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)


@pytest.fixture
def served(repository: Path, tmp_path: Path) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = tmp_path / "env"
    settings.touch()
    environment = os.environ | {
        "WEB_BIND": f"127.0.0.1:{port}",
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
        "ENV_FILE": str(settings),
    }
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py", "tests.faults.slow.sleepy"]
    said = tmp_path / "said"
    with said.open("w") as errors:
        process = subprocess.Popen(command, cwd=repository, env=environment, stderr=errors)
    try:
        wait_until(lambda: is_listening(port) and process.poll() is None)
        yield Served(process, port, settings, said)
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


def who_answers(served: Served) -> set[int]:
    with ThreadPoolExecutor(2) as clients:
        return set(clients.map(served.ask, ["/1", "/1"]))


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_reload_finishes_what_is_at_work_and_replaces_every_worker(served: Served) -> None:
    # R9.3
    wait_until(lambda: len(served.workers()) == 2)
    old = served.workers()
    with ThreadPoolExecutor(4) as clients:
        # More than there are workers: the others wait at the socket, which stays.
        asked: list[Future[int]] = [clients.submit(served.ask, f"/{SECONDS_AT_WORK}") for _ in range(4)]
        time.sleep(SECONDS_AT_WORK / 4)
        served.reload()
        answered = [one.result() for one in asked]
    assert old.intersection(answered), "what was at work was finished"
    wait_until(lambda: len(served.workers()) == 2 and served.workers().isdisjoint(old))
    assert served.ask() in served.workers()


def test_a_reload_with_a_wrong_setting_changes_nothing_and_the_next_one_counts(
    served: Served,
) -> None:
    """The whole server ended, and its workers a little later."""
    wait_until(lambda: len(who_answers(served)) == 2)  # a worker that still starts would read the wrong one
    old = served.workers()
    served.settings.write_text("SESSION_IDLE_SECONDS=5m\n", encoding="utf-8")
    served.reload()
    wait_until(lambda: "nothing was reloaded" in served.said.read_text())
    assert "SESSION_IDLE_SECONDS must be a whole number from 1 to 86400.\n" in served.said.read_text()
    assert served.ask() in old
    assert served.workers() == old
    served.settings.write_text("SESSION_IDLE_SECONDS=300\n", encoding="utf-8")
    served.reload()
    wait_until(lambda: len(served.workers()) == 2 and served.workers().isdisjoint(old))
    assert served.ask() in served.workers()


def test_under_load_no_request_is_dropped_however_often_it_reloads(served: Served) -> None:
    # R9.3
    over = threading.Event()

    def ask_all_the_while() -> int:
        answers = 0
        while not over.is_set():
            served.ask()
            answers += 1
        return answers

    with ThreadPoolExecutor(4) as clients:
        asking = [clients.submit(ask_all_the_while) for _ in range(4)]
        try:
            for pause in (1, 0.2, 0, 1):  # during the one before, too
                served.reload()
                time.sleep(pause)
            first = served.workers()
            served.reload()
            wait_until(lambda: len(served.workers()) == 2 and served.workers().isdisjoint(first))
        finally:
            over.set()
        assert all(one.result() for one in asking)
