import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class PostBox(list[tuple[list[str], Any]]):
    """A real SMTP server on a free port; the mails that it was given, with their addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self.callers: list[Any] = []  # the connection that each mail came by
        self.refused: set[str] = set()
        self.seconds_for_each = 0.0
        self.when_taken: Callable[[], None] = lambda: None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.refused.intersection(envelope.rcpt_tos):
            return "554 refused"
        await asyncio.sleep(self.seconds_for_each)  # a slow server: the wait is what is tested
        mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        self.append((envelope.rcpt_tos, mail))
        self.callers.append(session.peer)
        self.when_taken()
        return "250 taken"

    @property
    def addresses(self) -> list[str]:
        """To whom the mails were, in the order they came."""
        return [address for addresses, _ in self for address in addresses]


@contextmanager
def open_post_box() -> Iterator[PostBox]:
    box = PostBox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        box.port = free.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@pytest.fixture
def post_box() -> Iterator[PostBox]:
    with open_post_box() as box:
        yield box


def deliver_to(settings: Any, port: int) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.POST_OFFICE = settings.POST_OFFICE | {
        "BACKENDS": {"default": "django.core.mail.backends.smtp.EmailBackend"}
    }
