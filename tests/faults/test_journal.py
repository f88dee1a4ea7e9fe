"""An answer for something that cannot be done now says so, to programs and to people, and any other fault is named
(R7.3, R9.5)."""

from typing import Any

import pytest

from tests.faults.journal import HISTORY, PAGE, PROBLEM, Journal
from tests.faults.plain_http import Answer

AWAY: dict[str, Any] = {"status": 503, "code": "database_away", "shape": PROBLEM, "retry_after": "5"}
PAGE_AWAY: dict[str, Any] = {"status": 503, "code": "", "shape": PAGE, "retry_after": "5"}
FINE: dict[str, Any] = {"status": 200, "code": "", "retry_after": ""}


def faults(what: str, answer: dict[str, Any]) -> list[str]:
    """Return a journal's faults in an answer to a payment, or to a read of this kind."""
    journal = Journal([])
    if what == "payment":
        of_it = {"key": "k", "try": "1", "at": 0.0}
        journal.take({"do": "ask", "source": 0, "target": 1, "minor": 5, "purpose": "first"} | of_it)
        journal.take({"do": "told", "order": ""} | of_it | answer)
    else:
        journal.take({"do": "read", "what": what} | answer)
    return journal.faults()


EXCUSED: list[tuple[str, dict[str, Any]]] = [
    ("payment", AWAY),
    ("payment", AWAY | {"code": "outcome_unknown"}),
    ("payment", {"status": 0, "code": "TimeoutError", "shape": "", "retry_after": ""}),
    (HISTORY, FINE | {"shape": ""}),
    (HISTORY, AWAY),
    (PAGE, FINE | {"status": 302, "shape": PAGE}),
    (PAGE, PAGE_AWAY),
    (PAGE, {"status": 0, "code": "BrokenOff", "shape": "", "retry_after": ""}),
]
NAMED: list[tuple[str, dict[str, Any], str]] = [
    ("payment", AWAY | {"status": 500, "code": "internal_error"}, "500 internal_error"),
    ("payment", AWAY | {"status": 502}, "502 database_away"),
    ("payment", AWAY | {"code": ""}, "503"),
    ("payment", AWAY | {"code": "another"}, "503 another"),
    ("payment", AWAY | {"retry_after": ""}, "Retry-After: none"),
    ("payment", AWAY | {"shape": PAGE}, "shaped as page"),
    (HISTORY, AWAY | {"status": 500, "code": "internal_error"}, "500 internal_error (history)"),
    (HISTORY, AWAY | {"status": 401, "code": "token_invalid"}, "401 token_invalid (history)"),
    (HISTORY, AWAY | {"retry_after": ""}, "Retry-After: none"),
    (PAGE, PAGE_AWAY | {"status": 500}, "500 (page)"),
    (PAGE, PAGE_AWAY | {"retry_after": ""}, "Retry-After: none"),
    (PAGE, PAGE_AWAY | {"shape": PROBLEM}, "shaped as problem"),
    (PAGE, FINE | {"shape": PAGE}, "200 (page)"),
    (PAGE, FINE | {"status": 302, "shape": ""}, "302 (page)"),
]


@pytest.mark.parametrize(("what", "answer"), EXCUSED)
def test_a_part_that_is_away_is_an_excuse_if_the_answer_says_so_as_promised(what: str, answer: dict[str, Any]) -> None:
    assert faults(what, answer) == []


@pytest.mark.parametrize(("what", "answer", "says"), NAMED)
def test_an_answer_that_nothing_excuses_is_named(what: str, answer: dict[str, Any], says: str) -> None:
    [fault] = faults(what, answer)
    assert says in fault


def test_a_missing_answer_is_among_those_that_a_deploy_must_not_cause() -> None:
    journal = Journal([])
    journal.take({"do": "read", "what": PAGE, "status": 0, "code": "BrokenOff", "shape": "", "retry_after": ""})
    journal.take({"do": "read", "what": HISTORY} | AWAY)
    assert journal.unanswered == {"none BrokenOff (page)": 1, "503 database_away (history)": 1}


def test_the_shape_of_an_error_is_told_by_all_that_it_has_to_have() -> None:
    problem = {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "Away.",
        "code": "database_away",
        "request_id": "1",
    }
    headers = {"content-type": "application/problem+json", "retry-after": "5"}
    whole = Answer(503, problem, headers=headers)
    assert whole.told() == AWAY
    assert Answer(503, problem | {"status": 500}, headers=headers).shape == ""
    assert Answer(503, {"code": "database_away"}, headers=headers).shape == ""
    assert Answer(503, problem, headers=headers | {"content-type": "application/json"}).shape == ""
    assert Answer(503, headers={"content-type": "text/html; charset=utf-8"}).shape == PAGE
