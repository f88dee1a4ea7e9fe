"""The real firewall in front of a live server: Debian's nginx with the same files as deploy/firewall."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.signals import request_started

from foundation.request_context import trusted_networks
from tests.firewall.visitor import Firewall, Visitor

SERVE = Path(__file__).resolve().parent.parent.parent / "deploy" / "firewall" / "serve"


def spare_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(folder: Path, upstream: str, *, by: Sequence[str] = (), **environment: str) -> Iterator[Firewall]:
    """Run a firewall of its own, from its first answer until it is ended; started by a program, if one is given."""
    port = spare_port()
    values = {"FIREWALL_FOLDER": str(folder), "FIREWALL_LISTEN": f"127.0.0.1:{port}", "FIREWALL_UPSTREAM": upstream}
    process = subprocess.Popen([*by, SERVE], env=os.environ | values | {"FIREWALL_WORKERS": "1"} | environment)
    try:
        for _ in range(200):
            assert process.poll() is None, "the firewall did not start; are its packages installed (make firewall)?"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield Firewall(port=port, folder=folder, process=process)
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="package")
def _nginx(live_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firewall]:
    # The tests are many requests from one address; tests of the flood limits have a firewall of their own.
    upstream = f"127.0.0.1:{live_server.thread.port}"
    with running(readable_folder(tmp_path_factory), upstream, FIREWALL_REQUESTS_PER_SECOND="10000") as nginx:
        yield nginx


def readable_folder(factory: pytest.TempPathFactory) -> Path:
    """Return a folder that nginx's workers can enter when root runs the tests."""
    folder = factory.mktemp("firewall")
    for path in (folder, *folder.parents):
        if os.geteuid() == 0 and path.stat().st_uid == 0 and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    return folder


@pytest.fixture
def firewall(_nginx: Firewall, live_server: Any, settings: Any) -> Firewall:
    settings.TRUSTED_PROXIES = trusted_networks(["127.0.0.1"])
    settings.SITE_URL = "http://testserver"
    return _nginx


@pytest.fixture
def bank_saw() -> Iterator[list[str]]:
    """The path of every request that has reached the bank, in order."""
    seen: list[str] = []

    def note(environ: dict[str, Any], **kwargs: Any) -> None:
        seen.append(environ["PATH_INFO"])

    request_started.connect(note)
    yield seen
    request_started.disconnect(note)


@pytest.fixture
def visitor(firewall: Firewall, bank_saw: list[str]) -> Callable[..., Visitor]:
    """A browser on the other side of the firewall: `visitor()`, `visitor(address="127.0.0.2")`."""

    def make(address: str = "127.0.0.1") -> Visitor:
        return Visitor(firewall.port, bank_saw, address)

    return make


@pytest.fixture
def signed_in(
    visitor: Callable[..., Visitor], browser_of: Callable[[Any], Any], settings: Any
) -> Callable[[Any], Visitor]:
    """A user's browser that has given both factors already."""

    def make(user: Any) -> Visitor:
        browser = visitor()
        browser.cookies = {name: morsel.value for name, morsel in browser_of(user).cookies.items()}
        browser.read_token(browser.get("/admin/" if user.is_staff else "/profile/"))
        return browser

    return make
