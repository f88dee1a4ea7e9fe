"""Whether what the dashboard shows a customer has changed, told without putting it together (R10.4)."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import BigIntegerField, F
from django.utils.translation import get_language

from accounts.models import AccountStatus, BankAccount, User
from foundation.compiled import Select
from transfers.history.own_accounts import DailyUse, daily_use_by
from transfers.history.pictures import Overview
from transfers.history.receipts import WaitingOrder
from transfers.history.rows import RECENT_ROWS, EntryRow
from transfers.models import CustomerLimit, Entry, OrderState, TransferOrder
from transfers.payees.selectors import shortened
from transfers.periods import day_of

_OWNER = BankAccount._meta.get_field("owner")
_SHOWN = ("pk", "last_sequence", "balance", "held", "status", "nickname")
_HELD = _SHOWN.index("held")
_OF_LIMIT = ("day", "used", "daily_limit")


def _state_of_accounts(owner: Any) -> Any:
    """Each account, and the limits of its owner beside it."""
    limits = (f"owner__limit__{name}" for name in _OF_LIMIT)
    return BankAccount.objects.filter(owner=owner).values_list(*_SHOWN, *limits)


def _others_lately(owner: Any, same_owner: Any, count: Any) -> Any:
    """The names of the other customers who have a part in the last movements, as `recent_entries()` has these."""
    last = Entry.objects.filter(account__owner=owner, sequence__gt=F("account__last_sequence") - count)
    last = last.exclude(account__status=AccountStatus.CLOSED)
    sides = Entry.objects.filter(transaction__in=last.values("transaction"), account__owner__isnull=False)
    others = sides.exclude(account__owner=same_owner)
    return others.values_list("account__owner__first_name", "account__owner__last_name")


_waiting: Select = Select(
    lambda owner: TransferOrder.objects.filter(source__owner=owner, state=OrderState.HELD).values_list("public_id"),
    _OWNER,
)
_accounts: Select = Select(_state_of_accounts, _OWNER)
_others: Select = Select(_others_lately, _OWNER, _OWNER, BigIntegerField())


def overview_version(user: User, *, at: datetime) -> str:
    """Another one whenever the dashboard would show this customer something else; no two customers have the same.

    Two statements, and one more where money is held. A movement is never changed, so the last sequence of an account
    tells of all that moved on it.
    """
    rows = _accounts.tuples(user.pk)
    others = (shortened(*names) for names in _others.tuples(user.pk, user.pk, RECENT_ROWS))
    of_limit = rows[0][len(_SHOWN) :] if rows else (None, None, None)
    limit = None if of_limit[0] is None else CustomerLimit(**dict(zip(_OF_LIMIT, of_limit, strict=True)))
    accounts = [row[: len(_SHOWN)] for row in rows]
    waiting = _waiting.tuples(user.pk) if any(row[_HELD] for row in accounts) else []
    return _digest(user, accounts, daily_use_by(limit), others, [public_id for (public_id,) in waiting], at)


def version_of(
    user: User,
    overview: Overview,
    recent: Mapping[int, Sequence[EntryRow]],
    waiting: Iterable[WaitingOrder],
    *,
    at: datetime,
) -> str:
    """The same, of what has been read already."""
    accounts = [tuple(getattr(account, name) for name in _SHOWN) for account in overview.accounts]
    others = (name for rows in recent.values() for row in rows for name in row.others)
    return _digest(user, accounts, overview.daily, others, [order.public_id for order in waiting], at)


def _digest(
    user: User,
    accounts: Sequence[tuple],
    daily: DailyUse,
    others: Iterable[str],
    waiting: Iterable[UUID],
    at: datetime,
) -> str:
    state = (
        user.pk,
        user.get_short_name(),
        sorted(accounts),
        (daily.limit, daily.used),
        sorted(set(others)),
        sorted(map(str, waiting)),
        day_of(at),  # the picture ends today
        (get_language(), settings.CURRENCY, settings.SELF_SERVICE_CASH),
    )
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()[:16]
