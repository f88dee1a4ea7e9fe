"""Telling people by mail: one row in the transaction that made it true, mails after the commit (R3.8).

`tell()` writes the row. `expand_waiting()`, run by any number of mail workers, renders each row once into
django-post-office's queue, and marks it done in the same transaction: a crash repeats nothing and loses nothing.
`foundation.delivery` sends the queue, and tries again when the server is away.

The apps' tables (`notices.py`) say which event is told to whom, one `Notice` for each mail; its words are one file in
templates/emails/ with the blocks subject, text and html. A new mail is one line and one file; a test names the one that
is missing.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import make_msgid
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.core.validators import validate_email
from django.db import Error
from django.db.models import QuerySet
from django.template import Context, Engine, Template
from django.template.loader_tags import BlockNode
from django.utils import timezone
from post_office.models import PRIORITY, STATUS, Email
from post_office.settings import get_message_id_fqdn

from foundation import leases
from foundation.compiled import Insert
from foundation.models import OutboxMessage
from foundation.transactions import is_away, is_deadlock_victim, own_transaction

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = timedelta(hours=1)
_LONGEST_SUBJECT = Email._meta.get_field("subject").max_length
_TEXT = "\0"  # where a frame has its text; nobody can type one
_EMAILS_AT_ONCE = 64  # within the 2,100 values that a statement may have on SQL Server

# --- Who is told of what -----------------------------------------------------------------------------------------

Payload = dict[str, Any]
Told = tuple[str, dict[str, Any]]  # an address, and what a mail to it says beside the payload


@dataclass(frozen=True)
class Mail:
    """One mail to one person; `template` is the name of a file in templates/emails/, without its ending."""

    to: str
    template: str
    context: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that payloads name under `key`, with the joins that their mails need.

    A row that `may_be_gone` was a link that was used or expired before the mail was written: nobody is told then.
    Any other row that is missing is a fault.
    """

    key: str
    found_in: QuerySet[Any]
    may_be_gone: bool = False

    def pk_in(self, payload: Payload) -> Any:
        return self.found_in.model._meta.pk.to_python(payload[self.key])

    def named_by(self, payloads: Iterable[Payload]) -> dict[Any, Any]:
        """Return all rows that the payloads name, by their keys, in one statement."""
        return self.found_in.in_bulk({self.pk_in(payload) for payload in payloads})


@dataclass(frozen=True)
class Audience:
    """Who is told: `to` takes the row that the payload names (None without `rows`) and the payload."""

    to: Callable[[Any, Payload], Iterable[Told]]
    rows: Rows | None = None


@dataclass(frozen=True)
class Notice:
    """One line of an app's table: for this event, this audience gets a mail.

    Its context is the payload, what the audience adds, and what `context` makes of row and payload; the later win over
    the earlier. Its template has the event's name unless another is given.
    """

    event: str
    audience: Audience
    context: Callable[[Any, Payload], dict[str, Any]] | None = None
    template: str = ""

    @property
    def template_name(self) -> str:
        return self.template or self.event

    def mails(self, row: Any, payload: Payload) -> Iterable[Mail]:
        more = self.context(row, payload) if self.context is not None else {}
        for email, about in self.audience.to(row, payload):
            yield Mail(email, self.template_name, payload | about | more)


_notices: dict[str, list[Notice]] = {}


def register(table: Iterable[Notice]) -> None:
    """Add the lines of an app's table, each of them one kind of mail."""
    for notice in table:
        _notices.setdefault(notice.event, []).append(notice)


def mails_of(told: Sequence[tuple[str, Payload]]) -> list[list[Mail]]:
    """Return the mails for each of these events; rows of a kind are read at once.

    Raises:
        ObjectDoesNotExist: a payload names a row that is missing, and may not be.
    """
    found = _rows_named_in(told)
    return [list(_mails_of(event, payload, found)) for event, payload in told]


Found = dict[Rows, dict[Any, Any]]


def _rows_named_in(told: Iterable[tuple[str, Payload]]) -> Found:
    payloads: dict[Rows, list[Payload]] = defaultdict(list)
    for event, payload in told:
        for rows in {notice.audience.rows for notice in _notices[event]}:
            if rows is not None:
                payloads[rows].append(payload)
    return {rows: rows.named_by(named) for rows, named in payloads.items()}


def _mails_of(event: str, payload: Payload, found: Found) -> Iterator[Mail]:
    for notice in _notices[event]:
        rows, row = notice.audience.rows, None
        if rows is not None:
            row = found[rows].get(rows.pk_in(payload))
            if row is None and rows.may_be_gone:
                continue
            if row is None:
                raise rows.found_in.model.DoesNotExist(f"{rows.key} of {event} names no row.")
        yield from notice.mails(row, payload)


# --- The rows that wait ------------------------------------------------------------------------------------------

_insert = Insert(OutboxMessage)


def tell(event: str, **payload: Any) -> None:
    """Note, inside the current transaction, that people are to be told. The payload is small plain JSON: ids.

    Raises:
        LookupError: nobody writes mails of this event.
    """
    if event not in _notices:
        raise LookupError(f"No mails are written for {event!r}.")
    _insert.save(OutboxMessage(event=event, payload=json.dumps(payload, ensure_ascii=False)))


def expand_waiting(batch: int = 100) -> int:
    """Turn waiting rows into queued mails, longest due first; return how many. One that fails is tried again after a
    growing pause, without end: no message is thrown away.

    Safe for any number of workers at once: each takes different rows for MAIL_LEASE_SECONDS; those of a killed worker
    are due again after that.

    Raises:
        Error: the database does not answer.
    """
    now = timezone.now()
    due = OutboxMessage.objects.filter(expanded_at__isnull=True, next_try_at__lte=now).order_by("next_try_at", "id")
    until = now + timedelta(seconds=settings.MAIL_LEASE_SECONDS)
    return _expand(leases.take(due, due_at="next_try_at", until=until, limit=batch))


def recall(*, now: datetime) -> None:
    """Make messages due soon that wait for longer than any lease or pause lasts: a clock that has since been set back
    wrote their time, and nobody should wait for it."""
    lease = timedelta(seconds=settings.MAIL_LEASE_SECONDS)
    waiting = OutboxMessage.objects.filter(expanded_at__isnull=True)
    for those, longest in ((waiting.filter(failures=0), lease), (waiting, _LONGEST_PAUSE + lease)):
        leases.recall(those, due_at="next_try_at", now=now, longest=longest, lease=lease)


def _expand(messages: Sequence[OutboxMessage]) -> int:
    """Expand all at once; if one fails, in halves until it is alone."""
    if not messages:
        return 0
    try:
        _write(messages, _emails_of(messages))
    except Exception as error:
        if _is_the_databases(error):
            raise
        if len(messages) == 1:
            _put_off(messages[0], error)
            return 0
        half = len(messages) // 2
        return _expand(messages[:half]) + _expand(messages[half:])
    return len(messages)


def _is_the_databases(error: Exception) -> bool:
    """Return whether the database was away or busy, and no message is at fault: all are due again when their lease
    ends."""
    return isinstance(error, Error) and (is_away(error) or is_deadlock_victim(error))


def _put_off(message: OutboxMessage, error: Exception) -> None:
    if isinstance(error, _Expanded):
        return
    logger.error("Outbox message %s could not be expanded", message.pk, exc_info=error)
    failures = min(message.failures + 1, 1000)
    pause = min(timedelta(seconds=10 * 2 ** min(failures, 16)), _LONGEST_PAUSE)
    OutboxMessage.objects.filter(pk=message.pk, expanded_at__isnull=True).update(
        failures=failures, next_try_at=timezone.now() + pause
    )


class _Expanded(Exception):
    """Another worker was faster: it took rows whose lease had ended."""


@own_transaction
def _write(messages: Sequence[OutboxMessage], emails: Sequence[Email]) -> None:
    """Write the mails and mark the messages, both or neither, and once.

    Raises:
        _Expanded: at least one of them is marked already.
    """
    waiting = OutboxMessage.objects.filter(pk__in=[message.pk for message in messages], expanded_at__isnull=True)
    if waiting.update(expanded_at=timezone.now()) != len(messages):
        raise _Expanded
    Email.objects.bulk_create(emails, batch_size=_EMAILS_AT_ONCE)


def _emails_of(messages: Sequence[OutboxMessage]) -> list[Email]:
    told = [(message.event, json.loads(message.payload)) for message in messages]
    now = timezone.now()
    return [_email(mail, now) for mails in mails_of(told) for mail in mails]


def _email(mail: Mail, now: datetime) -> Email:
    # The row is made directly: post_office.mail.send() would run the rendered text, and with it everything that people
    # typed into it, through the template engine once more.
    subject, text, html = rendered(mail)
    validate_email(mail.to)
    if len(subject) > _LONGEST_SUBJECT:
        raise ValueError(f"The subject of a mail has {_LONGEST_SUBJECT} characters at most.")
    return Email(
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.to],
        subject=subject,
        message=text,
        html_message=html,
        # The same however often it is sent: the reader's mail program recognises a mail that came twice.
        message_id=make_msgid(domain=get_message_id_fqdn()),
        priority=PRIORITY.medium,
        status=STATUS.queued,
        scheduled_time=now,
    )


# --- What a mail says ------------------------------------------------------------------------------------------


def rendered(mail: Mail) -> tuple[str, str, str]:
    """Return subject, text and HTML of a mail. Text that people typed is escaped in HTML, because of the block's name
    and not of a tag that a template could forget; in the other two it is left unchanged."""
    values = mail.context | {"bank_name": settings.BANK_NAME, "site_url": settings.SITE_URL}
    plain, html = Context(values, autoescape=False), Context(values)
    subject = _block(mail.template, "subject", plain)
    return " ".join(subject.split()), _framed(mail.template, "text", plain), _framed(mail.template, "html", html)


def _framed(template: str, part: str, context: Context) -> str:
    before, after = _frame(part, context.get("first_name"), settings.BANK_NAME, settings.SITE_URL)
    return before + _block(template, part, context) + after


@lru_cache(maxsize=10_000)
def _frame(part: str, first_name: str | None, bank_name: str, site_url: str) -> tuple[str, str]:
    """Return the text before and after the body of all mails to people of this name."""
    values = {"first_name": first_name, "bank_name": bank_name, "site_url": site_url, part: _TEXT}
    before, _, after = _block("frame", part, Context(values, autoescape=part == "html")).rpartition(_TEXT)
    return before, after


def _block(template: str, part: str, context: Context) -> str:
    compiled, blocks = blocks_of(template)
    with context.render_context.push_state(compiled), context.bind_template(compiled):
        return blocks[part].nodelist.render(context)


@cache
def blocks_of(template: str) -> tuple[Template, dict[str, BlockNode]]:
    """Return a file in templates/emails/, compiled once, and its blocks.

    Raises:
        TemplateDoesNotExist: there is no such file.
    """
    compiled = Engine.get_default().get_template(f"emails/{template}.html")
    return compiled, {node.name: node for node in compiled.nodelist if isinstance(node, BlockNode)}
