"""A sealed log to tamper with, and the commands that look at it."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit.actions import Action
from audit.models import AuditEntry
from audit.services import record
from tests.plugin import triggers_off


@pytest.fixture
def entries(db: Any) -> Callable[[int], list[AuditEntry]]:
    """Write some entries: `entries(3)`."""

    def write(count: int) -> list[AuditEntry]:
        return [
            record(Action.LOGIN_FAILURE, actor=None, actor_label=f"guess {number}", details={"b": 1, "a": number})
            for number in range(count)
        ]

    return write


@pytest.fixture
def verify() -> Callable[..., str]:
    """Run verify_audit_log; return what it says when all is well."""

    def run(*args: str) -> str:
        output = StringIO()
        call_command("verify_audit_log", *args, stdout=output, stderr=output)
        return output.getvalue()

    return run


@pytest.fixture
def found() -> Callable[..., str]:
    """Run verify_audit_log; return the faults that it names when it fails."""

    def run(*args: str) -> str:
        output = StringIO()
        with pytest.raises(CommandError, match="was tampered with") as error:
            call_command("verify_audit_log", *args, stdout=output, stderr=output)
        assert error.value.returncode == 1
        return output.getvalue().strip()

    return run


@pytest.fixture
def tamper() -> Callable[..., None]:
    """Run SQL on one row behind the bank's back, as an intruder who may drop triggers."""

    def run(sql: str, *params: Any) -> None:
        with triggers_off(), connection.cursor() as cursor:
            cursor.execute(sql, params)
            assert cursor.rowcount == 1

    return run
