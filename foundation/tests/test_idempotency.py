"""The key under which something happens once: its rules, what is kept of it, and the ids that follow from it (R3.5)."""

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from foundation.idempotency import (
    KEY_IN_HEADER,
    check_key,
    digest_of_inputs,
    digest_of_key,
    id_from_key,
    token_of,
    uuid7,
)

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
ALICE, BOB = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.mark.parametrize("length", [8, 36, 200])
def test_a_key_is_as_long_as_one_that_nobody_else_chooses(length: int) -> None:
    check_key("k" * length)


@pytest.mark.parametrize("length", [0, 7, 201])
def test_a_key_of_another_length_is_a_fault_of_the_caller(length: int) -> None:
    with pytest.raises(ValueError, match="has 8 to 200 characters"):
        check_key("k" * length)


@pytest.mark.parametrize(
    ("key", "fits"), [(str(ALICE), True), ("!~09azAZ", True), ("a b", False), ("é", False), ("a\n", False), ("", False)]
)
def test_a_key_in_a_header_is_printable_ascii(key: str, fits: bool) -> None:
    # As pydantic's own engine reads the pattern: its $ is the very end.
    assert bool(re.fullmatch(KEY_IN_HEADER, key)) is fits


def test_the_digest_of_a_key_is_not_a_part_of_it() -> None:
    key = "invoice 4711 of Mallory"
    assert (len(digest_of_key(key)), digest_of_key(key)) == (64, digest_of_key(key))
    assert not any(word in digest_of_key(key) for word in key.split())
    assert token_of(key) == digest_of_key(key)[:16]


def test_inputs_that_differ_anywhere_have_another_digest() -> None:
    same = digest_of_inputs("payment", [1, 2], 500, "Rent")
    assert same == digest_of_inputs("payment", [1, 2], 500, "Rent") == digest_of_key("payment|[1, 2]|500|Rent")
    others = [("payment", [2, 1], 500, "Rent"), ("payment", [1, 2], 501, "Rent"), ("payment", [1, 2], 500, "rent")]
    assert same not in [digest_of_inputs(*inputs) for inputs in others]


def test_an_id_follows_from_the_person_and_the_key_alone() -> None:
    assert id_from_key(ALICE, "one key") == id_from_key(ALICE, "one key") == uuid.uuid5(ALICE, "one key")
    others = [id_from_key(BOB, "one key"), id_from_key(ALICE, "another key"), id_from_key(ALICE, "ticket:one key")]
    assert id_from_key(ALICE, "one key") not in others


def test_ids_of_ours_are_in_the_order_of_their_time_and_never_the_same() -> None:
    # RFC 9562, 5.7
    moments = [NOON + timedelta(milliseconds=number) for number in range(50)]
    made = [uuid7(moment) for moment in moments]
    assert made == sorted(made)
    assert {(one.version, one.variant) for one in made} == {(7, uuid.RFC_4122)}
    assert int(NOON.timestamp() * 1000) == made[0].int >> 80
    assert len({uuid7(NOON) for _ in range(100)}) == 100
