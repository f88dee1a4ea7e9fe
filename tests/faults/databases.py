"""PostgreSQL servers of a round: one behind a proxy, or a primary and a synchronous standby; killed and started again.

A commit that they answer is on the disk, as a bank's is; of the pair, on both disks.
"""

import random
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.faults.proxy import Proxy
from tests.postgres_server import SETTINGS, Cluster

_PATIENCE_SECONDS = 120
# Below the ports that the kernel gives to clients: no client of the round takes the port of a server that is down.
_PORTS = range(20_000, 32_000)
# The first of them that answers and takes writes; one that does not answer is given up soon.
_FOUND_BY = "target_session_attrs=read-write&connect_timeout=3"


class Server:
    """One server."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @property
    def port(self) -> int:
        return self._cluster.port

    @property
    def url(self) -> str:
        return self._cluster.url

    @classmethod
    @contextmanager
    def begun(cls, folder: Path) -> Iterator["Server"]:
        """Start a server with an empty database, which ends with the block."""
        cluster = _made_in(folder, "postgresql", secrets.token_hex(16))
        try:
            cluster.make(SETTINGS)
            cluster.start()
            ask(cluster, "CREATE DATABASE bank")
            yield cls(cluster)
        finally:
            cluster.stop()

    def url_at(self, port: int) -> str:
        """Return its address at this port."""
        return f"postgres://bank:{self._cluster.password}@127.0.0.1:{port}/bank"

    def kill(self) -> None:
        """Kill all its processes, and wait until they are gone."""
        self._cluster.kill()

    def pause(self, seconds: float) -> None:
        """Stop all its processes for this long, and let them continue."""
        self._cluster.pause(seconds)

    def start(self) -> None:
        """Start it again after `kill()`, and wait until it has recovered what was committed."""
        self._cluster.start()


class ServerBehindProxy:
    """One server, which the bank reaches only through a proxy."""

    def __init__(self, server: Server, proxy: Proxy) -> None:
        self.server, self.proxy = server, proxy
        self.environment = {"DATABASE_URL": server.url_at(proxy.port)}
        self.environment_of_readers = {"DATABASE_URL": server.url}

    @classmethod
    @contextmanager
    def begun(cls, folder: Path) -> Iterator["ServerBehindProxy"]:
        """Start both; they end with the block."""
        with Server.begun(folder) as server, Proxy.begun(free_port(), to=server.port) as proxy:
            yield cls(server, proxy)


class Pair:
    """A primary and its synchronous standby, each of which the bank finds by itself as long as one takes writes.

    A failover is `kill_primary()`, `promote()`, `replace()`, in this order, as an operator or a cluster's manager does
    it. The killed one never comes back as a primary: the bank would find it, too.
    """

    def __init__(self, primary: Cluster, standby: Cluster) -> None:
        self._primary, self._standby, self._is_alone = primary, standby, True
        places = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        self.environment = {"DATABASE_URL": f"postgres://bank:{primary.password}@{places}/bank?{_FOUND_BY}"}

    @classmethod
    @contextmanager
    def begun(cls, folder: Path) -> Iterator["Pair"]:
        """Start both with an empty database, and every commit on both; they end with the block."""
        password = secrets.token_hex(16)
        primary, standby = (_made_in(folder, name, password) for name in ("one", "other"))
        try:
            primary.make(SETTINGS)
            primary.start()
            ask(primary, "CREATE DATABASE bank")
            pair = cls(primary, standby)
            pair.replace()
            yield pair
        finally:
            standby.stop()
            primary.stop()

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement as the primary's administrator; return its rows."""
        return ask(self._primary, statement)

    def kill_primary(self) -> None:
        """Kill all processes of the primary, and wait until they are gone.

        Raises:
            RuntimeError: it has no standby that has everything.
        """
        if self._is_alone:
            raise RuntimeError("What is committed is on the primary alone.")
        self._primary.kill()

    def promote(self) -> None:
        """Make the standby the primary; from now on it is alone.

        Raises:
            RuntimeError: the old one was not killed, or it does not take over.
        """
        if self._primary.runs():
            raise RuntimeError("There would be two primaries.")
        if ask(self._standby, f"SELECT pg_promote(true, {_PATIENCE_SECONDS})") != [(True,)]:
            raise RuntimeError("The standby does not take over.")
        self._primary, self._standby, self._is_alone = self._standby, self._primary, True

    def replace(self) -> None:
        """Make a fresh standby instead of the lost one; return when every commit waits for it."""
        self._standby.stop()
        shutil.rmtree(self._standby.data, ignore_errors=True)
        source = f"host=127.0.0.1 port={self._primary.port} user=bank application_name=standby"
        options = ["--write-recovery-conf", "--checkpoint=fast", "--create-slot", "--slot=standby", "--no-sync"]
        self._standby.run(
            "pg_basebackup", "-D", self._standby.data, "-d", source, *options, PGPASSWORD=self._primary.password
        )
        self._standby.start()
        for statement in (
            "ALTER SYSTEM SET synchronous_standby_names = 'standby'",
            "SELECT pg_reload_conf()",
            "CHECKPOINT",  # which the process that tells all others of that name begins after it has
        ):
            self.ask(statement)
        self._wait_until_in_step()
        self._is_alone = False

    def kill_standby(self) -> None:
        """Kill all processes of the standby: what commits now waits."""
        self._standby.kill()

    def pause_standby(self, seconds: float) -> None:
        """Stop all processes of the standby for this long: commits wait; return as `start_standby()` does."""
        self._standby.pause(seconds)
        self._wait_until_in_step()

    def start_standby(self) -> None:
        """Start it again; return when it has what was committed meanwhile, and commits no longer wait for it to catch
        up."""
        self._standby.start()
        self._wait_until_in_step()

    def _wait_until_in_step(self) -> None:
        """Wait until the standby has everything committed so far, and commits wait for it.

        Raises:
            TimeoutError
        """
        ((now,),) = self.ask("SELECT pg_current_wal_lsn()::text")
        state = f"SELECT state, sync_state, flush_lsn >= '{now}' FROM pg_stat_replication"
        for _ in range(_PATIENCE_SECONDS * 10):
            if self.ask(state) == [("streaming", "sync", True)]:
                return
            time.sleep(0.1)
        raise TimeoutError("The standby does not follow.")


def ask(cluster: Cluster, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement as the server's administrator; return its rows."""
    with psycopg.connect(cluster.url, dbname="postgres", autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def free_port() -> int:
    """Return a port that is free, and that the kernel gives to no client."""
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def _made_in(folder: Path, name: str, password: str) -> Cluster:
    folder.chmod(0o711)  # PostgreSQL's own user has to get through
    (folder / name).mkdir()
    return Cluster(folder / name, free_port(), password)
