import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest


@pytest.fixture
def post_box() -> Iterator[list[Any]]:
    """A real SMTP server on a free port; the mails that it was given."""
    from aiosmtpd.controller import Controller

    taken: list[Any] = []

    class Taker:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
            taken.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
            return "250 taken"

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(Taker(), hostname="127.0.0.1", port=port)
    controller.start()
    taken.append(port)
    try:
        yield taken
    finally:
        controller.stop()
