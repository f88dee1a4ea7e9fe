"""No request, however made, gets anything from the API that its document does not say (R7.3; issue 6, Shows 1).

The cases come from the document: what it allows, what it does not, and every parameter and field at its limits,
missing, and of another type; other methods too (schemathesis). Each is sent through WSGI as Alice, as an administrator
and without a token, with real ids, passwords and codes in many, and checked: no fault of ours (5xx), no status, header
or field that the document does not name, no forbidden value accepted, nothing done without a token.

Every case is undone after it, so that a sign-out, a new password or a lock does not spoil the rest. So no limit ever
fills either: none is raised here, and all have tests of their own.

`make fuzz` sends at least as many cases as FUZZ_CASES says; without it, there are a few for each operation. With the
FUZZ_SEED that it prints, the same cases come again.
"""

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.access_walk import api_operations
from tests.asvs import proves
from tests.fuzz.cases import Fuzzer, connection_kept, load_schema, undone
from tests.fuzz.seeds import WHO, Bank, make_bank

pytestmark = pytest.mark.django_db

OPERATIONS = api_operations()
CASES = int(os.environ.get("FUZZ_CASES", "0"))
# How many of each kind for each operation and person: enough to make up the number, or a few. The seed decides which.
EACH = math.ceil(CASES / 2 / len(OPERATIONS) / len(WHO)) if CASES else 6
SEED = int(os.environ.get("FUZZ_SEED", "0"))
TRIES = 10  # to make a successful request with what the bank knows


@pytest.fixture(scope="module")
def bank(django_db_setup: None, django_db_blocker: Any) -> Iterator[Bank]:
    """Make the bank once, in a transaction that is undone after the last operation."""
    with django_db_blocker.unblock(), connection_kept(), undone():
        yield make_bank()


@pytest.fixture(scope="module")
def operations(bank: Bank) -> dict[tuple[str, str], Any]:
    """Return operations by person and `METHOD /path`."""
    return {(who, found.ok().label): found.ok() for who in WHO for found in load_schema(who).get_all_operations()}


@proves("V2.2.1", "V16.5.1")
@pytest.mark.parametrize("label", OPERATIONS)
def test_nothing_is_answered_that_the_document_does_not_say(
    label: str, bank: Bank, operations: dict[tuple[str, str], Any], record_property: Callable[[str, object], None]
) -> None:
    fuzzers = [Fuzzer(bank, operations[who, label], who) for who in WHO]
    for fuzzer in fuzzers:
        fuzzer.well_formed(SEED)
        fuzzer.edges(most=EACH, number=SEED)
        fuzzer.drawn(EACH, number=SEED)
    for number in range(TRIES):
        if not any(fuzzer.has_succeeded() for fuzzer in fuzzers):
            for fuzzer in fuzzers:
                fuzzer.well_formed(SEED + 1 + number)
    statuses = sum((fuzzer.statuses for fuzzer in fuzzers), Counter[int]())
    record_property("fuzzed", {str(status): times for status, times in statuses.items()})
    assert any(fuzzer.has_succeeded() for fuzzer in fuzzers), "nobody got through: what of the bank does it need?"
