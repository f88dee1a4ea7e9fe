"""Tickets through the API: one's own conversations, without what staff write to each other (R4.1, R7.2)."""

from typing import Any

import pytest

from support.models import TicketMessage
from support.tests.test_api_tickets import QUESTION
from tests.acts import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(new_key: Any) -> Any:
    def post(api: Any, key: str = "", **changes: Any) -> Any:
        return api.post("tickets", QUESTION | changes, Idempotency_Key=key or new_key())

    return post


@pytest.mark.django_db(transaction=True)
def test_the_same_key_ten_times_at_once_opens_one_ticket(alice: Any, api_of: Any, write: Any) -> None:
    # R3.5
    apis = [api_of(alice) for _ in range(10)]
    answers: list[Any] = at_once(*[lambda api=api: write(api, "the-key-of-one") for api in apis])
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert TicketMessage.objects.count() == 1
