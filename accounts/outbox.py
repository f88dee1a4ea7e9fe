"""What people are told by mail: one row in the transaction that made it true, mails after the commit (R3.8).

`tell()` writes the row. `expand_waiting()`, run by the mail worker, renders each row once into
django-post-office's queue, in one transaction with marking it done: a crash in between repeats nothing and
loses nothing. Post-office then delivers, and tries again when the server is away.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone
from post_office.models import PRIORITY, STATUS, Email

from accounts.models import OutboxMessage

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True)
class Mail:
    """One mail to one person; `template` is a folder below templates/emails/."""

    to: str
    template: str
    context: dict[str, Any]


_writers: dict[str, Callable[..., Iterable[Mail]]] = {}


def writes_mails_of(event: str) -> Callable[[Callable[..., Iterable[Mail]]], Callable[..., Iterable[Mail]]]:
    """Register the function that turns the payload of `event` into mails."""

    def register(writer: Callable[..., Iterable[Mail]]) -> Callable[..., Iterable[Mail]]:
        _writers[event] = writer
        return writer

    return register


def tell(event: str, **payload: Any) -> None:
    """Note, inside the present transaction, that people are to be told. The payload is small plain JSON: ids.

    Raises:
        LookupError: nobody writes mails of this event.
    """
    if event not in _writers:
        raise LookupError(f"No mails are written for {event!r}.")
    OutboxMessage(event=event, payload=json.dumps(payload, ensure_ascii=False)).save()


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
    for mail in _writers[message.event](**json.loads(message.payload)):
        _queue(mail)
    message.expanded_at = timezone.now()
    message.save(update_fields=["expanded_at"])
    return True


def _queue(mail: Mail) -> None:
    # The row is made directly: post_office.mail.send() would run the rendered text through the template engine
    # once more, and with it whatever a customer wrote into a description.
    context = mail.context | {"bank_name": settings.BANK_NAME, "site_url": settings.SITE_URL}
    folder = f"emails/{mail.template}"
    Email.objects.create(
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[mail.to],
        subject=" ".join(render_to_string(f"{folder}/subject.txt", context).split()),
        message=render_to_string(f"{folder}/body.txt", context),
        html_message=render_to_string(f"{folder}/body.html", context),
        priority=PRIORITY.medium,
        status=STATUS.queued,
    )
