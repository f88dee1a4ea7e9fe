"""A mail server that throws its mails away, in a process of its own, so that only the bank's work is measured.

It speaks as much SMTP as the bank's mail worker does. `with smtp_sink() as sink:` gives its port, and `sink.taken()`.
"""
# ruff: noqa: T201 - a program prints

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from servers import DIES_ALONG


class Taker(asyncio.Protocol):
    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._read, self._in_mail = transport, b"", False
        self._say(b"220 sink")

    def data_received(self, received: bytes) -> None:
        self._read += received
        while True:
            end = b"\r\n.\r\n" if self._in_mail else b"\r\n"
            part, found, rest = self._read.partition(end)
            if not found:
                return
            self._read = rest
            if self._in_mail:
                self._in_mail = False
                Taker.taken += 1
                self._say(b"250 taken")
            else:
                self._obey(part[:4].upper())

    def _obey(self, verb: bytes) -> None:
        if verb == b"DATA":
            self._in_mail = True
            self._say(b"354 go on")
        elif verb == b"QUIT":
            self._say(b"221 bye")
            self._transport.close()
        else:
            self._say(b"250 %d" % Taker.taken)

    def _say(self, line: bytes) -> None:
        self._transport.write(line + b"\r\n")  # type: ignore[attr-defined]


@dataclass
class Sink:
    port: int

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def taken(self) -> int:
        """Return how many mails it has taken so far."""
        with socket.create_connection(("127.0.0.1", self.port)) as line, line.makefile("rb") as answers:
            answers.readline()
            line.sendall(b"NOOP\r\n")
            return int(answers.readline().split()[1])


@contextmanager
def smtp_sink() -> Iterator[Sink]:
    command = [*DIES_ALONG, sys.executable, __file__]
    # A session of its own: a Ctrl-C would end it before its clients.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)  # noqa: S603 - ours
    try:
        yield Sink(int(process.stdout.readline()))  # type: ignore[union-attr]
    finally:
        process.terminate()
        process.wait()


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Taker, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
