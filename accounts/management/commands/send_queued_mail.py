import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error, close_old_connections

from foundation import currency_record, outbox
from foundation.delivery import Courier
from foundation.stopping import Stop

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    """Replaces django-post-office's command of this name, and runs our outbox first; any number may run."""

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
        currency_record.begin()  # mails name amounts
        stop = Stop()
        if watch is not None:
            stop.listen()
        courier = Courier()
        while True:
            try:
                self._deliver(courier, stop)
            except Error as error:
                if watch is None:
                    raise
                # It comes back, and still holds what waits. Log only the kind: the text may quote a mail.
                logger.error("The database does not answer (%s): mails wait.", type(error).__name__)
            if watch is None or stop.wait(watch):
                return

    def _deliver(self, courier: Courier, stop: Stop) -> None:
        """Deliver everything that waits, some rows and some mails in turn, so that neither waits for the end of the
        other."""
        close_old_connections()
        try:
            while not stop.is_set() and (outbox.expand_waiting() + courier.deliver(stop)):
                pass
        finally:
            courier.hang_up()
