"""Guessing leads nowhere: passwords, codes, recovery codes (R1.2 to R1.5; issue 5, Shows 1 and 4).

One counter for each e-mail address and network, taken before a guess is looked at. In the order of the list: how many
guesses are checked, from where, by which way in; whom a lockout locks, and whom not. Other files have more tests:
`accounts/tests/test_lockout.py` (the counter), `test_sign_in.py` (one message for every failure), `test_two_factor.py`
(codes), `test_authenticator.py` and `test_pin.py` (codes given again), `test_staff_locking.py` (administrators' locks).
"""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from accounts.sign_in import guesses, two_factor
from audit.models import AuditEntry
from foundation.request_context import trusted_networks
from tests.acts import WRONG_PASSWORD, at_once, give_code, give_password, hashing, is_signed_in, wrong_code_for
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.processes import process_environment, run_together
from tests.test_guessing import ELSEWHERE, HERE, LIMIT, PROXY, guess

pytestmark = pytest.mark.django_db

WAYS_IN = ("/sign-in/", "/admin/login/")

race = pytest.mark.django_db(transaction=True)


def slowed() -> Any:
    """Slow the hasher to its time in production, so that the guesses overlap."""
    return hashing(before=lambda: time.sleep(0.1))


class TestFortyAtOnce:
    """However they come, five reach the hasher."""

    pytestmark = race

    @proves("V6.3.1", "V6.3.4")
    def test_over_form_admin_and_api_together(self, alice: Any, settings: Any) -> None:
        settings.API_LOGINS_PER_MINUTE = 1000  # that limit alone would let through no more than five
        wrong = {"email": alice.email, "password": WRONG_PASSWORD, "code": "000000"}
        ways = [
            lambda: guess(Client(), "/sign-in/"),
            lambda: guess(Client(), "/admin/login/"),
            lambda: ApiClient().post("auth/login", wrong).status_code,
        ]
        with slowed() as runs:
            answers = at_once(*[ways[number % 3] for number in range(42)])
        assert runs.count("verify") == LIMIT
        assert set(answers) <= {200, 302, 401, 429}
        assert Counter(answers)[302] == 14, "the admin's address sends home, unread"
        assert told(ApiClient().post("auth/login", wrong)) == (429, "locked_out")

    @proves("V6.3.1")
    def test_with_another_forwarded_address_each(self, alice: Any) -> None:
        # No proxy is trusted: the header is ignored.
        forged = [{"HTTP_X_FORWARDED_FOR": f"192.0.2.{number}", "REMOTE_ADDR": HERE} for number in range(40)]
        with slowed() as runs:
            at_once(*[lambda extra=extra: guess(Client(), **extra) for extra in forged])
        assert runs.count("verify") == LIMIT

    @proves("V6.3.1")
    def test_with_another_forwarded_address_each_through_our_proxy(self, alice: Any, settings: Any) -> None:
        # Entries left of the proxy's own were written by the client.
        settings.TRUSTED_PROXIES = trusted_networks([PROXY])
        forged = [{"HTTP_X_FORWARDED_FOR": f"192.0.2.{number}, {HERE}", "REMOTE_ADDR": PROXY} for number in range(40)]
        with slowed() as runs:
            at_once(*[lambda extra=extra: guess(Client(), **extra) for extra in forged])
        assert runs.count("verify") == LIMIT
        locked = {"HTTP_X_FORWARDED_FOR": HERE, "REMOTE_ADDR": PROXY}
        assert give_password(Client(), alice.email, **locked).status_code == 429
        other = {"HTTP_X_FORWARDED_FOR": ELSEWHERE, "REMOTE_ADDR": PROXY}
        assert give_password(Client(), alice.email, **other).status_code == 302

    @proves("V6.3.1", "V15.4.2")
    def test_in_two_processes_of_several_threads(self, alice: Any, tmp_path: Path) -> None:
        environment = process_environment() | {"ALLOWED_HOSTS": "testserver"}
        runs = [(alice.email, HERE)] * 2
        looked_at, answers = 0, Counter[int]()
        for seen, statuses in run_together(PROCESS, runs, begin=tmp_path / "begin", environment=environment):
            looked_at += seen
            answers.update(statuses)
        assert looked_at == LIMIT
        assert sum(answers.values()) == 40
        assert set(answers) <= {200, 429}
        assert AuditEntry.objects.filter(action="LOCKED_OUT").count() == 1
        assert give_password(Client(), alice.email, REMOTE_ADDR=HERE).status_code == 429

    def test_twenty_codes_of_which_none_is_right(
        self, alice: Any, code_of: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Each browser has the password already. The pause after a wrong code stops most before they are counted.
        monkeypatch.setattr(guesses, "seconds_of_pause", lambda **where: 0)
        looked_at: list[str] = []
        verify = two_factor.verify_totp

        def counted(user: Any, code: str) -> Any:
            looked_at.append(code)
            return verify(user, code)

        monkeypatch.setattr(two_factor, "verify_totp", counted)
        browsers = [Client(REMOTE_ADDR=HERE) for _ in range(20)]
        for browser in browsers:
            give_password(browser, alice.email)
        wrong = wrong_code_for(code_of(alice))
        answers = at_once(*[lambda one=one: give_code(one, wrong).status_code for one in browsers])
        assert len(looked_at) == LIMIT
        assert set(answers) <= {200, 302, 429}
        assert not any(is_signed_in(browser) for browser in browsers)

    def test_eight_windows_with_one_right_code(self, alice: Any, code_of: Any) -> None:
        # From one network, as a thief at the next table would; from eight: `test_sign_in`.
        browsers = [Client(REMOTE_ADDR=HERE) for _ in range(4)] + [Client(REMOTE_ADDR=ELSEWHERE) for _ in range(4)]
        for browser in browsers:
            give_password(browser, alice.email)
        code = code_of(alice)
        at_once(*[lambda one=one: give_code(one, code).status_code for one in browsers])
        assert [is_signed_in(browser) for browser in browsers].count(True) == 1
        assert AuditEntry.objects.filter(action="LOGIN_SUCCESS").count() == 1


PROCESS = """
import django, json, sys, threading, time
from pathlib import Path
django.setup()
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connections
from django.test import Client

begin, email, ip = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
verify, runs, statuses = Argon2PasswordHasher.verify, [], []

def counted(self, password, encoded):
    runs.append(1)
    time.sleep(0.1)
    return verify(self, password, encoded)

def guess():
    for turn in range(5):
        data = {"email": email, "password": "not the password at all"}
        statuses.append(Client(REMOTE_ADDR=ip).post("/sign-in/", data).status_code)
    connections.close_all()

Argon2PasswordHasher.verify = counted
# As in the tests' own process: a hash of other costs is an old one, whose check is done twice.
Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost, Argon2PasswordHasher.parallelism = 1, 8, 1
print("ready", flush=True)
while not begin.exists():
    time.sleep(0.001)
threads = [threading.Thread(target=guess) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps([len(runs), statuses]))
"""
