"""One network tries a password on everybody: its wrong ones are counted too, before the hasher runs (R1.4, R7.4)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.sign_in import guesses
from audit.models import AuditEntry
from tests.acts import WRONG_PASSWORD, give_code, give_password, hashing, is_signed_in
from tests.api_client import told
from tests.asvs import proves
from tests.plugin import PASSWORD

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
HERE, ELSEWHERE = "198.51.100.7", "203.0.113.1"
MANY = 8


@pytest.fixture(autouse=True)
def _few(settings: Any) -> None:
    settings.GUESSES_PER_NETWORK = MANY
    settings.API_LOGINS_PER_MINUTE = 1000


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def spray(number: int, ip: str = HERE) -> Any:
    return give_password(Client(REMOTE_ADDR=ip), f"victim{number}@example.com", WRONG_PASSWORD)


def by_api(api_of: Any, email: str, ip: str = HERE, **more: str) -> Any:
    return api_of(None, REMOTE_ADDR=ip).post("auth/login", {"email": email, "code": "111111"} | more)


@proves("V6.3.1")
def test_after_so_many_wrong_ones_nobody_signs_in_from_there_for_a_while(
    alice: Any, code_of: Any, api_of: Any, clock: Any
) -> None:
    with hashing() as runs:
        for number in range(MANY - 1):
            assert spray(number).status_code == 200
        answers = [spray(number) for number in range(MANY - 1, MANY + 20)]
        assert give_password(Client(REMOTE_ADDR=HERE), alice.email).status_code == 429
        assert told(by_api(api_of, alice.email, password=PASSWORD)) == (429, "locked_out")
    assert len(runs) == MANY
    assert {(answer.status_code, answer["Retry-After"]) for answer in answers} == {(429, "600")}
    assert "Sign-in is paused" in answers[-1].content.decode()
    [entry] = AuditEntry.objects.filter(action="LOCKED_OUT")
    assert (entry.actor_label, entry.details) == (HERE, {"whole_network": True})
    assert give_password(Client(REMOTE_ADDR=ELSEWHERE), alice.email).status_code == 302
    clock.shift(timedelta(minutes=10, seconds=1))
    assert give_password(Client(REMOTE_ADDR=HERE), alice.email).status_code == 302


def test_an_unchecked_guess_does_not_count_at_that_address(alice: Any, clock: Any) -> None:
    for number in range(MANY + 5):
        spray(number)
    for _ in range(10):
        assert give_password(Client(REMOTE_ADDR=HERE), alice.email).status_code == 429
    assert guesses.seconds_locked(email=alice.email, ip=HERE) == 0


@proves("V6.3.1", "V6.3.4")
def test_form_and_api_pin_and_password_share_the_count(alice: Any, api_of: Any, settings: Any, clock: Any) -> None:
    settings.API_PIN_LOGIN = True
    for number in range(0, MANY, 2):
        spray(number)
        more = {"pin": "805913"} if number % 4 else {"password": WRONG_PASSWORD}
        by_api(api_of, f"other{number}@example.com", **more)
    with hashing():
        assert spray(99).status_code == 429
    for email in (alice.email, "nobody@example.com"):
        for more in ({"pin": "805913"}, {"password": PASSWORD}):
            assert told(by_api(api_of, email, **more)) == (429, "locked_out")


@proves("V6.1.1")
def test_customers_behind_one_address_do_not_add_up(alice: Any, bob: Any, code_of: Any, clock: Any) -> None:
    # Right ones give their place back, and the codes of a person whose password was right count only for them.
    for _ in range(MANY * 2):
        for person in (alice, bob):
            assert give_password(Client(REMOTE_ADDR=HERE), person.email).status_code == 302
    browser = Client(REMOTE_ADDR=HERE)
    give_password(browser, alice.email)
    for number in range(MANY):
        spray(number)
    give_code(browser, code_of(alice))
    assert is_signed_in(browser)


def test_one_that_is_locked_out_already_no_longer_counts_for_its_network(alice: Any, bob: Any, clock: Any) -> None:
    for _ in range(MANY * 3):
        give_password(Client(REMOTE_ADDR=HERE), alice.email, WRONG_PASSWORD)
    assert give_password(Client(REMOTE_ADDR=HERE), bob.email).status_code == 302


def test_a_network_of_version_6_is_one(clock: Any) -> None:
    for number in range(MANY):
        answer = spray(number, ip=f"2001:db8:0:1::{number:x}")
    assert answer.status_code == 429
