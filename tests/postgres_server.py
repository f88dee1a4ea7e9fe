"""A PostgreSQL of the tests' own: `python -m tests.postgres_server COMMAND…` runs a command beside one.

The command finds it in `TEST_DATABASE_URL`. Where that is set already, the server it names is taken. The cluster is
in a folder of its own, on a port that nobody had, without fsync: what is lost with the machine was a test's. It ends
with the command, whatever ends that, and its folder goes with it. Benchmarks have one with fsync
(`postgres_server(durable=True)`).
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

# Debian keeps the programs of each version in a folder of its own, outside the PATH.
DEBIAN = Path("/usr/lib/postgresql")
# The tests' own, which need not outlive the machine.
UNSAFE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # A table that was found empty is read from end to end, by the checks of foreign keys too, and a test's own
    # transaction then fills it; of one that nobody has looked at PostgreSQL expects some rows, and takes the index.
    "autovacuum": "off",
}
SETTINGS = {
    "jit": "off",
    # Tests start twenty threads and more at a time, in several processes.
    "max_connections": "300",
    "shared_buffers": "128MB",
    "listen_addresses": "127.0.0.1",
}


def programs() -> Path:
    """The folder of `initdb` and `postgres`, the newest if there are more.

    Raises:
        SystemExit: there is none.
    """
    folders = [path.parent for path in DEBIAN.glob("*/bin/initdb")]
    if folders:
        return max(folders, key=lambda folder: float(folder.parent.name))
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    sys.exit("No PostgreSQL server: as root, apt-get install postgresql (`make postgres`), or set TEST_DATABASE_URL.")


def as_its_user() -> list[str]:
    """What stands before its commands: PostgreSQL refuses to run as root, so root runs it as Debian's user.

    On Linux the server gets a signal when this program dies, even if it is killed.
    """
    if sys.platform != "linux":
        return []
    user = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, "--pdeathsig", "QUIT"]


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[str]:
    """The address of a server that runs meanwhile, with a password that nobody else on the machine knows. `durable`: a
    commit that it answers is on the disk, as a bank's is."""
    home = Path(tempfile.mkdtemp(prefix="bank-postgres-"))
    password = secrets.token_hex(16)
    server = None
    try:
        port = _make_cluster(home, password, SETTINGS if durable else SETTINGS | UNSAFE)
        with (home / "log").open("wb") as log:
            server = subprocess.Popen(
                [*as_its_user(), programs() / "postgres", "-D", home / "data"],
                cwd=home,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # or a Ctrl-C would end it before the command
            )
        _wait_until_it_answers(server, port, home / "log")
        yield f"postgres://bank:{password}@127.0.0.1:{port}/bank"
    finally:
        if server is not None:
            server.send_signal(signal.SIGQUIT)  # at once: nothing in it is to be kept
            server.wait(timeout=30)
        shutil.rmtree(home, ignore_errors=True)


def _make_cluster(home: Path, password: str, settings: dict[str, str]) -> int:
    """Make an empty cluster below `home`, and return the port that it will listen at."""
    (home / "password").write_text(password, encoding="ascii")
    if os.geteuid() == 0:
        for path in (home, home / "password"):
            shutil.chown(path, "postgres", "postgres")
    options = ["--username=bank", "--auth=password", f"--pwfile={home / 'password'}", "--encoding=UTF8"]
    subprocess.run(
        [*as_its_user(), programs() / "initdb", "-D", home / "data", "--locale=C.UTF-8", "--no-sync", *options],
        cwd=home,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    settings = settings | {"port": str(port), "unix_socket_directories": str(home)}
    lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
    with (home / "data" / "postgresql.auto.conf").open("a", encoding="ascii") as file:
        file.writelines(lines)
    return port


def _wait_until_it_answers(server: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(300):
        if server.poll() is not None:
            break
        # Quiet while it starts; 0 is: it takes connections.
        command = [str(programs() / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={port}"]
        if subprocess.run(command, check=False).returncode == 0:
            return
        time.sleep(0.1)
    sys.exit(f"PostgreSQL did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")


def run(command: list[str]) -> int:
    """Run the command with the address of a server in its environment; its exit code."""
    if os.environ.get("TEST_DATABASE_URL"):
        return subprocess.run(command, check=False).returncode
    # A Ctrl-C is for the command, which gets it too.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    with postgres_server() as url:
        child = subprocess.Popen(command, env=os.environ | {"TEST_DATABASE_URL": url})
        try:
            return child.wait()
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait(timeout=60)


def _end(number: int, frame: object) -> NoReturn:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    sys.exit(run(sys.argv[1:]))
