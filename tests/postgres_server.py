"""A PostgreSQL of the tests' own: `python -m tests.postgres_server COMMAND…` runs a command beside one.

The command finds it in `TEST_DATABASE_URL`. If that is set already, the named server is used. The cluster is in a
folder of its own, on a free port, without fsync: a crash of the machine loses only a test's data. It ends with the
command, whatever ends that, and its folder goes with it. Benchmarks have one with fsync
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
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

# Debian keeps the programs of each version in a folder of its own, outside the PATH.
DEBIAN = Path("/usr/lib/postgresql")
# The tests' own data, which need not survive a crash of the machine.
UNSAFE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # PostgreSQL reads a table that was found empty from end to end, also for checks of foreign keys, and a test's own
    # transaction then fills it; in a table without statistics it expects some rows, and uses the index.
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
    """Return the folder of `initdb` and `postgres`, the newest if there are several.

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
    """Return the prefix of its commands: PostgreSQL refuses to run as root, so root runs it as Debian's user.

    On Linux the server gets a signal when this program dies, even if it is killed.
    """
    if sys.platform != "linux":
        return []
    user = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, "--pdeathsig", "QUIT"]


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[str]:
    """Yield the address of a server that runs meanwhile, with a password that nobody else on the machine knows.
    `durable`: an answered commit is on the disk, as in a real bank."""
    home = Path(tempfile.mkdtemp(prefix="bank-postgres-"))
    cluster = Cluster(home, _any_port(), secrets.token_hex(16))
    try:
        cluster.make(SETTINGS if durable else SETTINGS | UNSAFE)
        cluster.start()
        yield cluster.url
    finally:
        cluster.stop()
        shutil.rmtree(home, ignore_errors=True)


class Cluster:
    """A server's folder, and the process that serves it: made, started, stopped, killed and started again at its port.

    On Linux the process ends with the thread that started it.
    """

    def __init__(self, home: Path, port: int, password: str) -> None:
        self.home, self.port, self.password = home, port, password
        if os.geteuid() == 0:
            shutil.chown(home, "postgres", "postgres")
        self.data = home / "data"
        self._log = home / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://bank:{self.password}@127.0.0.1:{self.port}/bank"

    def make(self, settings: dict[str, str]) -> None:
        """Make it, with no database but PostgreSQL's own."""
        secret = self.home / "password"
        secret.write_text(self.password, encoding="ascii")
        if os.geteuid() == 0:
            shutil.chown(secret, "postgres", "postgres")
        options = ["--username=bank", "--auth=password", f"--pwfile={secret}", "--encoding=UTF8"]
        self.run("initdb", "-D", self.data, "--locale=C.UTF-8", "--no-sync", *options)
        with (self.data / "postgresql.auto.conf").open("a", encoding="ascii") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def run(self, program: str, *arguments: str | Path, **environment: str) -> None:
        """Run one of PostgreSQL's programs in this folder, and wait for its end.

        Raises:
            SystemExit: it failed; with its output.
        """
        done = subprocess.run(
            [*as_its_user(), programs() / program, *arguments],
            cwd=self.home,
            env=os.environ | environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            sys.exit(f"{program} failed:\n{done.stdout.decode(errors='replace')}")

    def start(self) -> None:
        """Start serving, and wait until connections are accepted.

        Raises:
            SystemExit: it does not start; with its log.
        """
        place: list[str | Path] = ["-p", str(self.port), "-k", self.home]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*as_its_user(), programs() / "postgres", "-D", self.data, *place],
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # or a Ctrl-C would end it before the command
            )
        self._wait_until_it_answers(self._process)

    def stop(self) -> None:
        """End it at once, as after a crash: nothing in it is kept. If it does not run, nothing of it is left."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
        self._give_back_memory()

    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill all its processes (SIGKILL), and wait until they are gone."""
        assert self._process is not None
        leader, *children = self._stopped()
        for pid in (leader, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(timeout=60)
        for _ in range(600):
            if not any(map(_lives, children)):
                return
            time.sleep(0.1)
        sys.exit(f"Processes of PostgreSQL outlive SIGKILL: {children}")

    def pause(self, seconds: float) -> None:
        """Stop all its processes (SIGSTOP) for so long: the kernel takes connections and bytes, and nobody answers.

        They go on also where this program is killed meanwhile: a shell of its own lets them.
        """
        pids = [str(pid) for pid in self._stopped()]
        program = 'kill -STOP "$@"; sleep "$0"; kill -CONT "$@"'  # one may have ended before it was stopped
        shell = subprocess.Popen(
            ["sh", "-c", program, str(seconds), *pids], stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            shell.wait()
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGCONT)
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()

    def _stopped(self) -> list[int]:
        """Stop its processes, the parent first, so that it starts no more; return them."""
        assert self._process is not None
        leader = self._process.pid
        os.kill(leader, signal.SIGSTOP)
        return [leader, *(int(pid) for pid in Path(f"/proc/{leader}/task/{leader}/children").read_text().split())]

    def _give_back_memory(self) -> None:
        """Free the memory that a killed server could not free itself: its folder names it, for its next start."""
        mark = self.data / "postmaster.pid"
        if mark.exists():
            _, memory = mark.read_text().splitlines()[6].split()  # its key and its id
            subprocess.run(["ipcrm", "--shmem-id", memory], check=False, stderr=subprocess.DEVNULL)

    def _wait_until_it_answers(self, server: "subprocess.Popen[bytes]") -> None:
        for _ in range(600):
            if server.poll() is not None:
                break
            # Quiet while it starts; 0 means that it takes connections.
            command = [str(programs() / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.port}"]
            if subprocess.run(command, check=False).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit(f"PostgreSQL did not start:\n{self._log.read_text(encoding='utf-8', errors='replace')}")


def _lives(pid: int) -> bool:
    """Return whether there is such a process, and not only an exit code that nobody has read yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _any_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def run(command: list[str]) -> int:
    """Run the command with the address of a server in its environment; return its exit code."""
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
