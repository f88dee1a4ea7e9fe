"""Guessing leads nowhere: passwords, codes, recovery codes (R1.2 to R1.5; issue 5, Shows 1 and 4).

One counter for each e-mail address and network, taken before a guess is looked at. In the order of the list: how many
guesses are checked, from where, by which way in; whom a lockout locks, and whom not. Other files have more tests:
`accounts/tests/test_lockout.py` (the counter), `test_sign_in.py` (one message for every failure), `test_two_factor.py`
(codes), `test_authenticator.py` and `test_pin.py` (codes given again), `test_staff_locking.py` (administrators' locks).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.hashers import make_password
from django.test import Client

from accounts import people
from accounts.models import RecoveryCode, User
from tests.acts import WRONG_PASSWORD, give_code, give_password, hashing, is_signed_in, wrong_code_for
from tests.asvs import proves
from tests.staff_acts import REASON, an_origin, fresh_code
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
HERE, ELSEWHERE, PROXY = "203.0.113.1", "198.51.100.2", "10.0.0.1"
LIMIT = 5  # AXES_FAILURE_LIMIT


def guess(client: Client, address: str = "/sign-in/", email: str = "alice@example.com", **extra: Any) -> int:
    """Send one wrong password to a way in: its fields as the bank's page and as Django's admin page name them."""
    data = {"email": email, "username": email, "password": WRONG_PASSWORD}
    return client.post(address, data, **extra).status_code


# --- Forty at once are five ---------------------------------------------------------------------------------


@proves("V6.3.4")
def test_the_admins_sign_in_address_looks_at_no_password(alice: Any, ada: Any) -> None:
    # It leads home, and home to the bank's own form: there is one way in, with one counter.
    with hashing() as runs:
        for person in (alice, ada):
            for address in ("/admin/login/", "/admin/login/?next=/admin/", "/admin/"):
                data = {"username": person.email, "email": person.email, "password": WRONG_PASSWORD}
                answer = Client().post(address, data)
                assert answer.status_code == 302
                assert answer["Location"] in ("/", "/sign-in/")
    assert runs == []


# --- Every way to guess counts together ---------------------------------------------------------------------


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def pending(email: str) -> Client:
    browser = Client()
    give_password(browser, email)
    return browser


# One wrong guess by each way; the last three by a signed-in user.
WAYS: dict[str, Callable[[Any, Client, str], Any]] = {
    "a password": lambda alice, browser, wrong: give_password(Client(), alice.email, WRONG_PASSWORD),
    "a code": lambda alice, browser, wrong: give_code(pending(alice.email), wrong),
    "a recovery code": lambda alice, browser, wrong: give_code(pending(alice.email), "ABCD-EFGH-JKMN"),
    "the old password": lambda alice, browser, wrong: browser.post(
        "/password/",
        {
            "old_password": WRONG_PASSWORD,
            "new_password1": "plum tree in the rain",
            "new_password2": "plum tree in the rain",
        },
    ),
    "a code for new recovery codes": lambda alice, browser, wrong: browser.post(
        "/profile/recovery-codes/", {"code": wrong}
    ),
    "a recovery code for another app": lambda alice, browser, wrong: browser.post(
        "/profile/authenticator/", {"code": "ABCD-EFGH-JKMN"}
    ),
    "a code for a PIN": lambda alice, browser, wrong: browser.post(
        "/profile/pin/", {"pin": "805913", "pin_again": "805913", "code": wrong}
    ),
}


@proves("V6.3.1", "V6.3.4")
@in_one_world("first", WAYS)
def test_five_wrong_ones_by_any_ways_lock_all_ways(
    first: str, alice: Any, browser_of: Any, code_of: Any, clock: Any
) -> None:
    names = list(WAYS)
    turned = names[names.index(first) :] + names[: names.index(first)]
    RecoveryCode(user=alice, selector="WXYZ", code_hash=make_password("EFGHJKMN")).save()
    browser = browser_of(alice)
    statuses = []  # two of the ways need a right password first, which gives its place back
    for name in turned[:LIMIT]:
        clock.shift(20)  # past the pause after a wrong code, within the ten minutes
        statuses.append(WAYS[name](alice, browser, wrong_code_for(code_of(alice))).status_code)
    assert statuses[: LIMIT - 1] == [200] * (LIMIT - 1)
    clock.shift(20)
    with hashing() as runs:
        assert give_password(Client(), alice.email).status_code == 429
        for name in turned:
            if name not in ("a code", "a recovery code"):  # nobody gets as far as those
                assert WAYS[name](alice, browser, code_of(alice)).status_code == 429, name
    assert runs == [], "not even the right one is looked at"
    assert is_signed_in(browser)


# --- Whom a lockout locks -----------------------------------------------------------------------------------


@proves("V6.1.1")
def test_one_persons_failures_never_lock_another(alice: Any, bob: Any, charlie: Any, clock: Any) -> None:
    # Out of the box django-axes counts everybody under one name, wherever they are.
    for number in range(LIMIT * 4):
        guess(Client(), REMOTE_ADDR=HERE if number % 2 else ELSEWHERE)
    for network in (HERE, ELSEWHERE, "192.0.2.9"):
        for person in (bob, charlie):
            assert give_password(Client(), person.email, REMOTE_ADDR=network).status_code == 302
    assert give_password(Client(), alice.email, REMOTE_ADDR=HERE).status_code == 429
    assert give_password(Client(), alice.email, REMOTE_ADDR="192.0.2.9").status_code == 302


@proves("V6.1.1")
def test_a_strangers_guesses_leave_her_running_session_and_her_codes_alone(
    alice: Any, bob: Any, browser_of: Any, open_account: Any, code_of: Any, clock: Any
) -> None:
    # Show 4: or anybody could sign anyone out, and keep them from their own money, from anywhere.
    source, target = open_account(alice, "100.00"), open_account(bob)
    browser = browser_of(alice)
    for _ in range(LIMIT * 2):
        guess(Client(), REMOTE_ADDR=ELSEWHERE)
    assert give_password(Client(), alice.email, REMOTE_ADDR=ELSEWHERE).status_code == 429
    assert is_signed_in(browser)
    form = {"source": str(source.public_id), "number": target.number, "name": "Bob Brandt", "amount": "10.00"}
    assert browser.post("/transfer/send/", form)["Location"].startswith("/transfer/review/")
    answer = browser.post("/profile/recovery-codes/", {"code": code_of(alice)})
    assert (answer.status_code, answer["Location"]) == (302, "/two-factor/recovery-codes/")


@proves("V6.1.1")
def test_guesses_from_her_own_network_leave_her_running_session_alone_too(
    alice: Any, browser_of: Any, code_of: Any, clock: Any
) -> None:
    # She is told to wait before she gives a code again; she loses nothing else.
    browser = browser_of(alice)
    for _ in range(LIMIT):
        guess(Client())
    assert browser.get("/dashboard/").status_code == 200
    assert browser.post("/profile/recovery-codes/", {"code": code_of(alice)}).status_code == 429
    assert browser.get("/dashboard/").status_code == 200


@proves("V7.4.5")
def test_an_administrators_lock_ends_it_at_the_next_request(
    alice: Any, ada: Any, browser_of: Any, open_account: Any
) -> None:
    # Show 4: by GET and by POST, and the request is not carried out.
    account = open_account(alice, "5.00")
    reading, writing = browser_of(alice), browser_of(alice)
    assert is_signed_in(reading)
    people.lock_user(
        origin=an_origin(), actor=ada, user=User.objects.get(pk=alice.pk), reason=REASON, code=fresh_code(ada)
    )
    assert reading.get("/dashboard/")["Location"].startswith("/sign-in/")
    key = "5b1f0f0e-0000-4000-8000-000000000001"
    sent = writing.post(f"/accounts/{account.public_id}/deposit/", {"key": key, "amount": "5"})
    assert sent["Location"].startswith("/sign-in/")
    account.refresh_from_db()
    assert str(account.balance) == "5.00"
