"""Work that several processes share, each with its own connection to the database.

Processes are spawned, not forked: a connection must not be used on both sides of a fork. This module and its floor
import no models, since a process imports it before Django is set up.
"""

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import TypeVar

import django

P = TypeVar("P")
R = TypeVar("R")

_WAITING = 2  # parts that are ready for each process when it has finished one


def spread(act: Callable[[P], R], parts: Iterable[P], *, processes: int) -> Iterator[R]:
    """Yield what `act`, a function of a module, returns for each part, in order; `processes` run at once.

    A part is asked for shortly before it is needed. The processes end with this one, however it ends.

    Raises:
        concurrent.futures.BrokenExecutor: a process was killed.
    """
    waiting: deque[Future[R]] = deque()
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_begin)
    try:
        for part in parts:
            waiting.append(pool.submit(act, part))
            if len(waiting) > _WAITING * processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """Set up a process: Ctrl+C is for the parent, which ends its processes itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    django.setup()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
