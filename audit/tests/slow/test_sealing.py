"""Entries are sealed in hash-linked blocks, each once, however late they are committed (R6.3)."""

from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection

from audit import sealing
from audit.sealing import seal
from audit.tests.test_sealing import Entries


@pytest.mark.django_db(transaction=True)
def test_two_sealers_at_once_make_one_chain(entries: Entries, monkeypatch: pytest.MonkeyPatch, verify: Any) -> None:
    monkeypatch.setattr(sealing, "BLOCK_SIZE", 10)
    entries(200)
    together = Barrier(3)
    outcomes: list[int] = []
    escaped: list[Exception] = []

    def run() -> None:
        try:
            connection.ensure_connection()
            together.wait()
            outcomes.append(seal())
        except Exception as error:  # noqa: BLE001 - whatever escapes is what the test is about
            escaped.append(error)
        finally:
            connection.close()

    threads = [Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert escaped == []
    assert sum(outcomes) + seal() == 200
    assert "200 entries in 20 blocks. 0 entries are not" in verify()
