"""Counts of audit log entries by action, for those who watch the bank's figures (R9.5).

One counter says how much is transferred, what is refused and why, what is held, who is locked out. Its labels come from
the catalogue and from codes in our source, so their number is bounded, and none reveals a person.
"""

import re
from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django.db import transaction
from prometheus_client import Counter

from audit.actions import Action

_events = Counter(
    "bank_events",
    "Entries of the audit log since the process began, of orders by their kind, of refusals and holds by their code",
    ["action", "kind", "code"],
)

_left_out = Counter(
    "bank_audit_left_out", "What would have been an entry of the audit log, but is beyond its bounds", ["action"]
)

_OF_ORDERS = ("DEPOSIT_", "WITHDRAWAL_", "TRANSFER_")
# For these actions the details give one of our codes as the reason; for others it is what a clerk wrote.
_WITH_CODE = frozenset(
    {Action.TRANSFER_HELD, Action.SUSPICIOUS_TRANSFER} | {action for action in Action if action.endswith("_REFUSED")}
)
_CODE = re.compile(r"[a-z][a-z_]{0,39}")


class Event(NamedTuple):
    """What is counted together; `kind` and `code` are empty where there is none."""

    action: str
    kind: str = ""
    code: str = ""


def event_of(action: Action, details: Mapping[str, Any]) -> Event:
    kind = details.get("kind") if action.startswith(_OF_ORDERS) else None
    code = details.get("reason") if action in _WITH_CODE else None
    return Event(action.value, _label(kind), _label(code))


def _label(value: Any) -> str:
    """Return the text only if it looks like a name in our source: free text would become a label of its own."""
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def count(events: Iterable[Event]) -> None:
    """Count each event once the current transaction is committed: an act that is rolled back, or run again, has not
    happened."""
    tally = Tally(events)

    def count_now() -> None:  # a function with a name, by which Django reports that it failed
        for event, times in tally.items():
            _events.labels(*event).inc(times)

    # `robust`: a failure to count must not turn a completed payment into an error.
    transaction.on_commit(count_now, robust=True)


def leave_out(action: Action) -> None:
    """Count an entry that strangers could make without bound, and that is not written any more."""
    _left_out.labels(action.value).inc()
