"""`manage.py verify_audit_log` names the first altered, missing or inserted entry, and nothing else (R6.3)."""

import tracemalloc
from collections.abc import Callable

import pytest
from django.db import connection

from audit import sealing
from audit.models import AuditEntry
from audit.sealing import seal
from audit.tests.test_verification import ENTRY
from audit.verification import faults
from foundation import slices


@pytest.fixture(autouse=True)
def log(entries: Callable[[int], list[AuditEntry]], monkeypatch: pytest.MonkeyPatch) -> list[AuditEntry]:
    """Twelve entries, sealed in blocks of four, read by threes."""
    monkeypatch.setattr(sealing, "BLOCK_SIZE", 4)
    monkeypatch.setattr(slices, "BATCH", 3)
    made = entries(12)
    seal()
    return made


def test_a_long_log_is_verified_in_constant_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    AuditEntry.objects.bulk_create([AuditEntry(action="LOGOUT", actor_label=str(n)) for n in range(12_488)])
    columns = ", ".join(
        field.column for field in AuditEntry._meta.concrete_fields if field.column and not field.primary_key
    )
    for _ in range(3):
        connection.cursor().execute(f"INSERT INTO {ENTRY} ({columns}) SELECT {columns} FROM {ENTRY}")
    seal()

    heard: list[int] = []

    def progress(blocks: int, entries: int) -> None:
        heard.append(entries)
        if blocks == 83:  # tracing is slow, and the 20,000 kept results would count as memory, too
            tracemalloc.start()

    found = list(faults(progress=progress))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == []
    assert heard[-1] == 100_000
    assert 0 < peak < 5_000_000
