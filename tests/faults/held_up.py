"""What keeps a mail worker from noting what it has delivered, and what may come twice for that."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.faults.fault import RunningBank
from tests.faults.post import LEASE_SECONDS, UNRECORDED, PostOffice


def all_mail_workers_may_double(bank: RunningBank) -> None:
    """What each of them had delivered and not noted yet, another delivers too (ADR 25): that is a batch of each at
    most."""
    bank.part(PostOffice).may_double(UNRECORDED * len(bank.mail_workers))


@contextmanager
def held_up(bank: RunningBank) -> Iterator[None]:
    """While the block lasts they may deliver, and note nothing.

    A worker keeps in mind what it delivered and notes it first of all afterwards, so that nothing comes twice, unless
    its lease is over by then: it begins no mail in the second half, so it takes at least that long.
    """
    began = time.monotonic()
    try:
        yield
    finally:
        if time.monotonic() - began >= LEASE_SECONDS / 2:
            all_mail_workers_may_double(bank)
