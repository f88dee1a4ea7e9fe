"""An address finds its owner by one spelling alone, whatever the database takes for equal (R1.2, R1.4)."""

import logging
import unicodedata
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.db.models.query import QuerySet
from django.test import Client

from accounts.forms import EmailChangeForm, ForgottenPasswordForm, RegistrationForm, SignInForm
from accounts.models import PasswordReset, User
from accounts.people import email_change, registration
from accounts.sign_in.axes import email_of, identity_of
from accounts.sign_in.emails import is_plain, user_by_email
from accounts.sign_in.guesses import NOBODY
from accounts.sign_in.passwords import reset as password_reset
from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests.acts import NEWCOMER, WRONG_PASSWORD, give_password, hashing, mails_of
from tests.api_client import told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

HERE = "198.51.100.7"
ODD = [
    "alice@example.com\u200b",
    "al\u00adice@example.com",
    "alice@example.com\ufeff",
    "alice@ｅxample.com",
    "ａlice@example.com",
    "\u202ealice@example.com",
]


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give look-ups a collation that ignores case, width and zero-width characters, like SQL Server's usual one."""

    def seen(text: str) -> str:
        return "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")

    for name in ("filter", "get"):
        original = getattr(QuerySet, name)

        def look(self: Any, *args: Any, original: Any = original, **wanted: Any) -> Any:
            if self.model is User and "email" in wanted:
                wanted["email"] = seen(wanted["email"]).lower()
            return original(self, *args, **wanted)

        monkeypatch.setattr(QuerySet, name, look)


@proves("V2.2.1")
@pytest.mark.usefixtures("blind")
@in_one_world("typed", ODD)
def test_an_address_that_only_the_database_takes_for_hers_is_not_hers(alice: Any, typed: str) -> None:
    assert User.objects.filter(email=typed).exists(), "the imitated collation"
    assert user_by_email(typed) is None
    assert user_by_email(" Alice@Example.COM ") == alice
    with pytest.raises(User.DoesNotExist):
        User.objects.get_by_natural_key(typed)
    assert User.objects.get_by_natural_key(" Alice@Example.COM ") == alice


@proves("V6.3.1")
@pytest.mark.usefixtures("blind")
def test_invisible_characters_give_no_new_guesses(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the form's own check: the look-up must hold alone.
    monkeypatch.setattr("accounts.forms.is_plain", lambda text: True)
    with hashing():
        for number in range(1, 40):
            give_password(Client(REMOTE_ADDR=HERE), alice.email + "\u200b" * number, WRONG_PASSWORD)
        found = give_password(Client(REMOTE_ADDR=HERE), alice.email + "\u200b" * 41)
    assert found.status_code == 200, "not even the right password gets in"
    assert not AuditEntry.objects.filter(action="LOGIN_FAILURE", concerns_id=alice.pk).exists()


@proves("V2.2.1")
@pytest.mark.usefixtures("blind")
def test_nothing_else_finds_her_by_such_an_address(alice: Any, bob: Any, api_of: Any, settings: Any) -> None:
    settings.API_PIN_LOGIN = True
    typed = "alice@example.com\u200b"
    password_reset.request_reset(email=typed, ip=HERE)
    assert not PasswordReset.objects.exists()
    assert mails_of("locked_out", email=typed, at="2026-11-03T12:00:00+00:00", network=HERE, minutes=10) == []
    [mail] = mails_of("password_reset_notice", email=typed)
    assert mail.context == {"email": typed, "known": False}
    email_change._request(bob, typed)
    registration._register(
        **{name: NEWCOMER[name] for name in ("first_name", "last_name", "phone", "address")},
        email=typed,
        password_hash="x",
    )
    assert OutboxMessage.objects.filter(event__in=("email_change_taken", "registration_taken")).count() == 0


@proves("V2.2.1")
@in_one_world("typed", [*ODD, "alice\u2003@example.com"])
def test_no_form_takes_it_and_no_route(alice: Any, api_of: Any, typed: str) -> None:
    assert not is_plain(typed)
    for form in (SignInForm, RegistrationForm, ForgottenPasswordForm, EmailChangeForm):
        assert "email" in form({"email": typed, "password": PASSWORD}).errors, form
    with hashing() as runs:
        give_password(Client(), typed)
        answer = api_of(None).post("auth/login", {"email": typed, "password": PASSWORD, "code": "123456"})
    assert runs == []
    assert told(answer) == (422, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["email"]


@in_one_world("typed", ["alice@example.com", " Alice@Example.com ", "o'hara+bank@sub.example.co.uk", "é@x.ch"])
def test_what_has_one_spelling_is_plain(typed: str) -> None:
    assert is_plain(typed)


# --- Recorded parts of the typed text -------------------------------------------------------------------------


@in_one_world("typed", ["My$ecret-Passw0rd!", "hunter@2hunter2", "four blue lamps", "a@b@c.ch", ""])
def test_axes_keeps_nothing_that_looks_like_no_address(db: Any, api_of: Any, typed: str) -> None:
    # R8.2: people type passwords into that field.
    assert email_of(None, {"username": typed}) == NOBODY
    if len(typed) > 2:
        api_of(None).post("auth/login", {"email": typed, "password": "x", "code": "111111"})
        api_of(None).post("auth/login", {"email": typed, "password": "x", "code": "111111"})
    assert set(AccessAttempt.objects.values_list("username", flat=True)) <= {NOBODY}
    assert set(AuditEntry.objects.values_list("actor_label", flat=True)) <= {"unknown"}


def test_the_guess_counters_tell_such_texts_apart_all_the_same() -> None:
    # R1.4: otherwise all of them would lock each other.
    assert identity_of(None, {"username": "hunter@2hunter2"}) == "hunter@2hunter2"
    assert identity_of(None, {"email": " A@example.com"}) == "a@example.com"


def test_no_log_tells_who_failed_from_where(alice: Any, client: Client, settings: Any) -> None:
    # axes says both at WARNING.
    assert settings.LOGGING["loggers"]["axes"] == {"level": "ERROR"}
    assert not logging.getLogger("axes.handlers.database").isEnabledFor(logging.WARNING)
