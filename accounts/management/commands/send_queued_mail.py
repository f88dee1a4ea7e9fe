import logging
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
from audit import sealing

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_DUTIES = 3600


class Command(BaseCommand):
    """django-post-office's command of this name, with our outbox in front."""

    help = "Turn waiting outbox rows into mails and deliver what is queued; "
    "with --watch, go on, and clean up and seal the audit log hourly."

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
        next_duties = time.monotonic()
        while True:
            self._deliver()
            if watch is not None and time.monotonic() >= next_duties:
                clean_up()
                _seal_audit_log()
                next_duties = time.monotonic() + _SECONDS_BETWEEN_DUTIES
            if watch is None or stop.wait(watch):
                return

    def _deliver(self) -> None:
        close_old_connections()
        while outbox.expand_waiting():
            pass
        send_queued_mail_until_done(_lockfile())


def _seal_audit_log() -> None:
    """The head goes to the log, too: kept elsewhere, it bears witness like an exported one."""
    try:
        if sealing.seal():
            logger.info("The head of the audit log: %s", sealing.head())
    except Exception:  # a wrong key or an unreadable entry: that it stands here for all to see, and mail goes on
        logger.exception("The audit log was not sealed.")


def _lockfile() -> str:
    """One worker for each database: post-office's own default would be one for the whole machine."""
    name = f"{connection.settings_dict['HOST']}/{connection.settings_dict['NAME']}"
    return f"{gettempdir()}/bank-mail-{sha256(name.encode()).hexdigest()[:16]}"
