"""The time of a check does not reveal whether a user exists, while old hashes are replaced one by one (R1.2)."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher, make_password
from django.test import Client

from accounts.models import Registration, User
from accounts.people import registration
from accounts.sign_in.origin import Origin
from accounts.sign_in.passwords import change as passwords
from accounts.sign_in.passwords import hashing as password_hashing
from accounts.sign_in.passwords.hashing import check_and_renew, make_hash, matches
from audit.models import AuditEntry
from foundation.models import RateWindow
from tests.acts import (
    NEWCOMER,
    WRONG_PASSWORD,
    at_once,
    give_code,
    give_password,
    hashing,
    is_signed_in,
    link_for,
    register,
)
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

WEAKER = "argon2$argon2id$v=19$m=16,t=1,p=1"


@pytest.fixture(autouse=True)
def _cheap_pbkdf2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000)


@contextmanager
def work() -> Iterator[Counter[str]]:
    """Count how often each hasher runs meanwhile, to make a hash or to compare with one."""
    runs: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch:

        def count(hasher: type, name: str) -> None:
            original = getattr(hasher, name)

            def run(self: Any, *args: Any, **kwargs: Any) -> Any:
                runs[self.algorithm] += 1
                return original(self, *args, **kwargs)

            patch.setattr(hasher, name, run)

        count(Argon2PasswordHasher, "encode")
        count(Argon2PasswordHasher, "verify")
        count(PBKDF2PasswordHasher, "encode")  # which its verify calls
        yield runs


@pytest.fixture
def old(make_user: Callable[..., Any]) -> Any:
    """Return a user whose password was hashed by PBKDF2."""
    return with_hash(make_user("Olga"), make_password(PASSWORD, hasher="pbkdf2_sha256"))


def with_hash(user: Any, encoded: str) -> Any:
    User.objects.filter(pk=user.pk).update(password=encoded)
    user.refresh_from_db()
    return user


def weaker_hash(password: str = PASSWORD) -> str:
    """Return a hash by Argon2 with other parameters than the present ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Argon2PasswordHasher, "memory_cost", 16)
        return make_password(password)


def work_of_sign_in(email: str, password: str = WRONG_PASSWORD) -> Counter[str]:
    with work() as runs:
        give_password(Client(), email, password)
    return runs


# --- The same work for everybody ----------------------------------------------------------------------------


@proves("V6.3.8")
def test_while_an_old_hash_remains_everybodys_check_does_the_work_of_both(old: Any, alice: Any, bob: Any) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    people = [old.email, alice.email, bob.email, "nobody@example.com"]
    assert [work_of_sign_in(email) for email in people] == [Counter(argon2=1, pbkdf2_sha256=1)] * 4


def test_a_wrong_password_of_an_old_hash_renews_nothing(old: Any) -> None:
    give_password(Client(), old.email, WRONG_PASSWORD)
    assert User.objects.get(pk=old.pk).password == old.password


def test_once_the_last_old_hash_is_gone_a_check_is_one_run(old: Any, alice: Any) -> None:
    give_password(Client(), old.email)
    assert User.objects.get(pk=old.pk).password.startswith("argon2$")
    password_hashing.forget_kinds()  # a minute later
    for email in (old.email, alice.email, "nobody@example.com"):
        assert work_of_sign_in(email) == Counter(argon2=1)


def test_other_parameters_of_argon2_are_another_kind(alice: Any, bob: Any, old: Any) -> None:
    assert weaker_hash().startswith(WEAKER)
    with_hash(bob, weaker_hash())
    for email in (alice.email, bob.email, old.email, "nobody@example.com"):
        assert work_of_sign_in(email) == Counter(argon2=2, pbkdf2_sha256=1)
    give_password(Client(), bob.email)
    assert not User.objects.get(pk=bob.pk).password.startswith(WEAKER)


def test_a_registration_that_waits_with_an_old_hash_counts_too(alice: Any, client: Client) -> None:
    register(client)
    Registration.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))
    assert work_of_sign_in(alice.email) == Counter(argon2=1, pbkdf2_sha256=1)
    token = link_for(NEWCOMER["email"]).strip("/").rpartition("/")[2]
    with work() as runs, pytest.raises(registration.WrongPassword):
        registration.confirm(token=token, password=WRONG_PASSWORD, ip=None)
    assert runs == Counter(argon2=1, pbkdf2_sha256=1)
    user = registration.confirm(token=token, password=PASSWORD, ip=None)
    give_password(Client(), user.email)
    assert User.objects.get(pk=user.pk).password.startswith("argon2$")


def test_the_password_of_somebody_signed_in_costs_the_same(old: Any, alice: Any) -> None:
    for user in (old, alice):
        with work() as runs, pytest.raises(passwords.WrongCurrentPassword):
            passwords.check_own_password(actor=user, password=WRONG_PASSWORD, origin=Origin())
        assert runs == Counter(argon2=1, pbkdf2_sha256=1)


def test_the_database_is_looked_at_once_a_minute(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(password_hashing.time, "monotonic", lambda: clock[0])
    password_hashing.forget_kinds()
    with django_assert_num_queries(2):  # users, registrations
        matches(alice.password, PASSWORD)
    with django_assert_num_queries(0):
        matches(alice.password, PASSWORD)
        matches(None, PASSWORD)
    clock[0] += 60
    with django_assert_num_queries(2):
        matches(None, PASSWORD)


def test_an_old_hash_that_came_since_the_last_look_is_seen_at_once(alice: Any, bob: Any) -> None:
    assert work_of_sign_in(alice.email) == Counter(argon2=1)
    with_hash(bob, make_password(PASSWORD, hasher="pbkdf2_sha256"))
    assert give_password(Client(), bob.email, WRONG_PASSWORD).status_code == 200
    assert work_of_sign_in(alice.email) == Counter(argon2=1, pbkdf2_sha256=1)


def test_of_many_old_kinds_five_are_evened_out(alice: Any, make_user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bank has had two or three; a check must not become a hundred runs."""
    for number in range(7):
        monkeypatch.setattr(PBKDF2PasswordHasher, "iterations", 1000 + number)
        with_hash(make_user(f"Olga{number}"), make_password(PASSWORD, hasher="pbkdf2_sha256"))
    for email in (alice.email, "nobody@example.com"):
        assert work_of_sign_in(email) == Counter(argon2=1, pbkdf2_sha256=5)


@in_one_world("encoded", ["", "!", "!unusable", "argon2$", "pbkdf2_sha256$1$x", "md5$a$b", "plain text"])
def test_anything_except_a_hash_matches_nothing_and_costs_a_run(alice: Any, encoded: str) -> None:
    with_hash(alice, encoded)
    for password in ("", encoded, PASSWORD):
        assert not alice.check_password(password)
    assert work_of_sign_in(alice.email) == Counter(argon2=1)
    assert work_of_sign_in("nobody@example.com") == Counter(argon2=1)


# --- Renewing ----------------------------------------------------------------------------------------------


def test_a_renewed_hash_keeps_the_session_that_asked_and_does_not_change_the_password(
    old: Any, browser_of: Any
) -> None:
    browser = browser_of(old)
    answer = browser.post("/password/", {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"})
    assert answer.status_code == 200
    browser.post("/profile/email/", {"email": "new@example.com", "password": PASSWORD, "code": "000000"})
    assert User.objects.get(pk=old.pk).password.startswith("argon2$")
    assert is_signed_in(browser)
    assert not AuditEntry.objects.filter(action="PASSWORD_CHANGED").exists()


def test_signing_in_with_an_old_hash_goes_through(old: Any, client: Client, code_of: Any) -> None:
    give_password(client, old.email)
    give_code(client, code_of(old))
    assert is_signed_in(client)
    assert User.objects.get(pk=old.pk).check_password(PASSWORD)


@proves("V11.4.2")
def test_a_password_changed_meanwhile_is_not_overwritten(old: Any) -> None:
    stale = User.objects.get(pk=old.pk)
    new = make_hash("four blue lamps and a heron")
    User.objects.filter(pk=old.pk).update(password=new)
    assert stale.check_password(PASSWORD), "it was right when it was read"
    assert User.objects.get(pk=old.pk).password == new


@pytest.mark.django_db(transaction=True)
def test_parallel_right_passwords_renew_once_and_all_get_in(old: Any) -> None:
    answers = at_once(*[lambda: give_password(Client(), old.email).status_code] * 4)
    assert answers == [302] * 4
    assert User.objects.get(pk=old.pk).check_password(PASSWORD)


# --- Spelling and length ------------------------------------------------------------------------------------


COMPOSED, APART = "Amélie et les lampes", "Ame\u0301lie et les lampes"
SPELLINGS = ((COMPOSED, APART), (APART, COMPOSED), ("four ｂｌｕｅ lamps", "four blue lamps"))


@proves("V6.2.8")
def test_two_spellings_are_two_passwords(alice: Any) -> None:
    # Verified exactly as received: neither composed, nor of another width, case or length, nor without blanks.
    others = (("four blue lamps", "Four blue lamps"), ("  four blue lamps", "four blue lamps"))
    for set_as, given_as in (*SPELLINGS, *others):
        alice.set_password(set_as)
        alice.save()
        RateWindow.objects.all().delete()
        assert not alice.check_password(given_as)
        assert give_password(Client(), alice.email, given_as).status_code == 200
        assert give_password(Client(), alice.email, set_as)["Location"] == "/sign-in/code/"


@proves("V6.2.8")
def test_every_way_to_set_one_hashes_it_as_it_came(client: Client, alice: Any, browser_of: Any) -> None:
    register(client, password1=APART, password2=APART)
    encoded = Registration.objects.get().password
    assert (matches(encoded, APART), matches(encoded, COMPOSED)) == (True, False)
    fields = {"old_password": PASSWORD, "new_password1": APART, "new_password2": APART}
    browser_of(alice).post("/password/", fields)
    changed = User.objects.get(pk=alice.pk)
    assert (changed.check_password(APART), changed.check_password(COMPOSED)) == (True, False)


def test_a_spelling_costs_one_run_whatever_its_letters(old: Any, alice: Any) -> None:
    for email in (old.email, alice.email, "nobody@example.com"):
        for password in (APART, COMPOSED):
            assert work_of_sign_in(email, password) == Counter(argon2=1, pbkdf2_sha256=1)
    with_hash(old, make_password(APART, hasher="pbkdf2_sha256"))
    assert give_password(Client(), old.email, APART).status_code == 302
    old.refresh_from_db()
    assert old.password.startswith("argon2$")
    assert old.check_password(APART), "renewed as it was typed"


@in_one_world("password", ["x" * 257, "x" * 10_000_000, "half a \ud800 character"])
def test_what_nobody_can_have_chosen_is_never_hashed_but_costs_the_same(alice: Any, password: str) -> None:
    hashed: list[str] = []
    original = Argon2PasswordHasher.verify

    def verify(self: Any, given: str, encoded: str) -> bool:
        hashed.append(given)
        return original(self, given, encoded)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Argon2PasswordHasher, "verify", verify)
        assert not alice.check_password(password)
        assert not matches(None, password)
    assert hashed == ["", ""]
    with pytest.raises(ValueError, match="cannot be a password"):
        make_hash(password)
    with_hash(alice, make_password(""))
    assert not alice.check_password(password)


def test_no_password_at_all(alice: Any) -> None:
    alice.set_password(None)
    assert not alice.has_usable_password()
    assert not alice.check_password(None)
    assert not check_and_renew(None, PASSWORD, renew=lambda encoded: pytest.fail("nobody's"))


def test_the_hasher_is_asked_for_a_new_hash_only_where_one_is_needed(alice: Any, old: Any) -> None:
    with hashing() as runs:
        assert alice.check_password(PASSWORD)
        assert old.check_password(PASSWORD)
    assert runs.count("encode") == 1
