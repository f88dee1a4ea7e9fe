"""The parts of a connection to SQL Server that the bank's questions need."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

RIGHT = (True, 0, 2, 1, 160, "Latin1_General_100_CI_AS_SC", 16, 3)
APP = ("bank_app", 0, 0, 0)
# The words that identify each question.
_WORDS = {
    "database": "sys.databases",
    "login": "IS_SRVROLEMEMBER",
    "tables": "sys.tables",
    "triggers": "sys.triggers",
    "user": "PRINCIPAL_ID",
}


class Server:
    """Answers each question by the words in it; a fault is raised instead."""

    vendor, display_name, alias = "microsoft", "SQL Server", "default"

    def __init__(self, **answers: Any) -> None:
        self.settings_dict = {"OPTIONS": {"extra_params": answers.pop("extra_params", "Encrypt=yes")}}
        self.settings_dict["OPTIONS"] |= answers.pop("options", {})
        self.answers = {"sys.databases": [RIGHT], "IS_SRVROLEMEMBER": [APP], "sys.tables": []} | {
            _WORDS[name]: answer for name, answer in answers.items()
        }
        self.ran: list[tuple[str, Any]] = []
        self._rows: list[tuple[Any, ...]] = []

    @contextmanager
    def cursor(self) -> Iterator["Server"]:
        yield self

    def execute(self, sql: str, params: Any = None) -> None:
        self.ran.append((sql, params))
        answer: Any = next((rows for words, rows in self.answers.items() if words in sql), [])
        if isinstance(answer, Exception):
            raise answer
        self._rows = list(answer)

    def fetchone(self) -> Any:
        return self._rows[0]

    def fetchall(self) -> Any:
        return self._rows
