"""What an entry reports is compared with what is stored elsewhere, by the app that stores it (R6.3)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError

from audit import evidence
from audit.models import AuditEntry
from audit.sealing import seal
from audit.verification import faults

ENTRY = AuditEntry._meta.db_table


@pytest.fixture(autouse=True)
def log(entries: Callable[[int], list[AuditEntry]]) -> list[AuditEntry]:
    """Twelve entries without evidence, sealed."""
    made = entries(12)
    seal()
    return made


def reporting(subject_type: str) -> AuditEntry:
    entry = AuditEntry(action="TRANSFER_CREATED", actor_label="x", subject_type=subject_type, evidence_digest="f" * 64)
    entry.save()
    return entry


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_checks", {})


def test_what_others_say_of_the_evidence_is_named(registry: None, found: Any) -> None:
    seen: list[int] = []
    entry = reporting("parcel")

    def check(entries: Any) -> dict[int, str]:
        seen.extend(entry.pk for entry in entries)
        return {entry.pk: "it is empty"}

    evidence.register("parcel", check)
    seal()
    assert found() == f"entry {entry.pk} (block 2, position 1) reports what is not so: it is empty"
    assert seen == [entry.pk], "only entries with evidence are asked about"


def test_evidence_that_nobody_can_check_is_named(registry: None, found: Any) -> None:
    entry = reporting("parcel")
    seal()
    assert found().startswith(f"entry {entry.pk} (block 2, position 1) reports what is not so: nobody can check")


def test_a_check_that_stumbles_over_one_entry_still_answers_for_the_others(
    registry: None, log: list[AuditEntry], tamper: Any, found: Any
) -> None:
    parcels = [reporting("parcel") for _ in range(3)]

    def check(entries: Any) -> dict[int, str]:
        if parcels[1].pk in {entry.pk for entry in entries}:
            raise LookupError("no such shelf")
        return {entry.pk: "it is empty" for entry in entries if entry.pk == parcels[2].pk}

    evidence.register("parcel", check)
    seal()
    tamper(f"UPDATE {ENTRY} SET action = 'LOGOUT' WHERE id = %s", log[5].pk)
    assert found().startswith(f"entry {log[5].pk} ")
    assert found("--all").splitlines()[1:] == [
        f"entry {parcels[1].pk} (block 2, position 2) reports what is not so: "
        "its evidence could not be checked (LookupError: no such shelf)",
        f"entry {parcels[2].pk} (block 2, position 3) reports what is not so: it is empty",
    ]


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
def test_a_database_that_does_not_answer_is_not_a_fault_of_an_entry(registry: None, error: Any) -> None:
    def check(entries: Any) -> dict[int, str]:
        raise error("the server went away")

    evidence.register("parcel", check)
    reporting("parcel")
    seal()
    with pytest.raises(error):
        list(faults())


def test_the_evidence_of_a_type_has_one_check(registry: None) -> None:
    def check(entries: Any) -> dict[int, str]:
        return {}

    evidence.register("parcel", check)
    evidence.register("parcel", check)
    with pytest.raises(ValueError, match="has its check already"):
        evidence.register("parcel", lambda entries: {})
