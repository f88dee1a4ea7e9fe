"""Whether what the dashboard shows a customer has changed, told without putting it together (R10.4)."""

import hashlib
import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, F
from django.utils.translation import get_language

from accounts.models import BankAccount, User
from foundation.compiled import Select
from transfers.history.rows import RECENT_ROWS
from transfers.models import Entry
from transfers.periods import day_of

_OWNER = BankAccount._meta.get_field("owner")


def _state_of_accounts(owner: Any) -> Any:
    """Each account, and the limits of its owner beside it."""
    shown = ("pk", "last_sequence", "balance", "held", "status", "nickname")
    limits = (f"owner__limit__{name}" for name in ("day", "used", "daily_limit"))
    return BankAccount.objects.filter(owner=owner).order_by("pk").values_list(*shown, *limits)


def _names_in_last_movements(owner: Any, count: Any) -> Any:
    """Of everybody who has a part in them, the customer too."""
    last = Entry.objects.filter(account__owner=owner, sequence__gt=F("account__last_sequence") - count)
    side = "transaction__entries__account__owner"
    return last.order_by("pk", "transaction__entries__pk").values_list(f"{side}__first_name", f"{side}__last_name")


_accounts: Select = Select(_state_of_accounts, _OWNER)
_names: Select = Select(_names_in_last_movements, _OWNER, BigIntegerField())


def overview_version(user: User, *, at: datetime) -> str:
    """Another one whenever the dashboard would show this customer something else; no two customers have the same.

    Two statements. A movement is never changed, so the last sequence of an account tells of all that moved on it.
    """
    state = (
        user.pk,
        user.get_short_name(),
        _accounts.rows(user.pk),
        _names.rows(user.pk, RECENT_ROWS),
        day_of(at),  # the picture ends today, and what was paid out counts by the day
        (get_language(), settings.CURRENCY, settings.DAILY_TRANSFER_LIMIT, settings.SELF_SERVICE_CASH),
    )
    return hashlib.sha256(json.dumps(state, default=str).encode()).hexdigest()[:16]
