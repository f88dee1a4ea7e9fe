"""docs/commands.md has each target of the Makefile and each command of manage.py, in their own words (R9.4)."""

import re
from pathlib import Path

import pytest

from tests.commands_document import DOCUMENT, commands, lists, names_of_commands, targets, written


def test_the_document_has_the_lists_that_the_code_makes() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert written(document) == document, "run python -m tests.commands_document --write"
    with pytest.raises(ValueError, match="lost its marks"):
        written(document.replace("<!-- end of commands -->", ""))


def test_every_command_of_the_bank_and_every_target_says_what_it_does(repository: Path) -> None:
    files = repository.glob("*/**/management/commands/[a-z]*.py")
    assert names_of_commands() == sorted(path.stem for path in files if ".venv" not in path.parts)
    assert {"help", "run", "test", "audit"} <= targets().keys()
    for usage, said in (commands() | targets()).items():
        assert re.match(r"[A-Z]\w+.* \w", said), usage
    assert all(text.count("\n") > 15 for _, text in lists())


def test_a_command_is_shown_with_what_it_takes() -> None:
    shown = commands()
    assert "replay_fraud_rules --since DATE [--until DATE]" in shown
    assert "export_audit_head [FILE]" in shown
    assert "security_audit [--strict] [--json] [--only NAME …] [--advisories URL]" in shown
    assert shown["verify_ledger [--processes N]"] == "Look at the whole ledger and name each row that does not add up"
