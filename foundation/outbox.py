"""What people are told by mail: one row in the transaction that made it true, mails after the commit (R3.8).

`tell()` writes the row. `expand_waiting()`, run by the mail worker, renders each row once into
django-post-office's queue, in one transaction with marking it done: a crash in between repeats nothing and
loses nothing. Post-office then delivers, and tries again when the server is away.

Which event is told to whom stands in the tables of the apps (`notices.py`), one `Notice` for each mail; what it
says is one file in templates/emails/ with the blocks subject, text and html. A new mail is one line and one file;
what is missing of it is named by a test.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.template import Context, Engine, Template
from django.template.loader_tags import BlockNode
from django.utils import timezone
from post_office.models import PRIORITY, STATUS, Email

from foundation.compiled import Insert
from foundation.models import OutboxMessage

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = timedelta(hours=1)

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

    def named_by(self, payload: Payload) -> Any:
        rows = self.found_in.filter(pk=payload[self.key])
        return rows.first() if self.may_be_gone else rows.get()


@dataclass(frozen=True)
class Audience:
    """Who is told: `to` takes the row that the payload names (None without `rows`) and the payload."""

    to: Callable[[Any, Payload], Iterable[Told]]
    rows: Rows | None = None


@dataclass(frozen=True)
class Notice:
    """One line of an app's table: of this event, this audience gets a mail.

    Its context is the payload, what the audience adds, and what `context` makes of row and payload, the later over
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
        for address, about in self.audience.to(row, payload):
            yield Mail(address, self.template_name, payload | about | more)


_notices: dict[str, list[Notice]] = {}


def register(table: Iterable[Notice]) -> None:
    """Take the lines of an app's table, each of them one kind of mail."""
    for notice in table:
        _notices.setdefault(notice.event, []).append(notice)


def mails_of(event: str, **payload: Any) -> list[Mail]:
    """The mails that are written of `event`; a row that several of them are about is read once."""
    mails: list[Mail] = []
    read: dict[Rows | None, Any] = {}
    for notice in _notices[event]:
        rows = notice.audience.rows
        if rows is not None and rows not in read:
            read[rows] = rows.named_by(payload)
        row = read.get(rows)
        if rows is None or row is not None:
            mails.extend(notice.mails(row, payload))
    return mails


# --- The rows that wait ------------------------------------------------------------------------------------------

_insert = Insert(OutboxMessage)


def tell(event: str, **payload: Any) -> None:
    """Note, inside the present transaction, that people are to be told. The payload is small plain JSON: ids.

    Raises:
        LookupError: nobody writes mails of this event.
    """
    if event not in _notices:
        raise LookupError(f"No mails are written for {event!r}.")
    _insert.save(OutboxMessage(event=event, payload=json.dumps(payload, ensure_ascii=False)))


def expand_waiting(batch: int = 100) -> int:
    """Turn waiting rows into queued mails, oldest first; return how many were. One that fails is tried again
    after a growing pause, for ever: what people are to be told is not thrown away."""
    waiting = OutboxMessage.objects.filter(expanded_at__isnull=True, next_try_at__lte=timezone.now())
    expanded = 0
    for pk in list(waiting.order_by("id").values_list("id", flat=True)[:batch]):
        try:
            expanded += _expand(pk)
        except Exception:  # one message that cannot be written must not stop all mail behind it
            logger.exception("Outbox message %s could not be expanded", pk)
            _put_off(pk)
    return expanded


def _put_off(pk: int) -> None:
    message = OutboxMessage.objects.only("failures").get(pk=pk)
    failures = min(message.failures + 1, 1000)
    pause = min(timedelta(seconds=10 * 2 ** min(failures, 16)), _LONGEST_PAUSE)
    OutboxMessage.objects.filter(pk=pk).update(failures=failures, next_try_at=timezone.now() + pause)


@transaction.atomic
def _expand(pk: int) -> bool:
    message = OutboxMessage.objects.select_for_update().get(pk=pk)
    if message.expanded_at is not None:  # another worker was faster
        return False
    for mail in mails_of(message.event, **json.loads(message.payload)):
        _queue(mail)
    message.expanded_at = timezone.now()
    message.save(update_fields=["expanded_at"])
    return True


def _queue(mail: Mail) -> None:
    # The row is made directly: post_office.mail.send() would run the rendered text through the template engine
    # once more, and with it whatever somebody wrote into a text.
    subject, text, html = rendered(mail)
    Email.objects.create(
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.to],
        subject=subject,
        message=text,
        html_message=html,
        priority=PRIORITY.medium,
        status=STATUS.queued,
    )


# --- What a mail says ------------------------------------------------------------------------------------------


def rendered(mail: Mail) -> tuple[str, str, str]:
    """Subject, text and HTML of a mail. What people typed is escaped in HTML, by the block's name and not by a tag
    that a template could forget; it is left as it is in the other two."""
    values = mail.context | {"bank_name": settings.BANK_NAME, "site_url": settings.SITE_URL}
    plain, html = Context(values, autoescape=False), Context(values)
    subject = _block(mail.template, "subject", plain)
    return " ".join(subject.split()), _framed(mail.template, "text", plain), _framed(mail.template, "html", html)


def _framed(template: str, part: str, context: Context) -> str:
    with context.push(**{part: _block(template, part, context)}):
        return _block("frame", part, context)


def _block(template: str, part: str, context: Context) -> str:
    compiled, blocks = blocks_of(template)
    with context.render_context.push_state(compiled), context.bind_template(compiled):
        return blocks[part].nodelist.render(context)


@cache
def blocks_of(template: str) -> tuple[Template, dict[str, BlockNode]]:
    """A file in templates/emails/, compiled once, and its blocks.

    Raises:
        TemplateDoesNotExist: there is no such file.
    """
    compiled = Engine.get_default().get_template(f"emails/{template}.html")
    return compiled, {node.name: node for node in compiled.nodelist if isinstance(node, BlockNode)}
