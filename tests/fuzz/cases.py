"""Cases made from the API's own document, each sent through WSGI and checked in every way (issue: fuzzing)."""

import random
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, get_args
from uuid import UUID

import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pydantic_core.core_schema import ErrorType
from schemathesis import Case, CheckContext, GenerationMode, Response
from schemathesis.core.parameters import ParameterLocation

from tests.fuzz.seeds import NOBODY, Bank, Known

# Conditions that JSON Schema cannot express: a code that is right now, an account with enough money, a good password, a
# day that is not after another, a text without NUL. So a request of the right shape may be refused with one of these.
# It must not be refused for its shape: `shape_is_documented` checks that.
REFUSED = ["2xx", "400", "401", "403", "404", "409", "422", "429"]
# Pydantic's own complaints, except for those that our validators raise through it.
OF_SHAPE = frozenset(get_args(ErrorType)) - {"value_error", "assertion_error"}

# What the patterns of the document say: no value that fits them is refused for it.
SAID_BY_PATTERNS = frozenset({"invalid_cursor", "invalid_name"})
# Characters that no text has, and no pattern names: unassigned, private and halves of pairs.
TOO_MANY = {"Cn", "Co", "Cs"}

# Without a database, which would repeat yesterday's cases, and without a time limit for one.
SETTINGS = settings(
    deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink]
)


@schemathesis.check
def shape_is_documented(ctx: CheckContext, response: Response, case: Case) -> None:
    """Check that a documented shape is refused only for its meaning: otherwise a client made from the document is
    misled."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in {400, 422}:
        return
    problem = response.json()
    said = {error["code"] for error in problem.get("errors", [])}
    assert not said & OF_SHAPE, f"refused for its shape: {problem['errors']}"
    assert not (said | {problem["code"]}) & SAID_BY_PATTERNS, f"no pattern says it: {problem}"
    texts = {error["field"]: error["message"] for error in problem.get("errors", [])}
    for name, text in {**(case.query or {}), **(case.body if isinstance(case.body, dict) else {})}.items():
        if "cannot be shown" in texts.get(name, ""):
            assert {unicodedata.category(char) for char in text} & TOO_MANY, f"no pattern says it: {text!r}"
    assert response.status_code == 422 or problem["code"] == "unreadable_text", problem


@schemathesis.check
def tells_nothing(ctx: CheckContext, response: Response, case: Case) -> None:
    """Check that there is neither a stack trace nor SQL, nor anything from Python (R7.3)."""
    found = [
        word for word in (b"Traceback", b"SELECT ", b"INSERT ", b"django.", b"pydantic") if word in response.content
    ]
    assert not found, found


def load_schema(who: str) -> Any:
    """Return the document as the bank serves it, and the application behind it.

    Made-up tokens are only for people without one: all others send a valid one, so no case fails for lack of it.
    """
    checks = {"positive_data_acceptance": {"expected-statuses": REFUSED}}
    generation = {"with-security-parameters": who == NOBODY}
    config = schemathesis.Config.from_dict({"checks": checks, "generation": generation})
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", _Application(), config=config)


class _Application(WSGIHandler):
    """The bank, called as by a server."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return super().__call__({"REMOTE_ADDR": "127.0.0.1"} | environ, start_response)


@contextmanager
def connection_kept() -> Iterator[None]:
    """Leave the database connection open after requests, as Django's own test client does: it is in a transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)


@contextmanager
def undone() -> Iterator[None]:
    """Undo everything that is written meanwhile, like each test of a TestCase: no case signs the next one out, locks a
    user, or uses up a limit."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined]  # services may own a transaction inside
    with block:
        yield
        transaction.set_rollback(True)


class Fuzzer:
    """Sends cases of one operation as one person, and counts the answers."""

    def __init__(self, bank: Bank, operation: Any, who: str) -> None:
        self.operation, self.who = operation, who
        self.known: Known = bank.values_for(who, operation.definition.raw["operationId"])
        token = bank.sign_in(who)
        self.headers = {} if who == NOBODY else {"Authorization": f"Bearer {token}"}
        self.statuses: Counter[int] = Counter()

    def send(self, case: Case) -> int:
        """Send a case; return the status of the answer.

        Raises:
            FailureGroup: something is wrong with it.
        """
        response = case.call_and_validate(headers=dict(self.headers))
        self.statuses[response.status_code] += 1
        return response.status_code

    def well_formed(self, number: int) -> None:
        """Yield a few cases with all known values in them: these should succeed, if this person may do it."""
        self._run(3, number, [GenerationMode.POSITIVE], lambda choose: (lambda values: values[0], lambda: 1))

    def edges(self, most: int, number: int) -> None:
        """Yield each parameter and field at its limits, missing, of another type; other methods: at most this many of
        them."""
        cases = list(
            self.operation.schema.iter_coverage_cases(
                self.operation,
                generation_modes=list(GenerationMode),
                generation_config=self.operation.schema.config.generation,
            )
        )
        choose = random.Random(number)
        for case in choose.sample(cases, min(most, len(cases))):
            with undone():
                self._put(case, choose.choice)
                self.send(case)

    def drawn(self, count: int, number: int) -> None:
        """Yield Hypothesis's values for the schemas, and values that they do not allow."""
        self._run(count, number, GenerationMode, lambda choose: (choose.choice, choose.random))

    def _run(self, count: int, number: int, modes: Iterable[GenerationMode], how: Callable[..., Any]) -> None:
        strategies = [self.operation.as_strategy(generation_mode=mode) for mode in modes]

        @seed(number)
        @settings(SETTINGS, max_examples=count)
        @given(case=st.one_of(strategies), choice=st.integers(0, 2**32))
        def run(case: Case, choice: int) -> None:
            pick, leave = how(random.Random(choice))
            with undone():
                self._put(case, pick, leave)
                self.send(case)

        run()

    def has_succeeded(self) -> bool:
        return any(200 <= status < 300 for status in self.statuses)

    def _put(self, case: Case, pick: Callable[[list[Any]], Any], leave: Callable[[], float] = lambda: 1) -> None:
        """Replace made-up values by ones that the bank knows; not where they are meant to be wrong."""
        parts = [(ParameterLocation.PATH, case.path_parameters, 1 / 8), (ParameterLocation.QUERY, case.query, 1 / 2)]
        if isinstance(case.body, dict):
            parts.append((ParameterLocation.BODY, case.body, 1 / 2))
        for location, values, left in parts:
            if case.meta is None or case.meta.is_negative_at(location):
                continue
            for name in values:
                if self.known.get(name) and leave() >= left:
                    values[name] = _as_sent(pick(self.known[name]))


def _as_sent(value: Any) -> Any:
    made = value() if callable(value) else value
    return str(made) if isinstance(made, UUID) else made
