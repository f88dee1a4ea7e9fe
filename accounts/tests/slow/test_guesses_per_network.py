"""One network tries a password on everybody: its wrong ones are counted too, before the hasher runs (R1.4, R7.4)."""

import time
from typing import Any

import pytest

from accounts.tests.test_guesses_per_network import MANY, spray
from audit.models import AuditEntry
from tests.acts import at_once, hashing
from tests.asvs import proves

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _few(settings: Any) -> None:
    settings.GUESSES_PER_NETWORK = MANY
    settings.API_LOGINS_PER_MINUTE = 1000


@proves("V6.3.1")
@pytest.mark.django_db(transaction=True)
def test_of_forty_at_once_at_forty_people_as_many_reach_the_hasher_as_may() -> None:
    with hashing(before=lambda: time.sleep(0.2)) as runs:
        answers = at_once(*[lambda number=number: spray(number).status_code for number in range(40)])
    assert runs.count("verify") == MANY
    assert set(answers) <= {200, 429}, answers
    assert AuditEntry.objects.filter(action="LOCKED_OUT").count() == 1
