"""The proxy between the bank and its database: it cuts, holds back, refuses, and is healed; what is lost is known."""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import pytest

from tests.faults.databases import free_port
from tests.faults.proxy import Cut, Proxy

_SECONDS = 60


class Echo(socketserver.BaseRequestHandler):
    """Answers its input in capital letters, and records it."""

    heard: list[bytes] = []

    def handle(self) -> None:
        try:
            while data := self.request.recv(1024):
                self.heard.append(data)
                self.request.sendall(data.upper())
        except ConnectionError:
            pass


@pytest.fixture
def echo() -> Iterator[int]:
    Echo.heard = []
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    with Proxy.begun(free_port(), to=echo) as proxy:
        yield proxy


@contextmanager
def asked(proxy: Proxy) -> Iterator[socket.socket]:
    """A client that has had one answer."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=_SECONDS) as client:
        client.sendall(b"hello")
        assert client.recv(1024) == b"HELLO"
        yield client


def is_reset(client: socket.socket) -> bool:
    try:
        client.sendall(b"still there?")
        return client.recv(1024) == b""
    except ConnectionError:
        return True


def cutting(proxy: Proxy, sent: bytes, cut: Cut) -> threading.Thread:
    """Return a thread that waits in `cut_at()`."""
    thread = threading.Thread(target=proxy.cut_at, args=(sent, cut), daemon=True)
    thread.start()
    while proxy._trap is None:
        pass
    return thread


def test_all_connections_are_cut_and_new_ones_taken(proxy: Proxy) -> None:
    with asked(proxy) as one, asked(proxy) as other:
        assert proxy.cut_all() == 2
        assert is_reset(one)
        assert is_reset(other)
    with asked(proxy):
        pass


def test_one_connection_is_cut_and_no_other(proxy: Proxy) -> None:
    assert proxy.cut_one(Random(1)) == 0
    with asked(proxy) as one, asked(proxy) as other:
        assert proxy.cut_one(Random(1)) == 1
        lost = [is_reset(client) for client in (one, other)]
        assert sorted(lost) == [False, True]


@pytest.mark.parametrize(
    ("cut", "is_done", "answer"), [(Cut.REQUEST, False, b""), (Cut.ANSWER, True, b""), (Cut.HALF, True, b"COM")]
)
def test_a_connection_is_cut_at_what_is_looked_for(proxy: Proxy, cut: Cut, is_done: bool, answer: bytes) -> None:
    with asked(proxy) as one, asked(proxy) as other:
        thread = cutting(proxy, b"commit", cut)
        other.sendall(b"select")
        assert other.recv(1024) == b"SELECT"
        one.sendall(b"commit")
        got = b""
        try:
            while part := one.recv(1024):
                got += part
        except ConnectionError:
            pass
        thread.join(_SECONDS)
        assert got == answer
        assert (b"commit" in Echo.heard) is is_done
        other.sendall(b"commit")
        assert other.recv(1024) == b"COMMIT", "once, and no other"


def test_nothing_of_a_stall_is_lost(proxy: Proxy) -> None:
    with asked(proxy) as client:
        proxy.stall()
        client.sendall(b"one")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1024)
        client.settimeout(_SECONDS)
        proxy.heal()
        assert client.recv(1024) == b"ONE"


def test_what_is_sent_to_a_silent_one_is_not_confirmed_and_those_connections_are_lost(proxy: Proxy) -> None:
    with asked(proxy) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 300)  # milliseconds
        proxy.fall_silent()
        client.sendall(b"one")
        with pytest.raises(OSError, match="Connection timed out"):
            client.recv(1024)
        with pytest.raises(TimeoutError):
            socket.create_connection(("127.0.0.1", proxy.port), timeout=0.2)
        proxy.heal()
    with asked(proxy):
        pass
    assert b"one" not in Echo.heard


def test_a_connection_that_waited_in_silence_is_told_of_its_loss(proxy: Proxy) -> None:
    with asked(proxy) as client:
        proxy.fall_silent()
        proxy.heal()
        assert is_reset(client)
    proxy.heal()
    with asked(proxy):
        pass


def test_refused_until_it_is_healed(proxy: Proxy) -> None:
    with asked(proxy) as client:
        proxy.refuse()
        assert is_reset(client)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=_SECONDS) as client:
        assert is_reset(client)
    proxy.heal()
    with asked(proxy):
        pass


def test_it_is_gone_with_its_block_and_so_are_its_connections(echo: int) -> None:
    port = free_port()
    with Proxy.begun(port, to=echo) as proxy, asked(proxy) as client:
        kept: Any = client.dup()
    with kept:
        assert is_reset(kept)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_nobody_listens_behind_it(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "_to", free_port())
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=_SECONDS) as client:
        assert is_reset(client)
