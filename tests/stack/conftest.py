"""docker-compose.yml's services as processes of this machine: their own commands, users, settings and folders.

Only their addresses differ: names and ports are this machine's, and the bank's database is a file in a volume, or a
database of its own on the server that the tests run on.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.firewall.conftest import readable_folder, spare_port
from tests.mail_server import PostBox, open_post_box
from tests.own_database import own_database
from tests.plugin import PASSWORD
from tests.stack.container import Container, Image, can_confine
from tests.stack.files import ROOT, compose, copy_context, dockerfile
from transfers.orders.fraud import PAYMENT_RULES

BANK_USER, FIREWALL_USER, CACHE_USER = 10001, 33, 999
PEOPLE = (Path(__file__).parent / "people.py").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def bank_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Return what the first stage of the Dockerfile makes of the repository, by its own commands."""
    if not can_confine():
        sys.stderr.write("\nNot root, or no right to mount: the stack runs without read-only folders.\n")
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    copy_context(folder)
    file = dockerfile("Dockerfile")
    first = file.instructions.index(("COPY", ". ."))
    build = [text.replace("/bank", str(folder)) for name, text in file.instructions[first:] if name == "RUN"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in build[: len(build) - len(file.last_stage().all("RUN"))]:
        subprocess.run(["sh", "-ec", command], cwd=folder, env={"PATH": path}, check=True, capture_output=True)
    assert not (folder / ".env").exists()
    assert not (folder / "transfers" / "demo").exists()
    assert file.last_stage().all("USER") == [f"{BANK_USER}:{BANK_USER}"]
    variables = {name: value for name, value in file.last_stage().variables().items() if name != "PATH"}
    return Image(folder, "/bank", BANK_USER, variables)


@dataclass
class Stack:
    """The services by name, as they are started."""

    image: Image
    folder: Path
    environment: dict[str, str]
    services: dict[str, Any]
    ports: dict[str, int]
    database_url: str
    migrated: Path
    post_box: PostBox
    started: list[Container] = field(default_factory=list)
    serial: int = 0

    def bank(self, service: str = "web") -> Container:
        """Return a service of the bank's own image, not yet started."""
        told = self.services[service]
        differs = {
            "DATABASE_URL": self.database_url,
            "CACHE_URL": told["environment"]["CACHE_URL"].replace("@cache:6379", f"@127.0.0.1:{self.ports['cache']}"),
            "EMAIL_URL": told["environment"]["EMAIL_URL"].replace("mail:1025", f"127.0.0.1:{self.ports['mail']}"),
            "TRUSTED_PROXIES": "127.0.0.1/32",
            "WEB_BIND": f"127.0.0.1:{self.ports['web']}",
        }
        # The logins of SQL Server are not here, nor the rights that one of them is denied.
        words = told.get("command") or dockerfile("Dockerfile").command()
        command = [re.sub(r"&& python manage.py deny_changes \w+ ", "", word) for word in words]
        return self._container(self.image, command, told["environment"] | differs, {"/data": self.folder / "data"})

    def firewall(self) -> Container:
        told = self.services["firewall"]["environment"]
        file = dockerfile("deploy/firewall/Dockerfile")
        differs = {
            "FIREWALL_UPSTREAM": f"127.0.0.1:{self.ports['web']}",
            "FIREWALL_LISTEN": f"127.0.0.1:{self.ports['firewall']}",
        }
        image = Image(ROOT / "deploy" / "firewall", "/firewall", FIREWALL_USER, file.variables())
        volumes = {"/var/lib/bank-firewall": self.folder / "firewall"}
        return self._container(image, file.command(), told | differs, volumes)

    def cache(self) -> Container:
        """Return the command of compose, with Debian's program if Valkey is not installed."""
        told = self.services["cache"]
        program = "valkey-server" if shutil.which("valkey-server") else "redis-server"
        # Compose's "$$" is a "$" here.
        command = [word.replace("valkey-server", program) for word in told["command"]]
        command[-1] += f" --port {self.ports['cache']} --bind 127.0.0.1"
        image = Image(self.folder / "empty", "/empty", CACHE_USER)
        image.folder.mkdir(exist_ok=True)
        return self._container(image, command, told["environment"], {"/data": self.folder / "cache"})

    def cache_check(self) -> list[str]:
        program = "valkey-cli" if shutil.which("valkey-cli") else "redis-cli"
        words = [
            word.replace("valkey-cli", f"{program} -p {self.ports['cache']}")
            for word in self.services["cache"]["healthcheck"]["test"]
        ]
        return ["sh", "-c", *words[1:]]

    def _container(self, image: Image, command: list[str], environment: dict[str, str], volumes: Any) -> Container:
        for outside in volumes.values():
            outside.mkdir(exist_ok=True)
            if os.geteuid() == 0:
                os.chown(outside, image.user, image.user)
        self.serial += 1
        container = Container(image, command, environment, volumes, self.folder / f"root{self.serial}")
        self.started.append(container)
        return container

    def check_of(self, path: str) -> list[str]:
        """Return the health check of an image, with its port here."""
        ports = {"8000": self.ports["web"], "8443": self.ports["firewall"]}
        words = dockerfile(path).health_check()
        for said, here in ports.items():
            words = [word.replace(said, str(here)) for word in words]
        return words

    def up(self, *names: str) -> dict[str, Container]:
        """Migrate, start the cache, and wait until these services run and are healthy."""
        running = {"cache": self.cache().start()}
        running["cache"].wait_healthy(self.cache_check())
        self.migrate()
        for name in names:
            container = running[name] = (self.firewall() if name == "firewall" else self.bank(name)).start()
            if name == "web":
                container.wait_healthy(self.check_of("Dockerfile"))
            elif name == "firewall":
                container.wait_healthy(self.check_of("deploy/firewall/Dockerfile"))
        return running

    def migrate(self) -> None:
        """Migrate with the service of that name, whose database file the later stacks copy: their keys are the same."""
        service = self.bank("migrate")
        file = self.folder / "data" / "bank.sqlite3"
        if self.migrated.exists():
            shutil.copy(self.migrated, file)
            shutil.chown(file, service.image.user if os.geteuid() == 0 else os.geteuid())
            return
        migrated = service.run(seconds=300)
        assert migrated.returncode == 0, migrated.stdout
        if connection.vendor == "sqlite":
            shutil.copy(file, self.migrated)

    def manage(self, *arguments: str) -> str:
        """Run a command of the bank, which must succeed; return its output."""
        done = self.bank().run("python", "manage.py", *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def python(self, program: str, *arguments: str) -> Any:
        """Run a program in the bank's container; return its last line, as JSON."""
        done = self.bank().run("python", "-c", program, *arguments)
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout.splitlines()[-1])

    def people(self, payers: int = 0) -> dict[str, Any]:
        made: dict[str, Any] = self.python(PEOPLE, str(payers), PASSWORD)
        return made


@pytest.fixture
def database_url(django_db_blocker: Any) -> Iterator[str]:
    """Yield an empty database for this stack: a file in its volume, or one on the server of the tests."""
    with django_db_blocker.unblock(), own_database() as url:
        yield url or "sqlite:////data/bank.sqlite3"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], Path]:
    """What is set for all stacks, and where the migrated database is kept for them."""
    folder = tmp_path_factory.mktemp("made")
    return _made_environment(folder), folder / "migrated.sqlite3"


@pytest.fixture
def stack(
    bank_image: Image,
    made: tuple[dict[str, str], Path],
    database_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """A stack of which nothing runs yet; everything that is started ends with the test."""
    folder = readable_folder(tmp_path_factory)
    environment, migrated = dict(made[0]), made[1]
    services = compose(environment)["services"]
    with open_post_box() as box:
        ports = {name: spare_port() for name in ("web", "firewall", "cache")} | {"mail": box.port}
        whole = Stack(bank_image, folder, environment, services, ports, database_url, migrated, box)
        yield whole
        for container in reversed(whole.started):
            container.kill()


def _made_environment(folder: Path) -> dict[str, str]:
    """Return what `make setup` and `make_env.py --compose` write, and a test's changes."""
    subprocess.run([sys.executable, ROOT / "deploy/make_env.py", "--compose", folder / ".env"], check=True)
    lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
    made = dict(line.split("=", 1) for line in lines if "=" in line)
    # Two hundred payments of a few people within seconds are allowed here.
    uncounted = {rule.setting: "1000" for rule in PAYMENT_RULES if rule.counts}
    return made | uncounted | {"TRANSFERS_PER_MINUTE": "1000", "LOG_LEVEL": "WARNING"}


def wait_for(what: Callable[[], bool], *, seconds: float = 180) -> None:
    """Wait until it is true.

    Raises:
        AssertionError: it never was.
    """
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


TERM, QUIT = signal.SIGTERM, signal.SIGQUIT
