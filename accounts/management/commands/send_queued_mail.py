import signal
import threading
import time
from argparse import ArgumentParser
from hashlib import sha256
from tempfile import gettempdir
from typing import Any

from django.core.management.base import BaseCommand
from django.db import close_old_connections, connection
from post_office.mail import send_queued_mail_until_done

from accounts import outbox
from accounts.housekeeping import clean_up

_SECONDS_BETWEEN_CLEAN_UPS = 3600


class Command(BaseCommand):
    """django-post-office's command of this name, with our outbox in front."""

    help = "Turn waiting outbox rows into mails and deliver what is queued; with --watch, go on, and clean up hourly."

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
        next_clean_up = time.monotonic()
        while True:
            self._deliver()
            if watch is not None and time.monotonic() >= next_clean_up:
                clean_up()
                next_clean_up = time.monotonic() + _SECONDS_BETWEEN_CLEAN_UPS
            if watch is None or stop.wait(watch):
                return

    def _deliver(self) -> None:
        close_old_connections()
        while outbox.expand_waiting():
            pass
        send_queued_mail_until_done(_lockfile())


def _lockfile() -> str:
    """One worker for each database: post-office's own default would be one for the whole machine."""
    name = f"{connection.settings_dict['HOST']}/{connection.settings_dict['NAME']}"
    return f"{gettempdir()}/bank-mail-{sha256(name.encode()).hexdigest()[:16]}"
