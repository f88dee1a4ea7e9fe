"""The scripts that partition a bank on SQL Server by month cover the existing tables (docs/scaling.md, "By month").

No server runs them here: they are read by a parser of T-SQL, and compared with the models.
"""

import re
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db.models import Model
from sqlglot import exp, parse
from sqlglot.errors import ParseError

from audit.models import AuditEntry
from tests.tables import in_one_world
from transfers.models import Entry

PARTITIONED: dict[type[Model], str] = {Entry: "posted_at", AuditEntry: "at"}
SCRIPTS = ("next_months.sql", "partition_by_month.sql")
# Statements that the parser keeps as text, without looking into them.
UNREAD = r"(CREATE|ALTER) PARTITION (FUNCTION|SCHEME) bank_months\b"


@pytest.fixture
def texts(repository: Path) -> dict[str, str]:
    folder = repository / "deploy" / "sql-server"
    assert sorted(path.name for path in folder.iterdir()) == sorted(SCRIPTS)
    return {name: (folder / name).read_text(encoding="utf-8") for name in SCRIPTS}


def batches(text: str) -> list[str]:
    text = re.sub(r"^(--|:).*$", "", text, flags=re.MULTILINE).replace("$(FILEGROUP)", "PRIMARY")
    return [batch for part in re.split(r"^GO$", text, flags=re.MULTILINE) if (batch := part.strip())]


def commands_in(text: str) -> list[str]:
    trees = [tree for batch in batches(text) for tree in parse(batch, dialect="tsql")]
    assert None not in trees
    return [command.sql(dialect="tsql") for tree in trees if tree for command in tree.find_all(exp.Command)]


@in_one_world("name", SCRIPTS)
def test_a_parser_of_t_sql_reads_every_statement(name: str, texts: dict[str, str]) -> None:
    assert len(batches(texts[name])) >= 4
    assert [command for command in commands_in(texts[name]) if not re.match(UNREAD, command)] == []


def test_it_would_notice_a_text_that_is_not_a_statement() -> None:
    with pytest.raises(ParseError):
        commands_in("CREAT CLUSTERED INDEX x ON dbo.y (z)\nGO\n")
    assert commands_in("ALTER DATABASE bank SET RECOVERY SIMPLE") != []


def test_rows_lie_by_the_moment_that_the_models_have(texts: dict[str, str]) -> None:
    clustered = re.findall(
        r"CREATE CLUSTERED INDEX \w+ ON dbo\.(\w+) \((\w+), id\) ON bank_months \(\2\)", texts["partition_by_month.sql"]
    )
    assert clustered == [(model._meta.db_table, column) for model, column in PARTITIONED.items()]
    for model, column in PARTITIONED.items():
        field: Any = model._meta.get_field(column)
        assert (field.get_internal_type(), field.column, field.null) == ("DateTimeField", column, False)


def test_no_key_that_the_script_drops_is_one_that_others_point_to() -> None:
    """SQL Server would refuse to drop it."""
    pointing = {field.related_model for model in apps.get_models() for field in model._meta.fields}
    assert pointing & PARTITIONED.keys() == set()


def test_what_guards_the_balances_stays_whole(texts: dict[str, str]) -> None:
    """Unique (account, sequence) names no month: if it were split by months, a sequence could come twice."""
    assert "entry_account_sequence" not in texts["partition_by_month.sql"]
    assert ("account", "sequence") in [
        tuple(constraint.fields) for constraint in Entry._meta.constraints if hasattr(constraint, "fields")
    ]


def test_both_may_be_run_again(texts: dict[str, str]) -> None:
    made = re.findall(
        r"(IF NOT EXISTS \([^\n]*\)\s+(?:BEGIN\s)?[^;]*?)?\bCREATE (?:PARTITION|CLUSTERED)", "".join(texts.values())
    )
    assert len(made) == 4
    assert "WHILE @last < @end" in texts["next_months.sql"]
    assert "p.data_compression = 0" in texts["next_months.sql"]
