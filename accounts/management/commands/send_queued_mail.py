import logging
import signal
import threading
from argparse import ArgumentParser
from hashlib import sha256
from tempfile import gettempdir
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections, connection
from post_office.lockfile import FileLock, FileLocked
from post_office.mail import send_queued

from foundation import outbox

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """django-post-office's command of this name, with our outbox in front."""

    help = "Turn waiting outbox rows into mails and deliver what is queued; with --watch, go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--watch",
            nargs="?",
            type=float,
            const=2.0,
            metavar="SECONDS",
            help="look again every SECONDS (2)",
        )

    def handle(self, *args: Any, watch: float | None = None, **options: Any) -> None:
        stop = threading.Event()
        if watch is not None:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
        while True:
            try:
                self._deliver(stop)
            except Error as error:
                if watch is None:
                    raise
                # It comes back, and what waits is in it. The kind alone: the text may hold what a mail says.
                logger.error("The database does not answer (%s): mails wait.", type(error).__name__)
            if watch is None or stop.wait(watch):
                return

    def _deliver(self, stop: threading.Event) -> None:
        """What waits, few mails at a time (BATCH_SIZE): told to stop, it finishes those, and knows which went out."""
        close_old_connections()
        while not stop.is_set() and outbox.expand_waiting():
            pass
        try:
            with FileLock(_lockfile()):
                while not stop.is_set() and any(send_queued()):
                    pass
        except FileLocked:
            logger.info("Another mail worker delivers.")


def _lockfile() -> str:
    """One worker for each database: post-office's own default would be one for the whole machine."""
    name = f"{connection.settings_dict['HOST']}/{connection.settings_dict['NAME']}"
    return f"{gettempdir()}/bank-mail-{sha256(name.encode()).hexdigest()[:16]}"
