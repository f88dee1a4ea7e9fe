"""Keeping mail workers from recording deliveries, and what may then come twice."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.fault import RunningBank
from tests.faults.post import LEASE_SECONDS, UNRECORDED, PostOffice


def all_mail_workers_may_double(bank: RunningBank) -> None:
    """Let another worker deliver what each of them had delivered and not yet recorded (ADR 25): a batch of each at
    most."""
    bank.part(PostOffice).may_double(UNRECORDED * len(bank.mail_workers))


@contextmanager
def held_up(bank: RunningBank) -> Iterator[None]:
    """During the block they may deliver, and record nothing.

    A worker remembers its deliveries and records them first afterwards, so that nothing comes twice, unless its lease
    is over then: it begins no mail in the second half of a lease, so that takes at least as long.
    """
    began = time.monotonic()
    try:
        yield
    finally:
        if time.monotonic() - began >= LEASE_SECONDS / 2:
            all_mail_workers_may_double(bank)
