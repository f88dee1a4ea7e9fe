"""Every refused access leaves an entry in the audit log, within bounds (issue 20, C3)."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
import time_machine
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from prometheus_client import REGISTRY

from accounts.programs import tokens
from audit import refused
from audit.models import AuditEntry
from foundation import hourly
from foundation.limiter import limiter
from foundation.limiter.window import Limit, LimitsUnavailable
from foundation.models import RateWindow
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db


def entries() -> list[tuple[int | None, str, str, str]]:
    """Return who was refused what: actor, reason, route, method; oldest first."""
    found = AuditEntry.objects.filter(action="ACCESS_REFUSED").order_by("id")
    return [(one.actor_id, *(one.details[name] for name in ("reason", "route", "method"))) for one in found]


def left_out() -> float:
    return REGISTRY.get_sample_value("bank_audit_left_out_total", {"action": "ACCESS_REFUSED"}) or 0


# --- By role --------------------------------------------------------------------------------------------------------


@proves("V16.3.2")
def test_a_role_that_does_not_allow_it_is_recorded_at_every_door(
    alice: Any, sam: Any, bob: Any, browser_of: Callable, api_of: Callable
) -> None:
    pages, staff, program = browser_of(alice), browser_of(sam), api_of(alice)
    assert pages.get("/admin/").status_code == 403
    assert pages.get("/admin/accounts/user/").status_code == 403
    assert staff.get("/accounts/open/").status_code == 403
    assert staff.post(reverse("admin:accounts_user_act", args=[bob.pk, "lock"]), {"reason": "x"}).status_code == 403
    assert told(program.get("users")) == (403, "forbidden")
    found = entries()
    assert [(one[0], one[1], one[3]) for one in found] == [
        (alice.pk, "forbidden", "GET"), (alice.pk, "forbidden", "GET"), (sam.pk, "forbidden", "GET"),
        (sam.pk, "forbidden", "POST"), (alice.pk, "forbidden", "GET"),
    ]  # fmt: skip
    assert [one[2] for one in found[:2]] == ["admin:index", "admin:accounts_user_changelist"]
    entry = AuditEntry.objects.filter(action="ACCESS_REFUSED").latest("id")
    assert (entry.ip, entry.actor_label, len(entry.request_id)) == ("127.0.0.1", alice.email, 32)


# --- Somebody else's ------------------------------------------------------------------------------------------------


@proves("V16.3.2", "V16.3.3")
def test_what_is_somebody_elses_is_recorded_without_its_number(
    charlie: Any, alice: Any, browser_of: Callable, api_of: Callable, open_account: Callable
) -> None:
    hers = open_account(alice, "100.00")
    assert browser_of(charlie).get(f"/accounts/{hers.public_id}/").status_code == 404
    answer = api_of(charlie).get(f"accounts/{hers.number}/transactions", {"text": hers.number})
    assert told(answer) == (404, "not_found")
    assert [one[:2] for one in entries()] == [(charlie.pk, "not_found")] * 2
    said = str(list(AuditEntry.objects.filter(action="ACCESS_REFUSED").values_list("details", flat=True)))
    assert not any(text in said for text in (hers.number, str(hers.public_id)))


def test_strangers_who_find_nothing_leave_no_entry(client: Client, api_of: Callable) -> None:
    for path in ("/wp-login.php", f"/accounts/{uuid4()}/", "/password/reset/nothing/", "/api/v1/nothing"):
        client.get(path)
    assert told(api_of(None).get("accounts")) == (401, "token_invalid")
    assert entries() == []


# --- Forged ---------------------------------------------------------------------------------------------------------


def altered(token: str) -> str:
    """Return a token that says something else under the same signature."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["sub"] = str(uuid4())
    return ".".join((head, base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("="), signature))


@proves("V16.3.2", "V16.3.3")
@in_one_world(
    "forge",
    [
        altered,
        lambda token: token[:-4] + "AAAA",
        lambda token: jwt.encode({"sub": "x"}, "another key, of thirty-two bytes and more", algorithm="HS256"),
        lambda token: jwt.encode({"sub": "x"}, "", algorithm="none"),
        lambda token: "nonsense",
        lambda token: "x" * 5000,
    ],
)
def test_a_forged_token_is_recorded_and_answered_as_one_that_is_over(
    alice: Any, api_of: Callable, forge: Callable[[str], str]
) -> None:
    before, program = len(entries()), api_of(alice)
    answer = ApiClient().get("auth/session", Authorization=f"Bearer {forge(program.tokens.access_token)}")
    assert told(answer) == (401, "token_invalid")
    assert entries()[before:] == [(None, "token_forged", "api:present_session", "GET")]
    if len(forge(program.tokens.refresh_token)) <= 2000:
        answer = ApiClient().post("auth/refresh", {"refresh_token": forge(program.tokens.refresh_token)})
        assert told(answer) == (401, "token_invalid")
        assert entries()[before + 1 :] == [(None, "token_forged", "api:refresh", "POST")]


def test_a_token_that_is_over_is_no_forgery(alice: Any, api_of: Callable) -> None:
    program = api_of(alice)
    with time_machine.travel(timezone.now() + timedelta(minutes=16)):
        tokens._read_lately.clear()
        assert told(program.get("accounts")) == (401, "token_invalid")
        program.tokens = api_of(alice).tokens
    program.post("auth/logout")
    assert told(program.get("accounts")) == (401, "token_invalid")
    assert entries() == []


@proves("V16.3.3")
def test_a_forged_cursor_is_recorded(alice: Any, api_of: Callable) -> None:
    program = api_of(alice)
    assert told(program.get("transactions", {"cursor": "ffff"})) == (422, "invalid")
    assert told(program.get("tickets", {"cursor": str(UUID(int=2**128 - 1))})) == (422, "invalid_cursor")
    assert [one[:2] for one in entries()] == [(alice.pk, "cursor_forged")] * 2


@proves("V16.3.3")
def test_a_form_that_another_site_sent_is_recorded(alice: Any, browser_of: Callable) -> None:
    browser = browser_of(alice)
    browser.handler.enforce_csrf_checks = True
    assert browser.post("/sign-out/", headers={"origin": "https://evil.example"}).status_code == 403
    assert Client(enforce_csrf_checks=True).post("/sign-in/", {"email": "a@b.example"}).status_code == 403
    assert entries() == [(alice.pk, "csrf", "sign_out", "POST"), (None, "csrf", "sign_in", "POST")]


# --- Not without end ------------------------------------------------------------------------------------------------


def forged(times: int, **extra: Any) -> None:
    for _ in range(times):
        ApiClient(**extra).get("auth/session", Authorization="Bearer nonsense")


@proves("V16.3.3")
def test_entries_of_one_stranger_and_of_one_person_are_bounded_and_the_last_says_so(
    alice: Any, browser_of: Callable
) -> None:
    before, browser = left_out(), browser_of(alice)
    forged(150)
    for _ in range(150):
        browser.get("/admin/")
    found = AuditEntry.objects.filter(action="ACCESS_REFUSED").order_by("id")
    assert [one.actor_id for one in found] == [None] * 20 + [alice.pk] * 20
    last = [place for place, one in enumerate(found) if one.details.get("further") == "counted only"]
    assert last == [19, 39]
    assert left_out() == before + 260
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        forged(1)
    assert len(entries()) == 41


def test_the_bound_holds_over_all_processes() -> None:
    for _ in range(10):  # each a process that has counted nothing yet
        hourly.forget_all()
        forged(10)
    assert len(entries()) == 20


def test_strangers_from_everywhere_are_bounded_together_and_leave_no_row_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refused, "STRANGERS", Limit(times=30, window_seconds=600))
    for number in range(200):
        forged(1, REMOTE_ADDR=f"2001:db8:0:{number:x}::1")
    assert len(entries()) == 30
    assert RateWindow.objects.filter(key__startswith="refused:").count() == 31


def test_strangers_take_no_place_of_a_person(alice: Any, browser_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise an attacker with many networks could hide what a signed-in person is refused."""
    for bound in (refused._PEOPLE, refused._ANYBODY):
        monkeypatch.setattr(bound, "in_all", 50)
    for number in range(100):
        forged(1, REMOTE_ADDR=f"2001:db8:0:{number:x}::1")
    browser_of(alice).get("/admin/")
    assert [actor for actor, *_ in entries()].count(alice.pk) == 1


def test_beyond_the_bound_no_statement_runs() -> None:
    forged(20)
    with CaptureQueriesContext(connection) as statements:
        forged(10)
    assert len(statements) == 0


def test_a_request_that_succeeds_runs_no_statement_for_it(alice: Any, api_of: Callable) -> None:
    program = api_of(alice)
    program.get("accounts")
    with CaptureQueriesContext(connection) as statements:
        assert program.get("accounts").status_code == 200
    assert not [one for one in statements if "audit_" in one["sql"] or "ratewindow" in one["sql"]]


@in_one_world("error", [DatabaseError("gone"), LimitsUnavailable()])
def test_a_refusal_stands_where_it_cannot_be_recorded(
    alice: Any, browser_of: Callable, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise error

    browser = browser_of(alice)
    with monkeypatch.context() as patch:
        patch.setattr(limiter, "take_all", fail)
        assert browser.get("/admin/").status_code == 403
    assert entries() == []
