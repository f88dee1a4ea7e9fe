"""The security audit starts the bank as production would, and on bad secrets; it says what weakens it (R8.5, R8.7)."""

import os
from typing import Any

import pytest

from accounts import demo_people
from bankproject.security_audit import start
from bankproject.security_audit.results import State
from foundation.request_context import trusted_networks
from tests.asvs import proves
from tests.tables import in_one_world


def test_keys_for_a_trial_are_not_the_banks(settings: Any) -> None:
    environment = start.production_environment()
    assert environment["SECRET_KEY"] != settings.SECRET_KEY
    assert {"FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS"} <= set(start.key_rings())
    assert all(environment[ring] != os.environ[ring] for ring in start.key_rings())
    assert (environment["ENV_FILE"], environment["DEBUG"], environment["DEMO"]) == (os.devnull, "0", "0")


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
    settings.DEBUG = settings.DEMO = settings.SELF_SERVICE_CASH = False
    settings.TRUSTED_PROXIES = []


@pytest.mark.usefixtures("_at_home")
def test_where_nothing_is_switched_on_there_is_nothing_to_say() -> None:
    assert start.weakening().state == State.PASS


@proves("V15.2.3")
@pytest.mark.usefixtures("_at_home")
@in_one_world(
    ("name", "value", "said"),
    [
        ("DEBUG", True, "DEBUG is on"),
        ("DEMO", True, "DEMO is on"),
        ("SELF_SERVICE_CASH", True, "SELF_SERVICE_CASH is on"),
        ("TRUSTED_PROXIES", trusted_networks(["0.0.0.0/0"]), "trusts everybody"),
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


@proves("V6.3.2")
@pytest.mark.usefixtures("_at_home")
def test_people_with_public_passwords_are_found(settings: Any, make_user: Any) -> None:
    make_user("Alice", email=demo_people.EVERYBODY[0].email)
    assert start.weakening().state == State.INFORMATION
    settings.SITE_URL = "https://bank.example"
    assert "whose passwords are public" in start.weakening().details[0]
    assert start.weakening().state == State.FAIL
