"""A real SMTP server on loopback, in a thread of its caller, that can refuse, be slow, break off, go away and come
back."""

import asyncio
import socket
import threading
from asyncio import BaseTransport
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email import message_from_bytes, policy
from enum import StrEnum
from typing import Any, TypeVar

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

_PATIENCE_SECONDS = 60  # a busy machine starts a thread late


class Mood(StrEnum):
    """What it does with a mail."""

    TAKES = "takes it"
    REFUSES_RECIPIENTS = "refuses each recipient, for now (450)"
    REFUSES_MAILS = "refuses each mail once it has read it, for now (451)"
    BREAKS_OFF = "ends the connection amid DATA, and has no mail"
    TAKES_AND_BREAKS_OFF = "takes it, and ends the connection without a word"


class MailServer:
    """Listens from the beginning; `close()` and `open()` make it go away and come back, at the same port."""

    def __init__(self) -> None:
        self.mood = Mood.TAKES
        self.seconds_for_each = 0.0
        self.refused: set[str] = set()  # forever (554), whoever else is among the recipients
        self.busy = threading.Event()  # it has begun with a mail
        self.connections: set[BaseTransport] = set()
        # Bound and not listening: nobody else gets the port while the server is gone, and clients are refused.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", 0))
        self._controller: Controller | None = None
        self.open()

    @property
    def port(self) -> int:
        port: int = self._place.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Return the value of EMAIL_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Listen, if it does not."""
        if self._controller is None:
            self._controller = _Controller(
                self, hostname="127.0.0.1", port=self.port, server_hostname="localhost", ready_timeout=_PATIENCE_SECONDS
            )
            self._controller.start()

    def close(self) -> None:
        """Cut all connections, whatever they are doing, and stop listening."""
        if self._controller is not None:
            self._controller.loop.call_soon_threadsafe(self._cut)
            self._controller.stop()
            self._controller = None

    def end(self) -> None:
        """Close it and give its port away."""
        self.close()
        self._place.close()

    def _cut(self) -> None:
        for transport in self.connections:
            transport.abort()  # type: ignore[attr-defined]  # of a socket, which the base class is not

    def keep(self, session: Session, envelope: Envelope) -> None:
        """Keep a mail; called with each one that is taken."""
        raise NotImplementedError

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.mood is Mood.REFUSES_RECIPIENTS:
            return "450 not now"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 known"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.busy.set()
        if self.refused.intersection(envelope.rcpt_tos):
            return "554 refused"
        await asyncio.sleep(self.seconds_for_each)
        if self.mood is Mood.REFUSES_MAILS:
            return "451 not now"
        self.keep(session, envelope)
        if self.mood is Mood.TAKES_AND_BREAKS_OFF:
            server.transport.abort()  # type: ignore[union-attr]  # it is connected
        return "250 taken"


class _Connection(SMTP):
    """One client's connection, which can be cut."""

    @property
    def _server(self) -> MailServer:
        server: MailServer = self.event_handler
        return server

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self._server.connections.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._server.connections.discard(self.transport)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:
        if self._server.mood is Mood.BREAKS_OFF:
            await self.push("354 go on")
            self.transport.abort()  # type: ignore[union-attr]  # it is connected
            return
        await super().smtp_DATA(arg)


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Connection(self.handler, **self.SMTP_kwargs)


class PostBox(MailServer, list[tuple[list[str], Any]]):
    """Holds the mails that it was given, in the order they came, each with its addresses."""

    def __init__(self) -> None:
        self.callers: list[Any] = []  # the connection that each mail came by
        self.when_taken: Callable[[], None] = lambda: None
        super().__init__()

    def keep(self, session: Session, envelope: Envelope) -> None:
        mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        self.append((envelope.rcpt_tos, mail))
        self.callers.append(session.peer)
        self.when_taken()

    @property
    def addresses(self) -> list[str]:
        """Return the recipients of the mails, in the order they came."""
        return [address for addresses, _ in self for address in addresses]

    def to(self, address: str) -> list[Any]:
        """Return the mails to `address`, in the order they came."""
        return [mail for _, mail in self if address in str(mail["To"])]


S = TypeVar("S", bound=MailServer)


@contextmanager
def ended(server: S) -> Iterator[S]:
    """End it with this block."""
    try:
        yield server
    finally:
        with suppress(OSError):
            server.end()


@contextmanager
def open_post_box() -> Iterator[PostBox]:
    with ended(PostBox()) as box:
        yield box
