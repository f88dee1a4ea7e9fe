"""The figures that Prometheus reads: counts of this machine's workers, and what waits in the database."""

import logging
import os
from collections.abc import Iterator
from datetime import datetime

from django.db import Error
from django.db.models import Min
from django.utils import timezone
from post_office.models import STATUS, Email
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from accounts.permission import second_person
from audit import sealing
from bankproject.operations.models import ScheduledJob
from foundation.admin.counting import bounded_counts
from foundation.models import OutboxMessage
from support import selectors as support
from transfers.history import monitoring

logger = logging.getLogger(__name__)


def exposition() -> bytes:
    """Return all figures in Prometheus's text format."""
    waiting = CollectorRegistry()
    waiting.register(WaitingCollector())
    return generate_latest(_counted()) + generate_latest(waiting)


def _counted() -> CollectorRegistry:
    """Return the counts of all workers of the server, if they write them down (`worker_files`); otherwise of this
    process."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


class WaitingCollector(Collector):
    """Work that waits for the mail worker, for the scheduler and for people, read each time: a few statements, each of
    which stops counting at a bound. Every web machine reports the same: take the maximum, not the sum."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            now = timezone.now()
            found = [*_ages(now), _queues(), *_jobs(now)]
            answers = 1
        except Error as error:
            logger.error("What waits cannot be counted: %s", type(error).__name__)
            found, answers = [], 0
        yield GaugeMetricFamily("bank_database_answers", "1 if the database answered this question, else 0", answers)
        yield from found


def _ages(now: datetime) -> Iterator[GaugeMetricFamily]:
    unsealed = sealing.unsealed_since()
    yield _age("bank_outbox_age_seconds", "Age of the oldest message that is no mail yet", _oldest_message(), now)
    yield _age("bank_mail_queue_age_seconds", "Age of the oldest mail that is not delivered yet", _oldest_mail(), now)
    yield _age("bank_audit_unsealed_age_seconds", "Age of the oldest audit entry that no block holds", unsealed, now)


def _age(name: str, text: str, since: datetime | None, now: datetime) -> GaugeMetricFamily:
    seconds = max(0.0, (now - since).total_seconds()) if since else 0.0
    return GaugeMetricFamily(name, f"{text}; 0 if there is none", seconds)


def _oldest_message() -> datetime | None:
    waiting = OutboxMessage.objects.filter(expanded_at__isnull=True)
    oldest: datetime | None = waiting.aggregate(oldest=Min("created_at"))["oldest"]
    return oldest


def _oldest_mail() -> datetime | None:
    waiting = Email.objects.filter(status__in=(STATUS.queued, STATUS.requeued))
    oldest: datetime | None = waiting.aggregate(oldest=Min("created"))["oldest"]
    return oldest


def _jobs(now: datetime) -> Iterator[GaugeMetricFamily]:
    """Yield the scheduler's state; nothing if the scheduler has never run."""
    overdue = GaugeMetricFamily("bank_job_overdue_seconds", "For how long a job has been due", labels=["job"])
    failures = GaugeMetricFamily("bank_job_failures", "Runs that failed since a job last succeeded", labels=["job"])
    for name, next_at, failed in ScheduledJob.objects.values_list("name", "next_at", "failures"):
        overdue.add_metric([name], max(0.0, (now - next_at).total_seconds()))
        failures.add_metric([name], failed)
    yield from (overdue, failures)


def _queues() -> GaugeMetricFamily:
    """Yield the queues, counted to `MOST_COUNTED` and no further."""
    family = GaugeMetricFamily("bank_waiting", "Rows that wait for somebody", labels=["what"])
    counts = bounded_counts(
        {
            "held_orders": monitoring.orders_held(),
            "open_alerts": monitoring.alerts_open(),
            "pending_acts": second_person.waiting(),
            "tickets": support.unsettled_tickets(),
            "service_requests": support.undecided_requests(),
            "failed_mails": Email.objects.filter(status=STATUS.failed),
        }
    )
    for what, count in counts.items():
        family.add_metric([what], count.number)
    return family
