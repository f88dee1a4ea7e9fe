"""The staff's front page: figures, each a link to the list it was taken from, and what moved last (R5.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from accounts import selectors as people
from accounts.models import AccountStatus, PendingState, User
from accounts.permission import second_person
from accounts.roles import may
from foundation.admin.counting import bounded_counts
from foundation.admin.table import moment_text
from foundation.money import format_money
from foundation.templatetags.bank import path
from support import selectors as support
from support.states import RequestState
from transfers.history import monitoring
from transfers.models import AlertState, OrderState, TransactionKind
from transfers.periods import day_of, start_of_day


@dataclass(frozen=True)
class Figure:
    """A number with its name; `asks_for_work` if a person should look at what it counts."""

    label: str
    value: str
    url: str
    note: str = ""
    asks_for_work: bool = False
    is_amount: bool = False


class Movement(NamedTuple):
    """A transaction as the front page shows it, and the address of its own page."""

    when: str
    url: str
    reference: str
    kind: str
    amount: str
    begun_by: str


@dataclass(frozen=True)
class _Counted:
    """A figure before it is counted: how many rows there are. `is_queue`: each waits for a person."""

    label: str
    rows: QuerySet[Any]
    url: str
    note: str = ""
    is_queue: bool = False


def figures_for(user: User, *, at: datetime) -> list[Figure]:
    """Return the figures that this member of staff may see, queues first. One statement counts them all."""
    waiting, counted = list(_queues(user)), [*_accounts(user), *_people(user, at)]
    counts = bounded_counts({one.label: one.rows for one in (*waiting, *counted)})

    def figure(one: _Counted) -> Figure:
        count = counts[one.label]
        return Figure(one.label, str(count), one.url, one.note, asks_for_work=one.is_queue and count.number > 0)

    queues = sorted(map(figure, waiting), key=lambda shown: not shown.asks_for_work)
    return [*queues, *_money(user, at), *map(figure, counted)]


def movements_for(user: User) -> list[Movement] | None:
    """Return the latest movements, newest first; None for a role that does not see the ledger."""
    if not may(user, "transfers.view_transaction"):
        return None
    return [
        Movement(
            when=moment_text(row.created_at),
            url=path("admin:transfers_transaction_change", row.pk),
            reference=row.reference,
            kind=f"{TransactionKind(row.kind).label}{', reversed' if row.reversed_by else ''}",
            amount=format_money(row.amount),
            begun_by=str(row.initiated_by),
        )
        for row in monitoring.last_transactions()
    ]


def _queues(user: User) -> Iterator[_Counted]:
    if may(user, "transfers.view_transferorder"):
        url = _list("transfers_transferorder", state__exact=OrderState.HELD.value)
        yield _Counted("Transfers held", monitoring.orders_held(), url, is_queue=True)
    if may(user, "transfers.view_fraudalert"):
        url = _list("transfers_fraudalert", state__exact=AlertState.OPEN.value)
        yield _Counted("Open alerts", monitoring.alerts_open(), url, is_queue=True)
    if may(user, "accounts.view_pendingact"):
        url = _list("accounts_pendingact", state__exact=PendingState.WAITING.value)
        yield _Counted("Waiting for a second administrator", second_person.waiting(), url, is_queue=True)
    if may(user, "support.view_ticket"):
        url = _list("support_ticket", status="waiting")
        yield _Counted("Tickets waiting", support.unsettled_tickets(), url, is_queue=True)
    if may(user, "support.view_servicerequest"):
        url = _list("support_servicerequest", state__exact=RequestState.PENDING.value)
        yield _Counted("Requests waiting", support.undecided_requests(), url, is_queue=True)


def _money(user: User, at: datetime) -> Iterator[Figure]:
    if may(user, "transfers.view_transaction"):
        accounts = _list("accounts_bankaccount", of="customers")
        yield Figure("Customers’ deposits", format_money(monitoring.total_deposits()), accounts, is_amount=True)
        today = monitoring.volume_of_today(at)
        url = _list("transfers_transaction", **_on_day("created_at", at))
        note = f"{today.count} transactions"
        yield Figure("Moved today", format_money(today.amount), url, note=note, is_amount=True)


def _accounts(user: User) -> Iterator[_Counted]:
    if may(user, "accounts.view_bankaccount"):
        for status in AccountStatus:
            url = _list("accounts_bankaccount", of="customers", status__exact=status.value)
            yield _Counted(f"{status.label} accounts", monitoring.accounts_with_status(status), url)


def _people(user: User, at: datetime) -> Iterator[_Counted]:
    if may(user, "accounts.view_user"):
        last_at = people.last_lock_at()
        last = date_format(timezone.localtime(last_at), "SHORT_DATETIME_FORMAT") if last_at else "never"
        yield _Counted("Locked users", people.locked_users(), _list("accounts_user", locked="yes"), f"last: {last}")
    if may(user, "audit.view_auditentry"):
        url = _list("audit_auditentry", action__exact="LOGIN_FAILURE", **_on_day("at", at))
        yield _Counted("Failed sign-ins today", people.failed_sign_ins_since(start_of_day(day_of(at))), url)


def _on_day(column: str, at: datetime) -> dict[str, int]:
    """Return the choice of a list's dates that shows one day."""
    day = day_of(at)
    return {f"{column}__year": day.year, f"{column}__month": day.month, f"{column}__day": day.day}


def _list(model: str, **filters: Any) -> str:
    url = reverse(f"admin:{model}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url
