"""The security audit starts the bank as production would, and with bad secrets; it says what weakens the bank (R8.5,
R8.7)."""

import os
import shutil
from pathlib import Path

import pytest

from bankproject.security_audit import start
from bankproject.security_audit.results import State
from tests.asvs import proves


@proves("V13.4.2")
def test_the_defaults_of_the_bank_are_fit_for_production(repository: Path) -> None:
    """Although these tests themselves run with DEBUG on."""
    assert os.environ["DEBUG"] == "1"
    assert start.deploy(repository).state == State.PASS


@proves("V13.4.2")
def test_what_is_set_here_and_weakens_production_is_found(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURE_COOKIES", "0")
    monkeypatch.setenv("SECURE_HSTS_SECONDS", "0")
    result = start.deploy(repository)
    assert result.state == State.FAIL
    for warning in ("security.W010", "security.W004"):
        assert any(warning in line for line in result.details), warning


@proves("V13.2.3")
def test_the_bank_starts_on_no_bad_secret(repository: Path) -> None:
    # R8.7
    result = start.refusals(repository)
    assert result.state == State.PASS, result.details


def test_a_bank_that_takes_bad_secrets_is_found(tmp_path: Path) -> None:
    (tmp_path / "bankproject").mkdir()
    (tmp_path / "bankproject" / "settings.py").write_text("SECRET_KEY = 'whatever'\n")
    result = start.refusals(tmp_path)
    assert result.state == State.FAIL
    assert {"no SECRET_KEY", "Django's own SECRET_KEY", "FIELD_KEYS and LOOKUP_KEYS alike"} <= {
        line.replace("LOOKUP_KEYS and FIELD_KEYS", "FIELD_KEYS and LOOKUP_KEYS") for line in result.details
    }


def test_a_bank_that_ends_for_another_reason_proves_nothing(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "bankproject").mkdir()
    shutil.copy(repository / "manage.py", tmp_path)
    (tmp_path / "bankproject" / "settings.py").write_text("raise RuntimeError('the disk is full')\n")
    result = start.refusals(tmp_path)
    assert (result.state, result.sentence) == (State.FAIL, "The bank does not start with production settings.")
    assert "the disk is full" in result.details[0]
