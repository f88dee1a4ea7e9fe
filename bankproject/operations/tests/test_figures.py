"""What Prometheus reads (R9.5): it is true, it stays bounded, and it names no person."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, transaction
from django.test import Client
from django.utils import timezone
from post_office.models import STATUS, Email
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from audit import sealing, tally
from audit.actions import Action
from audit.models import AuditEntry
from audit.services import Report, record, record_many
from bankproject.operations import figures, middleware
from bankproject.operations.models import ScheduledJob
from foundation import outbox
from foundation.models import OutboxMessage
from tests import acts
from tests.acts import WRONG_PASSWORD, give_password
from tests.asvs import proves
from tests.staff_acts import REASON
from tests.tables import in_one_world
from transfers.accounts.freezing import freeze_account
from transfers.ledger.posting import InsufficientFunds
from transfers.orders import cash

pytestmark = pytest.mark.django_db

TOKEN = "a-token-that-only-prometheus-has"

Values = dict[str, float]


def shown() -> Values:
    """Return every figure of the page, as `name{label="value",…}`."""
    return {
        f"{sample.name}{{{','.join(f'{name}={value}' for name, value in sorted(sample.labels.items()))}}}": sample.value
        for family in text_string_to_metric_families(figures.exposition().decode())
        for sample in family.samples
        if sample.name.startswith("bank_")
    }


@pytest.fixture(autouse=True)
def _nothing_was_asked_yet() -> None:
    """Forget earlier requests: each page that another test asked for adds some twenty figures to read."""
    for meter in (middleware._requests, middleware._seconds):
        meter.clear()
    middleware._meters.cache_clear()


@pytest.fixture
def grown(django_capture_on_commit_callbacks: Any) -> Callable[[], Any]:
    """`with grown() as values: …` – by how much each figure has grown when everything is committed."""

    @contextmanager
    def measure() -> Iterator[Values]:
        before, grown_by = shown(), Values()
        with django_capture_on_commit_callbacks(execute=True):
            yield grown_by
        after = shown()
        changes = {name: value - before.get(name, 0) for name, value in after.items()}
        grown_by |= {name: change for name, change in changes.items() if change}

    return measure


def events(values: Values) -> Values:
    return {name: value for name, value in values.items() if name.startswith("bank_events_total")}


def event(action: str, kind: str = "", code: str = "") -> str:
    return f"bank_events_total{{action={action},code={code},kind={kind}}}"


@pytest.fixture
def send(alice: Any, bob: Any, open_account: Callable, new_key: Callable) -> Callable[[str], Any]:
    """Alice pays Bob."""
    source, target = open_account(alice, "20000.00"), open_account(bob)

    def transfer(amount: str) -> Any:
        payment = {"source": source, "target": target, "amount": Decimal(amount), "idempotency_key": new_key()}
        return acts.transfer(actor=alice, **payment)

    return transfer


# --- What happened ---------------------------------------------------------------------------------------------


def test_what_moves_is_counted_by_its_kind(send: Callable, grown: Callable, alice: Any, open_account: Any) -> None:
    account = open_account(alice)
    with grown() as values:
        send("10.00")
        send("20.00")
        cash.deposit(actor=alice, account=account, amount=Decimal(5), idempotency_key="cash at the door")
    counted = events(values)
    assert counted[event("TRANSFER_CREATED", "payment")] == 2
    assert counted[event("DEPOSIT_CREATED", "deposit")] == 1


def test_what_is_refused_is_counted_by_its_code(send: Callable, grown: Callable) -> None:
    send("1.00")
    with grown() as values, pytest.raises(InsufficientFunds):
        send("20000.00")
    assert events(values)[event("TRANSFER_REFUSED", "payment", "insufficient_funds")] == 1
    assert not any("TRANSFER_CREATED" in name for name in values)


def test_what_is_held_is_counted_by_its_rule(send: Callable, grown: Callable) -> None:
    with grown() as values:
        send("12345.67")
    assert events(values)[event("TRANSFER_HELD", "payment", "suspicious_amount")] == 1
    assert values["bank_waiting{what=held_orders}"] == 1


def test_a_lockout_is_counted(alice: Any, client: Client, grown: Callable) -> None:
    with grown() as values:
        for _ in range(6):
            give_password(client, alice.email, WRONG_PASSWORD)
    assert events(values)[event("LOCKED_OUT")] == 1
    assert events(values)[event("LOGIN_FAILURE")] == 6


def test_what_is_rolled_back_has_not_happened(alice: Any, grown: Callable) -> None:
    with grown() as values, transaction.atomic():
        record(Action.LOGOUT, actor=alice)
        transaction.set_rollback(True)
    assert events(values) == {}


def test_a_batch_is_counted_whole(alice: Any, grown: Callable) -> None:
    with grown() as values:
        record_many(Report(action=Action.LOGOUT, actor=alice) for _ in range(7))
    assert events(values) == {event("LOGOUT"): 7}


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_counted_stops_nobody(alice: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def fail(*labels: str) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(tally._events, "labels", fail)
    with transaction.atomic():
        record(Action.LOGOUT, actor=alice)
    record_many([Report(action=Action.LOGOUT, actor=alice)])
    assert AuditEntry.objects.filter(action="LOGOUT").count() == 2
    assert caplog.text.count("no space left on device") >= 2, "and it is told"


def test_a_clerks_text_is_not_a_label(alice: Any, ada: Any, open_account: Callable, grown: Callable) -> None:
    account = open_account(alice)
    with grown() as values:
        freeze_account(actor=ada, account=account, reason=REASON)
    assert events(values) == {event("ACCOUNT_FROZEN"): 1}


@in_one_world("reason", ["Alice", "a b", "x" * 41, "", "1234", "naïve", "line\nbreak", 7, None, ["list"]])
def test_only_our_own_codes_are_labels(reason: Any) -> None:
    assert tally.event_of(Action.TRANSFER_REFUSED, {"reason": reason, "kind": reason}) == ("TRANSFER_REFUSED", "", "")


def test_every_reason_of_a_refusal_that_there_is_fits(db: None) -> None:
    """Otherwise it would be counted without its code, and nobody would notice."""
    from foundation.refusals import Refusal
    from transfers.orders.fraud import Rule

    def kinds(base: type[Refusal]) -> Iterator[type[Refusal]]:
        for kind in base.__subclasses__():
            yield kind
            yield from kinds(kind)

    codes = {kind.code for kind in kinds(Refusal)} | {str(rule.value) for rule in Rule}
    assert len(codes) > 20
    assert {code for code in codes if tally._label(code) != code} == set()


# --- Requests --------------------------------------------------------------------------------------------------


def request_figures(values: Values) -> Values:
    return {name: value for name, value in values.items() if name.startswith("bank_requests_total")}


def test_a_request_is_counted_by_its_route_not_by_its_path(
    alice: Any, browser_of: Callable, open_account: Callable, grown: Callable
) -> None:
    account = open_account(alice)
    path = f"/accounts/{account.public_id}/"
    browser = browser_of(alice)
    with grown() as values:
        assert browser.get(path).status_code == 200
        browser.get(f"{path}?q=secret")
    ((name, times),) = request_figures(values).items()
    assert times == 2
    assert re.fullmatch(r"bank_requests_total\{method=GET,route=[a-z_]+,status=200\}", name)
    route = name.partition("route=")[2].partition(",")[0]
    assert values[f"bank_request_seconds_count{{route={route}}}"] == 2
    assert values[f"bank_request_seconds_bucket{{le=+Inf,route={route}}}"] == 2
    assert 0 < values[f"bank_request_seconds_sum{{route={route}}}"] < 60
    assert str(account.public_id) not in figures.exposition().decode()


def test_a_programs_request_too(alice: Any, api_of: Callable, grown: Callable) -> None:
    api = api_of(alice)
    with grown() as values:
        api.get("accounts")
    ((name, times),) = request_figures(values).items()
    assert (times, "method=GET" in name, "route=api:" in name) == (1, True, True)


@proves("V15.2.2")
def test_inventions_of_strangers_add_no_label(client: Client, grown: Callable) -> None:
    with grown() as values:
        for number in range(3):
            client.get(f"/nothing/{number}/1234-5678-9012")
            client.generic(f"BREW{number}", "/sign-in/")
            client.generic("x" * 500, f"/?{number}")
    assert {re.sub("status=.*", "", name) for name in request_figures(values)} <= {
        "bank_requests_total{method=GET,route=none,",
        "bank_requests_total{method=OTHER,route=sign_in,",
        "bank_requests_total{method=OTHER,route=dashboard,",
        "bank_requests_total{method=OTHER,route=home,",
    }
    assert sum(request_figures(values).values()) == 9


def test_the_probes_themselves_are_not_counted(client: Client, grown: Callable) -> None:
    with grown() as values:
        client.get("/healthz")
        client.get("/readyz")
    assert request_figures(values) == {}


def test_a_fault_of_ours_is_counted_as_one(client: Client, monkeypatch: pytest.MonkeyPatch, grown: Callable) -> None:
    from accounts.views import sign_in

    def fail(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sign_in, "render", fail)
    client.raise_request_exception = False
    with grown() as values:
        client.get("/sign-in/")
    assert request_figures(values) == {"bank_requests_total{method=GET,route=sign_in,status=500}": 1}


# --- What waits ------------------------------------------------------------------------------------------------


def value_of(name: str) -> float:
    return shown()[name]


def test_an_empty_bank_waits_for_nothing() -> None:
    values = shown()
    assert values["bank_database_answers{}"] == 1
    for name in ("bank_outbox_age_seconds{}", "bank_mail_queue_age_seconds{}", "bank_audit_unsealed_age_seconds{}"):
        assert values[name] == 0
    waiting = {name: value for name, value in values.items() if name.startswith("bank_waiting")}
    assert len(waiting) == 6
    assert set(waiting.values()) == {0}


def test_the_age_of_the_outbox_is_that_of_its_oldest_message(send: Callable) -> None:
    send("10.00")
    OutboxMessage.objects.update(created_at=timezone.now() - timedelta(hours=2), expanded_at=None)
    assert 7199 < value_of("bank_outbox_age_seconds{}") < 7260
    outbox.expand_waiting()
    assert value_of("bank_outbox_age_seconds{}") == 0


@in_one_world("status", [STATUS.queued, STATUS.requeued])
def test_the_age_of_the_queue_is_that_of_its_oldest_mail(send: Callable, status: int) -> None:
    send("10.00")
    outbox.expand_waiting()
    Email.objects.update(status=status, created=timezone.now() - timedelta(minutes=10))
    assert 599 < value_of("bank_mail_queue_age_seconds{}") < 660
    Email.objects.update(status=STATUS.sent)
    assert value_of("bank_mail_queue_age_seconds{}") == 0


def test_a_mail_that_was_given_up_waits_for_somebody(send: Callable) -> None:
    send("10.00")
    outbox.expand_waiting()
    Email.objects.update(status=STATUS.failed)
    assert value_of("bank_waiting{what=failed_mails}") == Email.objects.count()


def test_unsealed_entries_grow_old_until_they_are_sealed(alice: Any) -> None:
    record(Action.LOGOUT, actor=alice, at=timezone.now() - timedelta(hours=3))
    assert 10799 < value_of("bank_audit_unsealed_age_seconds{}") < 10860
    sealing.seal()
    assert value_of("bank_audit_unsealed_age_seconds{}") == 0
    record(Action.LOGOUT, actor=alice, at=timezone.now() - timedelta(minutes=1))
    assert 59 < value_of("bank_audit_unsealed_age_seconds{}") < 120


def test_a_clock_that_was_set_back_makes_no_negative_age(alice: Any) -> None:
    record(Action.LOGOUT, actor=alice, at=timezone.now() + timedelta(hours=1))
    assert value_of("bank_audit_unsealed_age_seconds{}") == 0


def test_a_job_that_is_due_or_fails_is_told() -> None:
    due = timezone.now() - timedelta(minutes=30)
    ScheduledJob.objects.create(name="verify_ledger", next_at=due, failures=2)
    ScheduledJob.objects.create(name="clean_up", next_at=timezone.now() + timedelta(hours=1))
    values = shown()
    assert 1799 < values["bank_job_overdue_seconds{job=verify_ledger}"] < 1860
    assert values["bank_job_failures{job=verify_ledger}"] == 2
    assert values["bank_job_overdue_seconds{job=clean_up}"] == values["bank_job_failures{job=clean_up}"] == 0


def test_all_that_waits_is_asked_for_in_six_statements(send: Callable, django_assert_num_queries: Any) -> None:
    send("12345.67")
    with django_assert_num_queries(6):
        figures.exposition()


def test_without_its_database_the_bank_still_tells_what_it_has_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OperationalError("could not connect to db.internal as bank_app")

    monkeypatch.setattr(figures, "_oldest_message", fail)
    text = figures.exposition().decode()
    assert "bank_database_answers 0.0" in text
    assert "bank_waiting" not in text
    assert "bank_requests_total" in text
    assert "db.internal" not in text


@proves("V16.2.5")
def test_no_person_amount_or_number_is_in_any_of_it(
    send: Callable, alice: Any, bob: Any, client: Client, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        order = send("4321.09")
    settings.METRICS_TOKEN = TOKEN
    text = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).content.decode()
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    # Times are values with many digits: any four of them may occur by chance.
    names = "\n".join(name for name, _, _ in samples)
    for word in (alice.email, bob.email, "Alice", "Bob", order.source.number, order.target.number, "4321", TOKEN):
        assert word not in names
    assert not {4321.09, 432109.0} & {float(value) for _, _, value in samples}
    assert REGISTRY.get_sample_value("bank_events_total", {"action": "TRANSFER_CREATED", "kind": "payment", "code": ""})
