"""Five failures in ten minutes by one e-mail from one address lock both together for ten minutes (R1.4)."""

import time
from typing import Any

import pytest
from django.test import Client

from accounts.tests.test_lockout import ELSEWHERE, HERE
from audit.models import AuditEntry
from tests.acts import WRONG_PASSWORD, at_once, give_password, hashing
from tests.asvs import proves

pytestmark = pytest.mark.django_db


@proves("V6.3.1")
@pytest.mark.django_db(transaction=True)
def test_forty_parallel_wrong_passwords_reach_the_hasher_five_times(alice: Any) -> None:
    # R1.4, issue shows 5: django-axes alone lets 17 through.
    def guess() -> int:
        return give_password(Client(REMOTE_ADDR=HERE), alice.email, WRONG_PASSWORD).status_code

    # Slowed to what the hasher takes in production, so that the guesses do overlap.
    with hashing(before=lambda: time.sleep(0.2)) as runs:
        answers = at_once(*[guess] * 40)
    assert runs.count("verify") == 5
    assert set(answers) <= {200, 429}, answers
    assert answers.count(429) >= 35
    assert AuditEntry.objects.filter(action="LOGIN_FAILURE").count() == 40
    assert AuditEntry.objects.filter(action="LOCKED_OUT").count() == 1
    assert give_password(Client(REMOTE_ADDR=HERE), alice.email).status_code == 429
    assert give_password(Client(REMOTE_ADDR=ELSEWHERE), alice.email).status_code == 302
