"""What is done from the terminal: the first administrator, the demo's codes (R9.2)."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import TotpDevice, User
from accounts.people import first_administrator
from accounts.permission import administrators
from accounts.roles import Role
from audit.models import AuditEntry
from tests.acts import at_once
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What standard input holds."""

    def give(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return give


def bootstrap(email: str = "root@example.com", **options: Any) -> str:
    out = io.StringIO()
    call_command("bootstrap_admin", email, first_name="Ruth", stdout=out, **options)
    return out.getvalue()


@proves("V6.3.2")
def test_the_first_administrator_is_made_and_must_enrol(typed: Any, client: Any) -> None:
    # R9.2, R1.3
    typed(f"{PASSWORD}\n")
    assert "root@example.com can sign in now" in bootstrap("Root@Example.com", last_name="Rowe")
    user = User.objects.get()
    assert (user.email, user.role, user.get_full_name()) == ("root@example.com", Role.ADMIN, "Ruth Rowe")
    assert user.check_password(PASSWORD)
    assert not user.is_superuser
    assert not TotpDevice.objects.exists()
    entry = AuditEntry.objects.get(action="USER_CREATED")
    assert (entry.actor_label, entry.details, entry.concerns_id) == ("terminal", {"role": "Admin"}, user.pk)
    answer = client.post("/sign-in/", {"email": user.email, "password": PASSWORD})
    assert answer["Location"] == "/two-factor/enrol/"


@in_one_world(
    ("email", "password", "message"),
    [
        ("no address", PASSWORD, "valid email"),
        ("root@example.com", "short", "at least 12"),
        ("root@example.com", "root@example.com", "too similar"),
        ("root@example.com", "", "at least 12"),
    ],
)
def test_bad_input_makes_nobody(typed: Any, email: str, password: str, message: str) -> None:
    # R9.2
    typed(f"{password}\n")
    with pytest.raises(CommandError, match=message):
        bootstrap(email)
    assert not User.objects.exists()


@proves("V6.3.2")
def test_there_is_only_one_first_administrator(typed: Any, ada: Any, alice: Any) -> None:
    # R9.2: an administrator makes the others.
    typed(f"{PASSWORD}\n")
    with pytest.raises(CommandError, match="has an administrator already"):
        bootstrap()
    User.objects.filter(pk=ada.pk).update(is_active=False)
    typed(f"{PASSWORD}\n")
    with pytest.raises(CommandError, match=r"(?i)alice@example\.com is taken"):
        bootstrap("ALICE@example.com")
    alice.refresh_from_db()
    assert User.objects.get(pk=alice.pk).role == Role.CUSTOMER


def test_an_operator_makes_another_administrator_when_asked_to(typed: Any, ada: Any) -> None:
    # R5.8: who can at once be the second one, and counts as themselves.
    typed(f"{PASSWORD}\n")
    assert "root@example.com can sign in now" in bootstrap(another=True)
    another = User.objects.get(email="root@example.com")
    assert (another.role, User.objects.filter(groups__name="Admin").count()) == (Role.ADMIN, 2)
    assert administrators.others_than(ada, at=timezone.now()) == [another]
    typed(f"{PASSWORD}\n")
    with pytest.raises(CommandError, match="is taken"):
        bootstrap(another=True)


@pytest.mark.django_db(transaction=True)
def test_two_terminals_at_once_make_one() -> None:
    # R9.2
    def make(number: int) -> Any:
        return first_administrator.bootstrap_administrator(
            email=f"root{number}@example.com", first_name="Ruth", last_name="", password=PASSWORD
        )

    results = at_once(*[lambda n=number: make(n) for number in range(4)])
    assert [isinstance(result, User) for result in results].count(True) == 1
    assert User.objects.count() == 1


def test_at_a_terminal_the_password_is_asked_twice_and_not_echoed(monkeypatch: pytest.MonkeyPatch) -> None:
    # R9.2
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    answers = iter([PASSWORD, "something else", PASSWORD, PASSWORD])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    with pytest.raises(CommandError, match="not the same"):
        bootstrap()
    assert "can sign in now" in bootstrap()


def test_codes_are_printed_in_demo_mode_only(alice: Any, make_user: Any, settings: Any, code_of: Any) -> None:
    # R9.1
    with pytest.raises(CommandError, match="demo mode only"):
        call_command("demo_code", alice.email)
    settings.DEMO = True
    out = io.StringIO()
    call_command("demo_code", " Alice@Example.com", stdout=out)
    assert out.getvalue().strip() == code_of(alice)
    with pytest.raises(CommandError, match="No demo user"):
        call_command("demo_code", "nobody@example.com")
    make_user("Dora", two_factor=False)
    with pytest.raises(CommandError, match="sign in first"):
        call_command("demo_code", "dora@example.com")
