"""How the bank is served: by the image, by `make run-https` and as in docs/deployment.md.

    gunicorn --config deploy/gunicorn.conf.py bankproject.wsgi

What differs from machine to machine is in the environment: WEB_BIND, WEB_CONCURRENCY, and WEB_CERTIFICATE with
WEB_CERTIFICATE_KEY where nothing in front of it speaks HTTPS.
"""

import os
import sys
from pathlib import Path
from typing import Any


def _are_settings_right() -> bool:
    """Try the settings, and print the one line that names a wrong one, before a worker would end in a traceback
    (docs/settings.md). It is tried in a copy of this process: what this one has read, its workers would not read again
    after SIGHUP."""
    copy = os.fork()
    if copy == 0:
        from bankproject import starting

        starting.try_settings()
    return os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]) == 0


if not _are_settings_right():
    sys.exit(1)

wsgi_app = "bankproject.wsgi:application"
# Only the proxy in front needs to reach it: any other client could name any address as its own (docs/firewall.md).
bind = [os.environ.get("WEB_BIND", "127.0.0.1:8000")]

# One request at a time in each: threads make writers of SQLite slower, and a worker that hangs is found out.
worker_class = "sync"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
# A request that takes longer is ended with its worker. The firewall waits for twice as long, and the database for
# locks less than half as long (bankproject/databases.py): a worker in SQLite's wait hears nothing.
timeout = 30
# After SIGTERM nothing new is taken and what runs is finished: within 25 s, so that it is over before Docker's or
# systemd's patience is (30 s in docker-compose.yml). Unfinished work is rolled back then, not half done.
graceful_timeout = 25
# A leak ends after this many requests, and not in all workers at once.
max_requests = 5000
max_requests_jitter = 500

# The workers' heartbeat is a file: on a slow or read-only disk it would be the disk that kills them.
_memory = Path("/dev/shm")  # noqa: S108 - gunicorn makes a file of its own there # nosec B108
worker_tmp_dir = str(_memory) if _memory.is_dir() else None
# It would be in a home folder, which the bank's user does not have.
control_socket_disable = True

# The firewall writes the access log, without secrets; the bank's own log has the request's id.
accesslog = None
errorlog = "-"

# The firewall takes addresses of 8 KiB; here the default is half.
limit_request_line = 8190
# TRUSTED_PROXIES alone decides whose word counts for the client's address and scheme.
forwarded_allow_ips = ""

certfile = os.environ.get("WEB_CERTIFICATE") or None
keyfile = os.environ.get("WEB_CERTIFICATE_KEY") or None
# As at the firewall: forward secrecy and authenticated encryption alone (ASVS V12.1.2). Python takes TLS from 1.2 on.
ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"


# What the workers count for /metrics is written where each of them can read it (docs/operations.md).
def on_starting(server: Any) -> None:
    from bankproject.operations import worker_files

    worker_files.begin()
    _reload_only_with_right_settings(server)


def _reload_only_with_right_settings(server: Any) -> None:
    """Let SIGHUP with a wrong setting change nothing. gunicorn would end there and leave its workers without it."""
    reload = server.handle_hup

    def reload_if_right() -> None:
        if _are_settings_right():
            reload()
        else:
            server.log.error("A setting is wrong: nothing was reloaded, the old workers go on.")

    server.handle_hup = reload_if_right


def pre_fork(server: Any, worker: Any) -> None:
    from bankproject.operations import worker_files

    worker_files.choose_place(server, worker)


def post_fork(server: Any, worker: Any) -> None:
    from bankproject.operations import worker_files

    worker_files.take_place(worker)


def post_worker_init(worker: Any) -> None:
    """Mask what the worker writes: gunicorn names the address of a request that it cannot read or that failed."""
    from bankproject.operations import server_log

    server_log.take_over(worker.log.error_log)


def worker_abort(worker: Any) -> None:
    """Give up a request that took longer than `timeout`: the worker is killed a second later. By itself gunicorn would
    answer with a page of its own, 500."""
    from foundation import transactions

    transactions.give_up()


def on_exit(server: Any) -> None:
    from bankproject.operations import worker_files

    worker_files.end()
