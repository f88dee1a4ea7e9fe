"""Mail: one row in the transaction, rendered once, delivered after the commit, nothing lost (R3.8)."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foundation import outbox
from tests.mail_server import PostBox
from tests.processes import process_environment

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_watching_worker_delivers_and_stops_when_told(number: int, repository: Path, post_box: PostBox) -> None:
    # R3.8: it ends between two rounds, not in the middle of a mail.
    outbox.tell("registration_taken", email="bob@example.com")
    environment = process_environment() | {"EMAIL_URL": f"smtp://127.0.0.1:{post_box.port}"}
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "send_queued_mail", "--watch", "0.1"], cwd=repository, env=environment
    )
    try:
        for _ in range(300):
            if post_box or worker.poll() is not None:
                break
            time.sleep(0.1)
        assert post_box.addresses == ["bob@example.com"]
        assert worker.poll() is None, "it goes on watching"
        worker.send_signal(number)
        assert worker.wait(timeout=10) == 0
    finally:
        worker.kill()
        worker.wait()
