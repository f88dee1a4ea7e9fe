"""Three mail workers, killed again and again during their work: every mail comes, and twice only if a kill fell between
delivery and its record (R3.8, ADR 25)."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from post_office.models import STATUS, Email

from foundation import outbox
from foundation.models import OutboxMessage
from tests.mail_server import PostBox, open_post_box
from tests.processes import process_environment
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = 3
KILLS = 6
LEASE_SECONDS = 3
AT_ONCE = settings.POST_OFFICE["BATCH_SIZE"]


class Worker:
    """A worker as a process, and the mails that it has delivered, in order."""

    def __init__(self, post_box: PostBox, repository: Path) -> None:
        self._post_box = post_box
        self.was_killed = False
        environment = process_environment() | {
            "EMAIL_URL": f"smtp://127.0.0.1:{post_box.port}",
            "MAIL_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        command = [sys.executable, "manage.py", "send_queued_mail", "--watch", "0.1"]
        self._process = subprocess.Popen(command, cwd=repository, env=environment)

    @property
    def delivered(self) -> list[str]:
        return self._post_box.addresses

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self.was_killed = True

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(timeout=30)


@pytest.fixture
def start(repository: Path) -> Iterator[Callable[[], Worker]]:
    """Start a worker with its own mail server: only this worker delivers mails there."""
    with ExitStack() as stack:

        def one() -> Worker:
            box = stack.enter_context(open_post_box())
            box.seconds_for_each = 0.01
            worker = Worker(box, repository)
            stack.callback(worker.kill)
            return worker

        yield one


def has_delivered(worker: Worker, mails: int) -> bool:
    return len(worker.delivered) >= mails or all_is_sent()


def tell(numbers: range) -> None:
    for number in numbers:
        outbox.tell("registration_taken", email=f"customer{number}@example.com")


def all_is_sent() -> bool:
    waits = (
        OutboxMessage.objects.filter(expanded_at=None).exists() or Email.objects.exclude(status=STATUS.sent).exists()
    )
    connection.close()
    return not waits


def test_three_workers_that_are_killed_lose_no_mail(start: Callable[[], Worker]) -> None:
    # R3.8
    tell(range(300))
    workers = [start() for _ in range(WORKERS)]
    running = list(workers)
    for kill in range(KILLS):
        tell(range(300 + 100 * kill, 400 + 100 * kill))
        victim = running.pop(0)
        # During its work, each time at another place in what it has taken.
        wait_until(partial(has_delivered, victim, 5 + 7 * kill))
        victim.kill()
        running.append(start())
        workers.append(running[-1])
    wait_until(all_is_sent)
    assert [worker.stop() for worker in running] == [0] * WORKERS
    assert_each_came(workers, number=300 + 100 * KILLS)


def assert_each_came(workers: list[Worker], number: int) -> None:
    everyone = {f"customer{one}@example.com" for one in range(number)}
    written = Counter(mail.to[0] for mail in Email.objects.all())
    assert written == dict.fromkeys(everyone, 1), "rendered and queued once, whoever was killed"
    came = Counter(address for worker in workers for address in worker.delivered)
    assert set(came) == everyone, "none is lost"
    twice = {address for address, times in came.items() if times > 1}
    unrecorded: Counter[str] = Counter()
    for worker in workers:
        if worker.was_killed:
            unrecorded.update(twice.intersection(worker.delivered[-AT_ONCE:]))
    # Except for the last delivery, each delivery of such a mail is among the last ones of a worker that was killed.
    assert {address: came[address] for address in twice if came[address] - unrecorded[address] > 1} == {}
    killed = [worker for worker in workers if worker.was_killed]
    assert sum(bool(worker.delivered) for worker in killed) >= WORKERS, "they were killed amid their work"
