"""A proxy in front of a server, which cuts connections, holds back what it should pass on, and is healed.

It understands nothing of the traffic except the bytes that it is told to look for.
"""

import asyncio
import ctypes
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

_CHUNK_BYTES = 65536
_PATIENCE_SECONDS = 60
# Linux socket options, which Python does not name: a kernel program that filters each packet, and none.
_ATTACH_FILTER, _DETACH_FILTER = 26, 27
# Its one instruction: return, taking 0 bytes of the packet.
_TAKE_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
# To close so that the other side gets a reset, and not an end.
_RESET = struct.pack("ii", 1, 0)


class Cut(StrEnum):
    """Where a connection is cut, whose client sends the awaited bytes."""

    REQUEST = "before the server gets it"
    ANSWER = "when the server has done it, before the client gets the answer"
    HALF = "in the middle of the answer"


@dataclass
class _Trap:
    """A cut that waits for the client that sends these bytes next."""

    cut: Cut
    sent: bytes
    sprung: threading.Event = field(default_factory=threading.Event)


class _Line:
    """One connection through the proxy, both its halves."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client, self.server = client, server
        self.trap: _Trap | None = None  # what happens to the next answer

    def cut(self) -> None:
        """Send both sides a reset, and nothing more."""
        for side in (self.client, self.server):
            with suppress(OSError):
                side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            side.transport.abort()

    def end(self) -> None:
        """Send both sides what is left for them, and then an end."""
        for side in (self.client, self.server):
            side.close()


class Proxy:
    """Listens at a port of loopback, and passes on to another, in a thread of its own."""

    def __init__(self, port: int, to: int) -> None:
        self.port = port
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._lines: set[_Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._refuses = False
        self._trap: _Trap | None = None
        self._listener: socket.socket | None = None
        self._silent: set[_Line] = set()

    @classmethod
    @contextmanager
    def begun(cls, port: int, *, to: int) -> Iterator["Proxy"]:
        """Start it; it ends with the block, and so do all its connections."""
        proxy = cls(port, to)
        thread = threading.Thread(target=proxy._loop.run_forever, daemon=True)
        thread.start()
        try:
            listener = proxy._run(proxy._listen())
            try:
                yield proxy
            finally:
                proxy._run(proxy._close(listener))
        finally:
            proxy._loop.call_soon_threadsafe(proxy._loop.stop)
            thread.join()
            proxy._loop.close()

    # --- What breaks, and is given back ------------------------------------------------------------------------

    def cut_all(self) -> int:
        """Cut every connection; return how many there were. New ones are taken."""
        return self._run(self._cut(None))

    def cut_one(self, random: Random) -> int:
        """Cut one connection, chosen at random; return how many were cut: none, if there is none."""
        return self._run(self._cut(random))

    def cut_at(self, sent: bytes, cut: Cut) -> None:
        """Cut the connection of the client that sends these bytes next; return when that has happened.

        Raises:
            TimeoutError: nobody sends them.
        """
        trap = _Trap(cut, sent)
        self._trap = trap
        if not trap.sprung.wait(_PATIENCE_SECONDS):
            self._trap = None
            raise TimeoutError(f"Nobody sends {sent!r}.")

    def refuse(self) -> None:
        """Cut every connection, and each new one as soon as it is made, until `heal()`."""
        self._refuses = True
        self.cut_all()

    def stall(self) -> None:
        """Hold back what either side sends, until `heal()`; nothing of it is lost."""
        self._run(self._let_flow(False))

    def fall_silent(self) -> None:
        """Let the kernel drop everything that clients send, until `heal()`: none of it is confirmed, and no connection
        is refused, as when the machine is gone."""
        self._run(self._drop_packets())

    def heal(self) -> None:
        """Pass everything on again, what was held back first. Connections that fell silent are lost."""
        self._refuses = False
        self._run(self._take_packets())
        self._run(self._let_flow(True))

    # --- In its thread -----------------------------------------------------------------------------------------

    def _run(self, action: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(action, self._loop).result(_PATIENCE_SECONDS)

    async def _listen(self) -> asyncio.Server:
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        return await asyncio.start_server(self._take, sock=self._listener)

    async def _drop_packets(self) -> None:
        assert self._listener is not None
        instruction = ctypes.create_string_buffer(_TAKE_NOTHING)
        program = struct.pack("HP", 1, ctypes.addressof(instruction))
        self._silent = set(self._lines)
        for one in (self._listener, *(line.client.get_extra_info("socket") for line in self._silent)):
            with suppress(OSError):  # it is being closed
                one.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, program)

    async def _take_packets(self) -> None:
        assert self._listener is not None
        for line in self._silent:
            line.cut()
        self._silent = set()
        with suppress(FileNotFoundError):  # it took them all the time
            self._listener.setsockopt(socket.SOL_SOCKET, _DETACH_FILTER, 0)

    async def _close(self, listener: asyncio.Server) -> None:
        listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _cut(self, random: Random | None) -> int:
        lines = list(self._lines)
        if random is not None and lines:
            lines = [random.choice(lines)]
        for line in lines:
            line.cut()
        return len(lines)

    async def _let_flow(self, flows: bool) -> None:
        if flows:
            self._flows.set()
        else:
            self._flows.clear()

    async def _take(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._flows.wait()
            if self._refuses:
                raise ConnectionRefusedError
            from_server, server = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            client.transport.abort()
        else:
            await self._join(_Line(client, server), from_client, from_server)
        finally:
            self._tasks.discard(task)

    async def _join(self, line: _Line, from_client: asyncio.StreamReader, from_server: asyncio.StreamReader) -> None:
        self._lines.add(line)
        ways = [
            asyncio.ensure_future(way)
            for way in (self._pass_requests(line, from_client), self._pass_answers(line, from_server))
        ]
        try:
            # An end on one side ends the other: neither side of this protocol speaks on when the other is gone.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._lines.discard(line)
            line.end()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_requests(self, line: _Line, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            await self._flows.wait()
            trap = self._trap
            if trap is not None and trap.sent in data:
                self._trap = None
                if trap.cut == Cut.REQUEST:
                    line.cut()
                    trap.sprung.set()
                    return
                line.trap = trap
            line.server.write(data)
            await line.server.drain()

    async def _pass_answers(self, line: _Line, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            await self._flows.wait()
            if line.trap is not None:
                if line.trap.cut == Cut.HALF:
                    line.client.write(data[: len(data) // 2])
                    line.end()
                else:
                    line.cut()
                line.trap.sprung.set()
                return
            line.client.write(data)
            await line.client.drain()
