"""Limits in a shared cache: they expire, hold nothing readable, and stop the bank rather than let pass (R1.4, R3.9)."""

from typing import Any

import pytest
from django.test import Client

from tests.acts import WRONG_PASSWORD, at_once, give_password, hashing
from tests.asvs import proves

pytestmark = pytest.mark.django_db


@proves("V6.3.1")
@pytest.mark.django_db(transaction=True)
def test_forty_parallel_wrong_passwords_reach_the_hasher_five_times(shared_cache: Any, alice: Any) -> None:
    # R1.4
    with hashing() as runs:
        answers = at_once(*[lambda: give_password(Client(), alice.email, WRONG_PASSWORD).status_code] * 40)
    assert runs.count("verify") == 5
    assert answers.count(429) >= 35
