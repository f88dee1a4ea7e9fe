"""The demo bank: a dozen customers and half a year of their lives, safe to run again (R9.2).

`lives` says what they do, `planning` turns that into a list of movements, `writing` posts it in batches; savings earn
interest in the night after each month. The last day goes through the ordinary services, so that mails and limits exist,
too; one payment is held, and one was paid twice and is reversed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.utils import timezone

from accounts.models import BankAccount, User
from accounts.sign_in.origin import Origin
from foundation.idempotency import digest_of_key
from transfers.demo.habits import money
from transfers.demo.people import make_people, open_accounts
from transfers.demo.planning import plan
from transfers.demo.writing import by_their_name, instructions, write_history
from transfers.interest.posting import accrue_interest
from transfers.models import NameCheck, StepUpChallenge, TransferOrder
from transfers.orders import reversals, sending
from transfers.orders.payee_names import NameGiven
from transfers.orders.step_up import Proof, StepUpRequired
from transfers.periods import Month

__all__ = ["is_seeded", "live", "make_people"]

_FINISHED = "seed-finished"
_LATELY = timedelta(hours=24)


@dataclass(frozen=True)
class _Recent:
    """A payment or transfer of the last day."""

    key: str
    ago: timedelta
    source: str
    target: str
    hundredths: int
    text: str
    typed: str = ""  # the payee's name, where it was not theirs and the money was sent anyway
    reversed_after: timedelta | None = None  # by an administrator, after the payer has written to them


_RECENT = (
    _Recent("seed-recent-1", timedelta(hours=22, minutes=12), "zoe.studio", "bob.checking", 3450, "Van rental"),
    _Recent("seed-recent-2", timedelta(hours=20, minutes=41), "alice.everyday", "market.till", 4163, "Groceries"),
    # Paid twice, and reversed: an example of a reversed payment.
    _Recent(
        *("seed-recent-2b", timedelta(hours=20, minutes=38), "alice.everyday", "market.till", 4163, "Groceries"),
        reversed_after=timedelta(hours=1, minutes=11),
    ),
    _Recent("seed-recent-3", timedelta(hours=19, minutes=5), "alice.everyday", "zoe.studio", 2800, "Pottery class"),
    _Recent(
        "seed-recent-4", timedelta(hours=18, minutes=50), "bob.checking", "alice.everyday", 1875, "Dinner, thanks!"
    ),
    # From the notice at the flea market; Željka sells for her sister.
    _Recent(
        *("seed-recent-8", timedelta(hours=16, minutes=35), "alice.everyday", "zeljka.checking", 35_00),
        *("Garden chairs", "Petra Horvat"),
    ),
    _Recent("seed-recent-5", timedelta(hours=5, minutes=18), "leila.checking", "noor.pocket", 2000, "Pocket money"),
    _Recent("seed-recent-6", timedelta(hours=3, minutes=2), "alice.everyday", "alice.holidays", 7500, "Set aside"),
    # Held: something for staff to decide.
    _Recent(
        *("seed-recent-7", timedelta(hours=1, minutes=47), "nordlicht.reserve", "margarethe.rents"),
        *(10_800_00, "Deposit for the new office, Lindenallee 2"),
    ),
    _Recent(_FINISHED, timedelta(minutes=30), "bob.checking", "alice.everyday", 2490, "Cinema tickets"),
)


def is_seeded() -> bool:
    """Return whether the last thing has happened; also true in a demo bank that an earlier version made."""
    return _has_happened(_FINISHED)


def live(people: dict[str, User], now: datetime | None = None) -> Iterator[tuple[int, int]]:
    """Let half a year pass up to `now`; yield how many movements of how many are done.

    Stopped and called again, it goes on where it was; the days in between happen, too.
    """
    now = now or timezone.now()
    first, accounts = open_accounts(people, now)
    # Later movements are in the ledger already: nothing can be put before them any more.
    movements = [] if _has_happened(_RECENT[0].key) else plan(first, now - _LATELY)
    total = len(movements) + len(_RECENT)
    yield 0, total
    lived = 0
    for month, part in groupby(movements, key=lambda movement: Month.of(movement.at)):
        begun = lived
        for done in write_history(instructions(list(part), people, accounts)):
            lived = begun + done
            yield lived, total
        _earn_interest(month, now - _LATELY)
    for number, recent in enumerate(_RECENT, 1):
        _happen(recent, people, accounts, now)
        yield len(movements) + number, total
    accrue_interest(at=now)


def _earn_interest(month: Month, until: datetime) -> None:
    """Post the interest in the night after the month, as the scheduler does; not later than `until`."""
    night = month.ends_at + timedelta(hours=2)
    if night <= until:
        accrue_interest(until=month.last_day, at=night)


def _happen(recent: _Recent, people: dict[str, User], accounts: dict[str, BankAccount], now: datetime) -> None:
    payment: dict[str, Any] = {
        "actor": people[recent.source.partition(".")[0]],
        "source": accounts[recent.source],
        "target": accounts[recent.target],
        "amount": money(recent.hundredths),
        "description": recent.text,
        "idempotency_key": recent.key,
        "at": now - recent.ago,
        "name_given": _name_given(recent, accounts[recent.target]),
    }
    try:
        order = sending.transfer(**payment)
    except StepUpRequired as need:
        # No phone is needed: the demo confirms codes for its people.
        StepUpChallenge.objects.filter(pk=need.challenge.pk).update(verified_at=payment["at"])
        order = sending.transfer(**payment, proof=Proof(Origin(), need.challenge.public_id, code=""))
    if recent.reversed_after is not None and order.transaction is not None:
        reversals.reverse_transaction(
            actor=people["ada"],
            transaction=order.transaction,
            reason="Paid twice: the till had lost its connection.",
            idempotency_key=f"{recent.key}-reversed",
            at=payment["at"] + recent.reversed_after,
        )


def _name_given(recent: _Recent, target: BankAccount) -> NameGiven:
    if not recent.typed:
        return by_their_name(target)
    return NameGiven(recent.typed, NameCheck.NO_MATCH, all_the_same=True)


def _has_happened(key: str) -> bool:
    return TransferOrder.objects.filter(key_digest=digest_of_key(key)).exists()
