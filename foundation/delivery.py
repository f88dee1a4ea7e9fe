"""Deliver what django-post-office has queued to the mail server, shared among any number of workers (ADR 25).

A worker takes mails that are due for MAIL_LEASE_SECONDS, by moving their `scheduled_time` forward
(`foundation.leases`). It sends them one by one over one connection, and records what it sent after each batch
(BATCH_SIZE) and each second. So when it is killed, at most those mails are sent twice, under the same Message-ID; the
others are due again when the lease ends. A mail server that is slow outlasts no lease: a worker begins no mail in its
second half, and hangs up before its end. A mail that cannot be delivered is tried again MAX_RETRIES times: soon at
first, for a server that was away for a moment, then every RETRY_INTERVAL; each try is recorded as a `Log`.
"""

import logging
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from post_office.connections import connections
from post_office.models import STATUS, Email, Log
from post_office.settings import get_batch_size, get_default_mailer, get_max_retries, get_retry_timedelta

from foundation import leases, outbox
from foundation.stopping import Told
from foundation.transactions import own_transaction

logger = logging.getLogger(__name__)

_WAITING = (STATUS.queued, STATUS.requeued)
_NOTED_AFTER_SECONDS = 1.0
_TIMES_MENDED_AFTER_SECONDS = 60.0
_FIRST_PAUSE = timedelta(seconds=10)
# As a share of the lease. What is left is for noting that the mail is to be tried again.
_HANGS_UP_AFTER = 0.9


class Courier:
    """Delivers for one worker. Results that it could not record, since the database was away, are recorded first."""

    def __init__(self) -> None:
        self._sent: list[Email] = []
        self._failed: list[tuple[Email, Exception]] = []
        self._noted_at = time.monotonic()
        self._times_mended_at = self._noted_at - _TIMES_MENDED_AFTER_SECONDS  # due at once
        self._began_at = timezone.now()
        self._backend: Any = None
        self._hangs_up_at = 0.0

    def deliver(self, stop: Told) -> int:
        """Send some of the mails that are due (at most BATCH_SIZE); return how many were tried.

        Told to stop, it finishes the current mail and gives the others back.

        Raises:
            Error: the database does not answer.
        """
        self._note()
        lease, now = timedelta(seconds=settings.MAIL_LEASE_SECONDS), timezone.now()
        is_set_back, self._began_at = now < self._began_at, now
        if is_set_back or time.monotonic() >= self._times_mended_at + _TIMES_MENDED_AFTER_SECONDS:
            _mend_times(now)
            self._times_mended_at = time.monotonic()
        began = time.monotonic()
        half_over = began + lease.total_seconds() / 2
        self._hangs_up_at = began + lease.total_seconds() * _HANGS_UP_AFTER
        taken = _take(now, until=now + lease)
        with self._hanging_up() if taken else nullcontext():
            for tried, email in enumerate(taken):
                # The second half of the lease is kept for the current mail. Two clocks are asked: one may be set back,
                # and the other stands still while the machine sleeps.
                if stop.is_set() or timezone.now() >= now + lease / 2 or time.monotonic() >= half_over:
                    self._note()
                    _give_back(taken[tried:], until=now + lease)
                    return tried
                self._hand_over(email)
                if time.monotonic() - self._noted_at >= _NOTED_AFTER_SECONDS:
                    self._note()
        self._note()
        return len(taken)

    def hang_up(self) -> None:
        """Close the connection to the mail server, which would drop an idle one."""
        connections.close()

    @contextmanager
    def _hanging_up(self) -> Iterator[None]:
        """End the conversation with the mail server in time, and let what waits for its answer fail. EMAIL_TIMEOUT is
        for each of a dozen answers, and for each byte of a trickle."""
        end = threading.Timer(self._hangs_up_at - time.monotonic(), self._cut)
        end.daemon = True
        end.start()
        try:
            yield
        finally:
            end.cancel()

    def _cut(self) -> None:
        line = getattr(getattr(self._backend, "connection", None), "sock", None)
        if line is not None:
            with suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)  # below TLS, which would be polite and wait

    def _hand_over(self, email: Email) -> None:
        try:
            self._backend = connections[email.backend_alias or get_default_mailer()]
            if time.monotonic() >= self._hangs_up_at:
                raise TimeoutError("It took too long to reach the mail server.")
            email.dispatch(commit=False, disconnect_after_delivery=False, connection=self._backend)
        except Exception as error:  # whatever it is, it concerns one mail
            logger.exception("Mail %s could not be delivered", email.pk)
            self._failed.append((email, error))
            connections.close()  # it may be in the middle of something
        else:
            self._sent.append(email)

    def _note(self) -> None:
        if self._sent or self._failed:
            _write_down(self._sent, self._failed)
        self._sent, self._failed, self._noted_at = [], [], time.monotonic()


def _take(now: datetime, *, until: datetime) -> list[Email]:
    unexpired = Q(expires_at__gt=now) | Q(expires_at__isnull=True)
    # In the order of the time's index, which holds no delivered mail: the cost does not depend on how many were
    # delivered or wait. `status__in` would lead SQLite to the index of the status, and to sorting all mails that wait.
    due = Email.objects.filter(unexpired, status__gte=min(_WAITING), scheduled_time__lte=now).order_by("scheduled_time")
    due = due.prefetch_related("attachments")
    taken = leases.take(due, due_at="scheduled_time", until=until, limit=get_batch_size())
    for email in taken:
        email.scheduled_time = until
    return taken


def _mend_times(now: datetime) -> None:
    """Correct times that will never come, and times set by a clock that has since been set back."""
    outbox.recall(now=now)
    _give_times(now)
    lease = timedelta(seconds=settings.MAIL_LEASE_SECONDS)
    for status, longest in ((STATUS.queued, lease), (STATUS.requeued, get_retry_timedelta() + lease)):
        those = Email.objects.filter(status=status)
        leases.recall(those, due_at="scheduled_time", now=now, longest=longest, lease=lease)


@own_transaction
def _give_times(now: datetime) -> None:
    """Give a time to mails that we did not queue (Django's mails to administrators, for example): they have none, and
    are due."""
    Email.objects.filter(status__in=_WAITING, scheduled_time__isnull=True).update(scheduled_time=now)


def _give_back(emails: Sequence[Email], *, until: datetime) -> None:
    """Give back the mails that this worker still holds; another worker delivers those that it has taken since, whose
    lease ends at another time."""
    _waiting_of(emails).filter(scheduled_time=until).update(scheduled_time=timezone.now())


@own_transaction
def _write_down(sent: Sequence[Email], failed: Sequence[tuple[Email, Exception]]) -> None:
    now = timezone.now()
    if sent:
        rows = Email.objects.filter(pk__in=[email.pk for email in sent])
        rows.update(status=STATUS.sent, scheduled_time=None, last_updated=now)
    if failed:
        last_time = [email for email, _ in failed if (email.number_of_retries or 0) >= get_max_retries()]
        again = [email for email, _ in failed if email not in last_time]
        _waiting_of(last_time).update(status=STATUS.failed, scheduled_time=None, last_updated=now)
        alike: dict[tuple[datetime, timedelta], list[Email]] = defaultdict(list)
        for email in again:
            alike[email.scheduled_time, pause_after(email.number_of_retries or 0)].append(email)
        for (held_until, pause), emails in alike.items():
            # Another worker may have taken one since. If we made it due, a third would send it as well.
            _waiting_of(emails).filter(scheduled_time=held_until).update(
                status=STATUS.requeued,
                scheduled_time=now + pause,
                number_of_retries=Coalesce(F("number_of_retries"), 0) + 1,
                last_updated=now,
            )
        Log.objects.bulk_create(
            Log(email=email, status=STATUS.failed, message=str(error), exception_type=type(error).__name__)
            for email, error in failed
        )


def pause_after(retries: int) -> timedelta:
    """Return how long a mail waits after this many failures: each time twice as long, up to RETRY_INTERVAL."""
    return min(_FIRST_PAUSE * 2 ** min(retries, 16), get_retry_timedelta())


def _waiting_of(emails: Sequence[Email]) -> "QuerySet[Email]":
    """Return the mails that no other worker has delivered meanwhile: their lease may have ended while this machine
    slept."""
    return Email.objects.filter(pk__in=[email.pk for email in emails], status__in=_WAITING)
