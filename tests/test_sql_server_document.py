"""docs/sql-server.md and its script say what the code does (R9.3)."""

import re
from pathlib import Path

import pytest
from sqlglot import parse_one
from sqlglot.tokens import Tokenizer

from bankproject.sql_server import checks
from tests.asvs import proves
from tests.tables import in_one_world


@pytest.fixture
def document(repository: Path) -> str:
    return (repository / "docs" / "sql-server.md").read_text(encoding="utf-8")


@pytest.fixture
def script(repository: Path) -> str:
    text = (repository / "deploy" / "compose" / "create_database.sql").read_text(encoding="utf-8")
    return re.sub(r"--.*", "", text)


def batches(script: str) -> list[str]:
    return [batch.strip() for batch in re.split(r"^GO$", script.replace(":on error exit", ""), flags=re.MULTILINE)]


def test_every_fault_that_is_looked_for_is_in_the_table(document: str) -> None:
    source = Path(checks.__file__).read_text(encoding="utf-8")
    known = set(re.findall(r'id="(sql_server\.\w+)"', source))
    assert len(known) == 14
    assert set(re.findall(r"`(sql_server\.\w+)`", document)) == known


def test_every_file_and_command_that_it_names_is_there(document: str, repository: Path) -> None:
    from django.core.management import get_commands

    files = re.findall(r"`((?:deploy|accounts|bankproject)/[\w/.]+)`", document)
    assert files
    assert [name for name in files if not (repository / name).exists()] == []
    commands = set(re.findall(r"manage\.py (\w+)", document))
    assert {"migrate", "deny_changes", "check"} <= commands <= get_commands().keys()


@proves("V13.2.2")
def test_the_worker_gets_rows_and_the_migrating_login_this_database(script: str) -> None:
    # R9.3: least privilege.
    roles = set(re.findall(r"ALTER (?:SERVER )?ROLE (\w+) ADD MEMBER (\w+)", script))
    assert roles == {("db_datareader", "bank_app"), ("db_datawriter", "bank_app"), ("db_owner", "bank_migrate")}
    grants = set(re.findall(r"GRANT ([A-Z ]+) TO (\w+)", script))
    assert grants == {
        ("VIEW DEFINITION", "bank_app"),
        ("VIEW SERVER SECURITY STATE", "bank_migrate"),
        ("VIEW SERVER STATE", "bank_migrate"),
    }


def test_no_password_stands_in_the_script(script: str, repository: Path) -> None:
    # R8.7
    given = re.findall(r"PASSWORD = N('[^']*')", script)
    assert set(given) == {"'$(BANK_DB_PASSWORD)'", "'$(BANK_MIGRATE_PASSWORD)'"}
    assert "CRYPT_GEN_RANDOM" in script, "the password that nobody needs is nobody's"
    compose = (repository / "docker-compose.yml").read_text(encoding="utf-8")
    assert all(f"${{{name}:?" in compose for name in re.findall(r"\$\((\w+)\)", script))


def test_the_script_may_be_run_again(script: str) -> None:
    """A statement that makes something first checks whether it exists; settings are set again."""
    for batch in batches(script):
        for statement in re.findall(r"(?:(\w[^;]*?)\s+)?\b(CREATE (?:DATABASE|LOGIN|USER|CERTIFICATE)\b)", batch):
            assert re.search(r"\bIF\b|\bELSE\b", statement[0]), batch


@in_one_world("wanted", ["READ_COMMITTED_SNAPSHOT ON", "ENCRYPTION ON", "RECOVERY FULL", "PAGE_VERIFY CHECKSUM"])
def test_the_script_sets_what_the_checks_ask_for(script: str, wanted: str) -> None:
    assert f"SET {wanted}" in script


def test_a_parser_reads_every_part_of_the_script_that_it_knows(script: str) -> None:
    """sqlglot reads the conditions; statements of administration it keeps as text."""
    conditions = re.findall(r"EXISTS \((SELECT .*?)\)(?=\s)", script)
    assert len(conditions) >= 8
    for condition in conditions:
        assert parse_one(condition, dialect="tsql")
    for batch in batches(script):
        assert list(Tokenizer(dialect="tsql").tokenize(batch)) is not None
