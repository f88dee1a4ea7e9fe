"""docs/settings.md has each setting once, with what the code takes and has as its default (R9.1)."""

import re
from pathlib import Path

import pytest

from bankproject.web_server import read_settings
from tests.setting_names import variables_read_by_settings
from tests.settings_document import DOCUMENT, END, faults, generated, rows, table, written


@pytest.fixture
def document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def test_every_setting_has_its_row_as_in_the_code(document: str) -> None:
    assert {"SECRET_KEY", "FIELD_KEYS", "DEBUG", "DATABASE_URL", "MSSQL_DRIVER", "LOG_FILE"} <= rows(document).keys()
    assert faults(document) == []
    assert rows(document).keys() == variables_read_by_settings()


def test_what_differs_is_named_and_put_right(document: str) -> None:
    row = "`HOLD_EXPIRES_DAYS`|1–365 (`14`)|"
    assert row in document
    wrong = document.replace(row, "`HOLD_EXPIRES_DAYS`|number (`15`)|")
    (fault,) = faults(wrong)
    assert fault.startswith("HOLD_EXPIRES_DAYS: number (`15`), and the code has 1–365 (`14`);")
    assert written(wrong) == written(document) == document


def test_a_row_that_is_missing_too_many_empty_or_there_twice_is_named(document: str) -> None:
    (line,) = re.findall(r"^`BANK_NAME`\|.*\n", document, re.MULTILINE)
    assert faults(document.replace(line, "")) == ["BANK_NAME: no row; add one that says what it is for"]
    assert faults(document.replace(line, line + "`BANK_COLOUR`|text (none)|walls\n")) == [
        "BANK_COLOUR: a row, and no such setting"
    ]
    empty = line.rsplit("|", 1)[0] + "|\n"
    assert faults(document.replace(line, empty)) == ["BANK_NAME: the row has not two cells after its name"]
    with pytest.raises(ValueError, match="BANK_NAME"):
        rows(document.replace(line, line + line))


def test_types_bounds_and_defaults_are_said_in_words() -> None:
    said = generated()
    assert said["SECRET_KEY"] == "text (required)"
    assert said["SELF_SERVICE_CASH"] == "on/off (off; demo: on)"
    assert said["SECURE_HSTS_SECONDS"] == "0–63072000 (`31536000`; debug: `0`)"
    assert said["TRANSFERS_PER_MINUTE"] == "≥1 (`5`)"
    assert (said["MSSQL_DRIVER"], said["LOG_FILE"]) == ("`mssql_python`, `pyodbc` (`mssql_python`)", "path (none)")


def test_the_table_has_every_setting_that_the_source_asks_for() -> None:
    """No call is left out in some environment: what nobody walks, nobody tries with a wrong value."""
    assert table().keys() == variables_read_by_settings()


def test_the_variables_of_the_web_server_are_those_it_reads_and_tries(document: str, repository: Path) -> None:
    read = set(re.findall(r'environ\.get\("(\w+)"', (repository / "deploy/gunicorn.conf.py").read_text("utf-8")))
    others = document.partition(END)[2]
    assert set(re.findall(r"`(WEB_\w+)`", others)) == read == read_settings().keys()
