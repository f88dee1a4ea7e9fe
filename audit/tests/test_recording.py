"""Writing the audit log: one way in, a fixed list of actions, stamped with who and from where (R6.1)."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.actions import Action
from audit.models import AuditEntry
from audit.services import Report, record, record_many
from foundation.request_context import RequestContext, current, request_context
from tests.acts import give_password
from tests.asvs import proves
from tests.tables import in_one_world

# The names that R6.1 asks for at least.
REQUIRED = {
    *("REGISTER_SUCCESS", "LOGIN_SUCCESS", "LOGIN_FAILURE", "LOCKED_OUT", "LOGOUT", "PASSWORD_CHANGED"),
    *("TWO_FACTOR_ENABLED", "TWO_FACTOR_RESET", "ROLE_CHANGED", "USER_UPDATED", "USER_UNLOCKED"),
    *("ACCOUNT_CREATED", "ACCOUNT_FROZEN", "ACCOUNT_UNFROZEN", "ACCOUNT_CLOSED"),
    *("DEPOSIT_CREATED", "WITHDRAWAL_CREATED", "TRANSFER_CREATED", "TRANSFER_REFUSED", "TRANSFER_HELD"),
    *("TRANSFER_RELEASED", "TRANSFER_REJECTED", "TRANSFER_REVERSED", "SUSPICIOUS_TRANSFER"),
    *("TICKET_CREATED", "TICKET_UPDATED", "REQUEST_CREATED", "REQUEST_APPROVED", "REQUEST_REJECTED"),
    *("REQUEST_CANCELLED", "REQUEST_COMPLETED", "EXPORT_DOWNLOADED"),
}


def test_the_catalogue_has_every_required_action_and_stores_it_under_its_name() -> None:
    # R6.1
    assert {action.value for action in Action} >= REQUIRED
    assert [action for action in Action if action.name != action.value] == []
    longest = AuditEntry._meta.get_field("action").max_length
    assert longest is not None
    assert max(len(action.value) for action in Action) <= longest


def test_every_action_is_recorded_somewhere(repository: Path) -> None:
    """The service of a new action forgot `record(Action.…)`."""
    apps = ("accounts", "audit", "bankproject", "foundation", "support", "transfers")
    paths = (path for app in apps for path in (repository / app).rglob("*.py") if "tests" not in path.parts)
    named = {name for path in paths for name in re.findall(r"\bAction\.([A-Z_]+)\b", path.read_text(encoding="utf-8"))}
    assert {action.name for action in Action} - named == set()


@proves("V16.2.1")
def test_an_entry_says_who_what_on_what_from_where_and_when(alice: Any, bob: Any) -> None:
    # R6.1
    with request_context(RequestContext(ip="203.0.113.7", request_id="a" * 32)):
        entry = record(Action.USER_UPDATED, actor=alice, subject=bob, concerns=bob, details={"field": "first_name"})
    entry = AuditEntry.objects.get(pk=entry.pk)
    assert (entry.actor_id, entry.actor_label) == (alice.pk, "alice@example.com")
    assert (entry.subject_type, entry.subject_id) == ("user", str(bob.public_id))
    assert entry.concerns_id == bob.pk
    assert (entry.ip, entry.request_id) == ("203.0.113.7", "a" * 32)
    assert entry.details == {"field": "first_name"}
    assert str(entry) == f"{entry.at:%Y-%m-%d %H:%M:%S} USER_UPDATED by alice@example.com"


@pytest.mark.django_db
def test_outside_a_request_there_is_no_ip_and_nobody_is_anonymous() -> None:
    # R6.1
    entry = record(Action.USER_CREATED, actor=None)
    assert (entry.ip, entry.request_id, entry.actor_id, entry.actor_label) == (None, "", None, "anonymous")
    assert (entry.subject_type, entry.subject_id, entry.details) == ("", "", {})


@pytest.mark.django_db
def test_a_label_of_any_length_fits() -> None:
    # R6.1: a recording that fails would take what it reports down with it.
    assert len(record(Action.LOGIN_FAILURE, actor=None, actor_label="x" * 1000).actor_label) == 254


@proves("V16.2.1")
@pytest.mark.django_db
@in_one_world("action", ["LOGIN_SUCCESS", "MADE_UP", "", None, 1])
def test_an_action_that_is_not_in_the_catalogue_cannot_be_recorded(action: Any) -> None:
    # R6.1: not even a plain text that happens to be spelled like one.
    with pytest.raises(ValueError, match=r"is not in audit\.actions"):
        record(action, actor=None)
    assert not AuditEntry.objects.exists()


def test_the_entry_carries_the_id_that_the_answer_shows(alice: Any, client: Client) -> None:
    # R6.1: an id sent by the client is not believed, it could point at another's request.
    answer = give_password(client, alice.email, "wrong", headers={"X-Request-ID": "f" * 32}, REMOTE_ADDR="198.51.100.9")
    entry = AuditEntry.objects.get(action=Action.LOGIN_FAILURE)
    assert entry.request_id == answer["X-Request-ID"] != "f" * 32
    assert len(entry.request_id) == 32
    assert entry.ip == "198.51.100.9"


@proves("V16.2.4")
def test_one_request_leaves_no_trace_in_the_next(client: Client) -> None:
    # R6.1
    with pytest.raises(RuntimeError), request_context(RequestContext(ip="203.0.113.7", request_id="a")):
        raise RuntimeError
    assert current() == RequestContext()


def test_entries_outlive_the_user_they_name(make_user: Any) -> None:
    # R6.2
    gone = make_user("Gone", two_factor=False)
    entry = record(Action.USER_UPDATED, actor=gone, subject=gone, concerns=gone)
    key = gone.pk
    gone.delete()
    entry = AuditEntry.objects.get(pk=entry.pk)
    assert (entry.actor_id, entry.actor_label, entry.concerns_id) == (key, "gone@example.com", key)
    assert [field.name for field in AuditEntry._meta.get_fields() if field.is_relation] == []


@pytest.mark.django_db
def test_a_batch_says_the_same_in_few_statements(alice: Any, bob: Any, django_assert_num_queries: Any) -> None:
    # R6.1
    at = timezone.now() - timedelta(days=30)
    said: list[dict[str, Any]] = [
        {"action": Action.USER_UPDATED, "actor": alice, "subject": bob, "concerns": bob, "details": {"n": n}, "at": at}
        for n in range(20)
    ]
    said += [{"action": Action.LOGIN_FAILURE, "actor": None, "actor_label": "x" * 300, "evidence_digest": "e" * 64}]
    with request_context(RequestContext(ip="203.0.113.7", request_id="a" * 32)):
        for one in said:
            record(**one)
        with django_assert_num_queries(3):  # of 16, 4 and 1
            record_many(Report(**one) for one in said)
    rows: list[dict[str, Any]] = [
        {name: value for name, value in row.items() if name != "id"}
        for row in AuditEntry.objects.order_by("pk").values()
    ]
    singly, together = rows[-2 * len(said) : -len(said)], rows[-len(said) :]
    assert abs(singly[-1].pop("at") - together[-1].pop("at")) < timedelta(seconds=5)
    assert singly == together


@pytest.mark.django_db
def test_a_batch_with_an_unknown_action_writes_nothing(alice: Any) -> None:
    # R6.1
    reports = [Report(action=action, actor=alice) for action in (Action.LOGOUT, "LOGOUT")]  # type: ignore[arg-type]
    before = AuditEntry.objects.count()
    with pytest.raises(ValueError, match=r"not in audit\.actions"):
        record_many(reports)
    assert AuditEntry.objects.count() == before
