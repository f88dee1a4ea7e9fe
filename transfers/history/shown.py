"""Whether the customer's dashboard has changed, found out without building it (R10.4)."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, F, OuterRef, Subquery
from django.utils.translation import get_language

from accounts.models import AccountStatus, BankAccount, User
from foundation.compiled import Select
from transfers.history.own_accounts import DailyUse, daily_use_by
from transfers.history.pictures import Overview
from transfers.history.receipts import WaitingOrder
from transfers.history.rows import RECENT_ROWS, EntryRow
from transfers.models import CustomerLimit, Entry, OrderState, Payee, TransferOrder
from transfers.periods import day_of

_OWNER = BankAccount._meta.get_field("owner")
_SHOWN = ("pk", "last_sequence", "balance", "held", "status", "nickname")
_HELD = _SHOWN.index("held")
_OF_LIMIT = ("day", "used", "daily_limit")


def _state_of_accounts(owner: Any) -> Any:
    """Return each account, with the limits of its owner."""
    limits = (f"owner__limit__{name}" for name in _OF_LIMIT)
    return BankAccount.objects.filter(owner=owner).values_list(*_SHOWN, *limits)


def _labels_lately(customer: Any, owner: Any, count: Any) -> Any:
    """Return what the customer calls the others in the latest movements, as `recent_entries()` returns these. The
    others' own names do not change: they are those of the day."""
    last = Entry.objects.filter(account__owner=owner, sequence__gt=F("account__last_sequence") - count)
    last = last.exclude(account__status=AccountStatus.CLOSED)
    sides = Entry.objects.filter(transaction__in=last.values("transaction"))
    payees = Payee.objects.filter(customer=customer, account__in=sides.values("account"))
    return payees.exclude(label="").values_list("label")


def _held_orders(customer: Any, owner: Any) -> Any:
    """Return the orders that wait for a decision, each with what the customer calls the payee."""
    labels = Payee.objects.filter(customer=customer, account=OuterRef("target")).values("label")
    held = TransferOrder.objects.filter(source__owner=owner, state=OrderState.HELD)
    return held.annotate(_label=Subquery(labels)).values_list("public_id", "_label")


_waiting: Select = Select(_held_orders, Payee._meta.get_field("customer"), _OWNER)
_accounts: Select = Select(_state_of_accounts, _OWNER)
_labels: Select = Select(_labels_lately, Payee._meta.get_field("customer"), _OWNER, BigIntegerField())


def overview_version(user: User, *, at: datetime) -> str:
    """Return a text that changes whenever the dashboard of this customer would; no two customers have the same.

    Two statements, and one more where money is held. A movement never changes, so the last sequence of an account
    stands for all its movements.
    """
    rows = _accounts.tuples(user.pk)
    labels = (label for (label,) in _labels.rows(user.pk, user.pk, RECENT_ROWS))
    of_limit = rows[0][len(_SHOWN) :] if rows else (None, None, None)
    limit = None if of_limit[0] is None else CustomerLimit(**dict(zip(_OF_LIMIT, of_limit, strict=True)))
    accounts = [row[: len(_SHOWN)] for row in rows]
    waiting = _waiting.tuples(user.pk, user.pk) if any(row[_HELD] for row in accounts) else []
    return _digest(user, accounts, daily_use_by(limit), labels, waiting, at)


def version_of(
    user: User,
    overview: Overview,
    recent: Mapping[int, Sequence[EntryRow]],
    waiting: Iterable[WaitingOrder],
    *,
    at: datetime,
) -> str:
    """Return the same for data that has been read already."""
    accounts = [tuple(getattr(account, name) for name in _SHOWN) for account in overview.accounts]
    labels = (row.counterpart_label for rows in recent.values() for row in rows if row.counterpart_label)
    rows_waiting = [(order.public_id, order.payee_label) for order in waiting]
    return _digest(user, accounts, overview.daily, labels, rows_waiting, at)


def _digest(
    user: User,
    accounts: Sequence[tuple],
    daily: DailyUse,
    labels: Iterable[str],
    waiting: Iterable[tuple],
    at: datetime,
) -> str:
    state = (
        user.pk,
        user.get_short_name(),
        sorted(accounts),
        (daily.limit, daily.used),
        sorted(set(labels)),
        sorted((str(public_id), label or "") for public_id, label in waiting),
        day_of(at),  # the picture ends today
        (get_language(), settings.CURRENCY, settings.SELF_SERVICE_CASH),
    )
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()[:16]
