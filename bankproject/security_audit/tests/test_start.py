"""The security audit starts the bank as production would, and on bad secrets; it says what weakens it (R8.5, R8.7)."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from accounts import demo_people
from bankproject.security_audit import start
from bankproject.security_audit.programs import Ran
from bankproject.security_audit.results import State


@pytest.mark.slow
def test_the_defaults_of_the_bank_are_fit_for_production(repository: Path) -> None:
    """Although these tests themselves run with DEBUG on."""
    assert os.environ["DEBUG"] == "1"
    assert start.deploy(repository).state == State.PASS


@pytest.mark.slow
def test_what_is_set_here_and_weakens_production_is_found(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURE_COOKIES", "0")
    monkeypatch.setenv("SECURE_HSTS_SECONDS", "0")
    result = start.deploy(repository)
    assert result.state == State.FAIL
    for warning in ("security.W010", "security.W004"):
        assert any(warning in line for line in result.details), warning


def test_keys_for_a_trial_are_none_of_the_banks(settings: Any) -> None:
    environment = start.production_environment()
    assert environment["SECRET_KEY"] != settings.SECRET_KEY
    assert {"FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS"} <= set(start.key_rings())
    assert all(environment[ring] != os.environ[ring] for ring in start.key_rings())
    assert (environment["ENV_FILE"], environment["DEBUG"], environment["DEMO"]) == (os.devnull, "0", "0")


@pytest.mark.slow
def test_the_bank_starts_on_no_bad_secret(repository: Path) -> None:
    # R8.7
    result = start.refusals(repository)
    assert result.state == State.PASS, result.details


def test_a_bank_that_takes_bad_secrets_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(start, "run_python", lambda *args, **kwargs: Ran(status=0, out="", err=""))
    result = start.refusals(tmp_path)
    assert result.state == State.FAIL
    assert {"no SECRET_KEY", "Django's own SECRET_KEY", "FIELD_KEYS and LOOKUP_KEYS alike"} <= {
        line.replace("LOOKUP_KEYS and FIELD_KEYS", "FIELD_KEYS and LOOKUP_KEYS") for line in result.details
    }


@pytest.mark.slow
def test_a_bank_that_ends_for_another_reason_proves_nothing(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "bankproject").mkdir()
    shutil.copy(repository / "manage.py", tmp_path)
    (tmp_path / "bankproject" / "settings.py").write_text("raise RuntimeError('the disk is full')\n")
    result = start.refusals(tmp_path)
    assert (result.state, result.sentence) == (State.FAIL, "The bank does not start with production settings.")
    assert "the disk is full" in result.details[0]


def test_a_host_that_is_set_here_is_kept_and_one_is_made_up_where_there_is_none(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "alder.example")
    settings.ALLOWED_HOSTS = ["alder.example"]
    assert start.production_environment()["ALLOWED_HOSTS"] == "alder.example"
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
    settings.SITE_URL = "http://127.0.0.1:8000"
    made = start.production_environment()
    assert (made["ALLOWED_HOSTS"], made["SITE_URL"]) == ("bank.example", "https://bank.example")


# --- What weakens -----------------------------------------------------------------------------------------


@pytest.fixture
def _at_home(settings: Any, db: Any) -> None:
    """A developer's machine, nothing switched on."""
    settings.ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
    settings.SITE_URL = "http://127.0.0.1:8000"
    settings.DEBUG = settings.DEMO = False
    settings.TRUSTED_PROXIES = []


@pytest.mark.usefixtures("_at_home")
def test_where_nothing_is_switched_on_there_is_nothing_to_say() -> None:
    assert start.weakening().state == State.PASS


@pytest.mark.usefixtures("_at_home")
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DEBUG", True, "DEBUG is on"),
        ("DEMO", True, "DEMO is on"),
        ("TRUSTED_PROXIES", ["0.0.0.0/0"], "trusts everybody"),
    ],
)
def test_on_a_developers_machine_it_is_said_and_where_others_come_it_fails(
    settings: Any, name: str, value: Any, said: str
) -> None:
    setattr(settings, name, value)
    result = start.weakening()
    assert result.state == State.INFORMATION
    assert any(said in line for line in result.details)
    settings.ALLOWED_HOSTS = ["bank.example"]
    assert start.weakening().state == State.FAIL


@pytest.mark.usefixtures("_at_home")
def test_a_database_whose_certificate_is_not_looked_at_is_said(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", {"extra_params": "TrustServerCertificate=yes"})
    assert "certificate" in start.weakening().details[0]


@pytest.mark.usefixtures("_at_home")
def test_a_public_bank_whose_mails_lead_to_plain_http_fails(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["bank.example"]
    assert start.weakening().details == ("SITE_URL is plain HTTP: so are the links in mails.",)
    settings.SITE_URL = "https://bank.example"
    assert start.weakening().state == State.PASS


@pytest.mark.usefixtures("_at_home")
def test_a_bank_that_answers_to_any_name_fails(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert start.weakening().state == State.FAIL


@pytest.mark.usefixtures("_at_home")
def test_people_with_public_passwords_are_found(settings: Any, make_user: Any) -> None:
    make_user("Alice", email=demo_people.EVERYBODY[0].email)
    assert start.weakening().state == State.INFORMATION
    settings.SITE_URL = "https://bank.example"
    assert "whose passwords are public" in start.weakening().details[0]
    assert start.weakening().state == State.FAIL
