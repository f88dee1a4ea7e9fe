"""What every operation of the API refuses, whoever asks (R1.7, R7.1, R7.3). `slow/test_walk_of_staff_and_programs`
tests who may call which."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from accounts import people
from accounts.models import TotpDevice, User
from accounts.people import on_request
from accounts.roles import Role
from tests.access.doors import undone
from tests.access.operations import KEY, OPERATIONS, PUBLIC, Sent, asked, documented, documented_paths
from tests.access.visitors import EVERYBODY, INSIDE, Walkers, granted
from tests.access.world import World, made_up_names
from tests.access_walk import WORDS, rows_about, text_of
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import REASON, an_origin, approved, fresh_code

pytestmark = pytest.mark.django_db


@pytest.fixture
def charlies(charlie: Any, api_of: Callable[..., ApiClient]) -> ApiClient:
    return api_of(charlie)


def locked(user: Any, ada: Any, program: ApiClient) -> None:
    people.lock_user(origin=an_origin(), actor=ada, user=user, reason=REASON, code=fresh_code(ada))


def inactive(user: Any, ada: Any, program: ApiClient) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def without_two_factor(user: Any, ada: Any, program: ApiClient) -> None:
    on_request.reset_two_factor(actor=ada, user=user, reason=REASON, authority=approved("reset_two_factor", user))
    assert not TotpDevice.objects.filter(user=user).exists()
    sign_in = {"email": user.email, "password": PASSWORD, "code": "123456"}
    assert told(program.post("auth/login", sign_in))[0] in (401, 403), "nor is there a new one without it"


def signed_out(user: Any, ada: Any, program: ApiClient) -> None:
    assert program.post("auth/logout").status_code == 204


@proves("V8.2.1")
def test_without_a_good_token_every_operation_is_401(
    world: World, make_user: Any, ada: Any, api_of: Callable[..., ApiClient], subtests: Any
) -> None:
    # R7.1: the data sent is not looked at either.
    olga, was = make_user("Olga"), rows_about(world.alice)
    for happened in (None, locked, inactive, without_two_factor, signed_out):
        with undone():
            program = api_of(olga if happened else None)
            if happened:
                assert program.get("auth/session").status_code == 200
                happened(olga, ada, program)
            with subtests.test(happened.__name__ if happened else "nobody"):
                for name in [*OPERATIONS, *PUBLIC]:
                    answer = asked(program, name, Sent(world))
                    assert told(answer) == ((422, "invalid") if name in PUBLIC else (401, "token_invalid")), name
                    assert not any(word in text_of(answer) for word in WORDS), name
                assert rows_about(world.alice) == was


@proves("V8.2.2")
def test_what_is_alices_is_as_unknown_to_charlie_as_what_does_not_exist(
    world: World, charlies: ApiClient, charlie: Any, subtests: Any
) -> None:
    # R1.7: not a word that differs.
    for name in OPERATIONS:
        if "{" in name:
            answers = []
            for names in (world.names, made_up_names(world)):
                with undone():
                    answer = asked(charlies, name, Sent(world, charlie), names)
                    answers.append({k: v for k, v in answer.json().items() if k != "request_id"})
            with subtests.test(name):
                assert answers[0] == answers[1]


@proves("V15.3.3")
def test_a_field_that_no_schema_has_is_refused(world: World, charlies: ApiClient, subtests: Any) -> None:
    # R7.3: with something of Alice's in every field, and in those that an attacker adds.
    was = rows_about(world.alice)
    everything = json.dumps(world.hers.fields, default=str).encode()
    for name in OPERATIONS:
        if "requestBody" in documented(name):
            method, path = name.split()
            with subtests.test(name):
                answer = charlies.send(method, path.format(**world.names), everything, Idempotency_Key=KEY)
                assert told(answer) == (422, "invalid")
                assert not any(word in text_of(answer) for word in WORDS)
    assert rows_about(world.alice) == was


@proves("V8.2.2")
def test_a_field_that_names_something_of_alices_is_refused(world: World, charlies: ApiClient) -> None:
    # R1.7: also where a body or a query names it.
    was = rows_about(world.alice)
    request = {"kind": "freeze_account", "account": world.account.number}
    ticket = {"subject": "Mine", "text": "Mine", "reference": world.payment.reference}
    assert told(charlies.post("requests", request)) == (404, "not_found")
    assert told(charlies.post("tickets", ticket, Idempotency_Key=KEY)) == (422, "unknown_payment")
    for path in ("tickets", "requests"):
        answer = charlies.get(path, {"cursor": str(world.names["ticket_id"])})
        assert not any(word in text_of(answer) for word in WORDS)
    assert rows_about(world.alice) == was


ROLES = tuple(visitor for visitor in INSIDE if not visitor.is_superuser)


@proves("V8.2.1", "V8.2.2")
def test_the_role_comes_before_what_is_named(world: World, walkers: Walkers, subtests: Any) -> None:
    # R1.7: whoever may never do it learns nothing, 403 whether it is there or not; to others, nothing is 404.
    for visitor in ROLES:
        with undone():
            walker = walkers(visitor)
            for name, op in OPERATIONS.items():
                if "{" in name:
                    with subtests.test(f"{visitor}: {name}"), undone():
                        answer = asked(walker.program, name, Sent(world, walker.user), made_up_names(world))
                        assert told(answer)[0] == (404 if visitor.may(op.permission_of(visitor)) else 403)


def test_head_is_answered_wherever_get_is(world: World, alice: Any, api_of: Any, ada: Any, subtests: Any) -> None:
    # As docs/api.md says.
    programs = api_of(alice), api_of(ada)
    for name, op in OPERATIONS.items():
        method, path = name.split()
        if method == "GET":
            program = programs[op.permission not in granted(Role.CUSTOMER) | {EVERYBODY}]
            with subtests.test(name):
                got = program.get(path.format(**world.names))
                answer = program.send("HEAD", path.format(**world.names), b"")
                assert (got.status_code, answer.status_code) == (200, 200)
                assert (answer["Content-Type"], answer.content) == (got["Content-Type"], b"")
    answer = programs[0].send("HEAD", "auth/login", b"")
    assert (answer.status_code, answer["Allow"]) == (405, "POST"), "which has no GET"
    assert set(programs[0].delete("profile")["Allow"].split(", ")) == {"GET", "HEAD", "PATCH"}
    assert not [path for path, methods in documented_paths().items() if "head" in methods], "a client has one of each"
