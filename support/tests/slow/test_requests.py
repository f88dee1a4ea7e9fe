"""Service requests: filed once, decided once, with reasons, by somebody else; nothing secret in them (R4.2, R5.2)."""

from typing import Any

import pytest

from accounts.models import AccountFreeze, FreezeKind
from audit.models import AuditEntry
from support.requests import services as service
from support.states import IllegalStep, RequestState
from support.tests.test_requests import approve, reject
from tests.acts import at_once


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("acts", [(approve, approve), (approve, reject), (reject, reject)])
def test_if_two_clerks_decide_at_the_same_moment_one_wins_and_the_other_is_told(
    acts: Any, alice: Any, sam: Any, sally: Any, request_of: Any
) -> None:
    # Issue 4, shows 2.
    request = request_of(alice)
    results = at_once(*(lambda a=act, c=clerk: a(c, request) for act, clerk in zip(acts, (sam, sally), strict=True)))
    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(error) for error in refused] == [IllegalStep]
    assert str(refused[0]).startswith("Somebody else has decided this request already")
    decided = [act for act, result in zip(acts, results, strict=True) if not isinstance(result, Exception)]
    request.refresh_from_db()
    assert request.state == (RequestState.COMPLETED if decided == [approve] else RequestState.REJECTED)
    by_support = AuditEntry.objects.filter(action="ACCOUNT_FROZEN").exclude(actor_id=alice.pk).count()
    assert by_support == (decided == [approve])


@pytest.mark.django_db(transaction=True)
def test_a_decision_and_a_cancellation_at_the_same_moment(alice: Any, sam: Any, request_of: Any) -> None:
    request = request_of(alice)
    results = at_once(
        lambda: service.cancel_request(actor=alice, public_id=request.public_id), lambda: approve(sam, request)
    )
    assert [isinstance(result, IllegalStep) for result in results].count(True) == 1
    request.refresh_from_db()
    by_support = AccountFreeze.objects.filter(account=request.account_id, kind=FreezeKind.SUPPORT).exists()
    assert by_support == (request.state == RequestState.COMPLETED)
