"""A connection that is lost, before and at COMMIT: nothing is done twice, and every promise is kept (R3.4, R3.5); and a
disk that is full or fails. The faults are injected; the words are the drivers' own."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.db import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from django.db.backends.utils import CursorWrapper
from post_office.models import Email

from accounts.models import BankAccount
from audit.actions import Action
from audit.models import AuditEntry
from foundation import standby, transactions
from foundation.drivers import DriverText
from foundation.models import OutboxMessage, RateWindow
from foundation.request_context import RequestContext, request_context
from foundation.rest.problems import CONTENT_TYPE
from foundation.transactions import (
    ATTEMPTS,
    OutcomeUnknown,
    OutOfTime,
    give_up,
    is_away,
    is_connection_lost,
    is_deadlock_victim,
    is_disk_full,
    own_repeatable_transaction,
    own_transaction,
)
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.ledger import verification
from transfers.ledger.posting import InsufficientFunds
from transfers.models import CustomerLimit, Entry, OrderKind, Transaction, TransferOrder
from transfers.orders.instruction import Instruction

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LINK_FAILURE = "Driver Error: Communication link failure; DDBC Error: [Microsoft]TCP Provider: Error code 0x68"


# --- What is said by whom -----------------------------------------------------------------------------------


class _Shutdown(Exception):
    sqlstate = "57P01"


class _IoError(Exception):
    sqlstate = "58030"


class _DiskFull(Exception):
    sqlstate = "53100"


def said(text: str, cause: Exception | None = None) -> Error:
    error = OperationalError(text)
    error.__cause__ = cause
    return error


@in_one_world(
    "error",
    [
        said(LINK_FAILURE),
        said("Driver Error: Client unable to establish connection; DDBC Error: [Microsoft]TCP Provider: Error"),
        said("('08S01', '[08S01] [Microsoft][ODBC Driver 18 for SQL Server]TCP Provider: Error code 0x20 (32)')"),
        said("('HYT00', '[HYT00] [Microsoft][ODBC Driver 18 for SQL Server]Login timeout expired (0)')"),
        Error("('08S02', '[08S02] SMux Provider: Physical connection is not usable')"),
        said("consuming input failed: server closed the connection unexpectedly"),
        said("the connection is lost"),
        InterfaceError("connection already closed"),
        ProgrammingError("Cannot open a new connection in an atomic block."),
        said("in another language", _Shutdown()),
        InternalError("cannot execute INSERT in a read-only transaction (25006)"),
        said('connection failed: connection to server at "127.0.0.1", port 5432 failed: Connection refused'),
        said("disk I/O error"),
        said("unable to open database file"),
        said("could not read block 7 in file base/5/16384", _IoError()),
        said("connection failed: :1: 5432 failed: FATAL:  the database system is starting up"),
        said('connection failed: connection to server at "127.0.0.1", port 5433 failed: session is read-only'),
        said("connection timeout expired\nMultiple connection attempts failed. All failures were:"),
        said("failed to resolve host 'db1.example': [Errno -3] Temporary failure in name resolution"),
        said("consuming input failed: could not receive data from server: Connection reset by peer"),
        said("consuming input failed: SSL SYSCALL error: EOF detected"),
        said("sending prepared query failed: no connection to the server"),
        said("flushing failed: could not send data to server: Broken pipe"),
    ],
    ids=str,
)
def test_a_lost_connection_is_known_by_what_the_drivers_say(error: Error) -> None:
    assert is_connection_lost(error)
    assert not is_deadlock_victim(error)


@in_one_world(
    "error",
    [
        said("database or disk is full"),
        said("could not extend file base/5/16384", _DiskFull()),
        said("Could not allocate space for object 'a' because the 'PRIMARY' filegroup is full."),
        said("The transaction log for database 'bank' is full due to 'LOG_BACKUP'."),
    ],
    ids=str,
)
def test_a_full_disk_is_known_too(error: Error) -> None:
    assert is_disk_full(error)
    assert is_away(error)
    assert not is_connection_lost(error)
    assert not is_deadlock_victim(error)


@in_one_world(
    "error",
    [
        said("no such table: t"),
        said("database is locked"),
        said("('HYT00', '[HYT00] Query timeout expired')"),
        IntegrityError("Key (nickname)=(the connection is lost, 1205) already exists."),
        IntegrityError("Key (nickname)=(database or disk is full) already exists."),
        DataError("String or binary data would be truncated. Truncated value: 'deadlock'."),
        said("conversion of 120512 failed"),
    ],
    ids=str,
)
def test_nothing_else_is_taken_for_one(error: Error) -> None:
    # A value that a person has chosen must not make their request run five times.
    assert not is_away(error)
    if not isinstance(error, OperationalError) or "locked" not in str(error):
        assert not is_deadlock_victim(error)


# --- Before COMMIT ------------------------------------------------------------------------------------------


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions.time, "sleep", lambda seconds: None)


class Losing:
    """A service whose connection is lost the first few times, after it has written."""

    def __init__(self, times: int, *, quietly: bool = False) -> None:
        self.times, self.quietly, self.calls = times, quietly, 0

    def __call__(self) -> str:
        self.calls += 1
        RateWindow.objects.create(key=f"call {self.calls}", last_at=NOON)
        if self.calls <= self.times:
            connection.close()
            if not self.quietly:
                raise OperationalError(LINK_FAILURE)
        return "done"


def written() -> list[str]:
    return list(RateWindow.objects.values_list("key", flat=True))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("own", [own_transaction, own_repeatable_transaction])
@pytest.mark.parametrize("quietly", [False, True])
def test_before_commit_the_service_runs_again_over_a_new_connection(
    no_waiting: None, own: Callable, quietly: bool
) -> None:
    """Even if the service itself has noticed nothing: Django would silently leave the block."""
    service = Losing(2, quietly=quietly)
    assert own(service)() == "done"
    assert service.calls == 3
    assert written() == ["call 3"]


@pytest.mark.django_db(transaction=True)
def test_a_server_that_stays_away_is_told_of(no_waiting: None) -> None:
    service = Losing(ATTEMPTS)
    with pytest.raises(OperationalError, match="link failure") as told:
        own_transaction(service)()
    assert not isinstance(told.value, OutcomeUnknown)
    assert service.calls == ATTEMPTS
    assert written() == []


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_long_for_it(no_waiting: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that drops packets takes seconds at every try, and a worker that waits serves nobody."""
    monkeypatch.setattr(transactions, "_PATIENCE_SECONDS", 0)
    service = Losing(ATTEMPTS)
    with pytest.raises(OperationalError, match="link failure"):
        own_transaction(service)()
    assert service.calls == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="the server's own way of ending a connection")
def test_a_connection_that_the_server_ends_is_replaced() -> None:
    calls = []

    @own_transaction
    def service() -> None:
        calls.append(1)
        RateWindow.objects.create(key=f"call {len(calls)}", last_at=NOON)
        if len(calls) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    service()
    assert written() == ["call 2"]


# --- At COMMIT ----------------------------------------------------------------------------------------------


@pytest.fixture
def lost_at_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let COMMIT reach the server or not, and lose the answer, as often as asked."""

    def lose(*, reaches: bool, times: int = 1) -> list[str]:
        wrapper: Any = connections["default"]
        commit = wrapper._commit
        lost: list[str] = []

        def losing() -> None:
            if len(lost) >= times:
                return commit()
            lost.append("COMMIT")
            if reaches:
                commit()
            wrapper._rollback()
            raise OperationalError(LINK_FAILURE)

        monkeypatch.setattr(wrapper, "_commit", losing)
        return lost

    return lose


@proves("V2.3.3")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("reaches", [True, False])
def test_what_could_be_done_twice_is_not_run_again(no_waiting: None, lost_at_commit: Callable, reaches: bool) -> None:
    service = Losing(0)
    lost_at_commit(reaches=reaches)
    with pytest.raises(OutcomeUnknown) as told:
        own_transaction(service)()
    assert "link failure" in str(told.value.__cause__)
    assert service.calls == 1
    assert written() == (["call 1"] if reaches else [])


@pytest.mark.django_db(transaction=True)
def test_what_finds_its_own_work_is_run_again(no_waiting: None, lost_at_commit: Callable) -> None:
    lost_at_commit(reaches=True)

    @own_repeatable_transaction
    def service() -> bool:
        return RateWindow.objects.get_or_create(key="k", defaults={"last_at": NOON})[1]

    assert service() is False, "the second run has found what the first one did"


@pytest.mark.django_db(transaction=True)
def test_what_fails_otherwise_after_it_does_not_say_that_nothing_was_done(
    no_waiting: None, lost_at_commit: Callable
) -> None:
    """The second run knows nothing about the first: its own fault says nothing about it."""
    lost_at_commit(reaches=True)
    service = Losing(0)

    def failing_then() -> str:
        if service.calls:
            raise OperationalError("no such table: t")
        return service()

    with pytest.raises(OutcomeUnknown):
        own_repeatable_transaction(failing_then)()
    assert written() == ["call 1"]


# --- When the worker's time is over -------------------------------------------------------------------------


def test_only_what_a_request_waits_for_is_given_up() -> None:
    give_up()
    with request_context(RequestContext(request_id="some")), pytest.raises(OutOfTime):
        give_up()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("own", [own_transaction, own_repeatable_transaction])
def test_what_ran_out_of_time_is_not_run_again(no_waiting: None, own: Callable) -> None:
    service = Losing(0)

    def waiting() -> None:
        service()
        raise OutOfTime

    with pytest.raises(OutOfTime):
        own(waiting)()
    assert service.calls == 1
    assert written() == []


@pytest.mark.django_db(transaction=True)
def test_what_ran_out_of_time_at_commit_may_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_time() -> None:
        raise OutOfTime

    service = Losing(0)
    with monkeypatch.context() as waiting:
        waiting.setattr(connections["default"], "_commit", out_of_time)
        with pytest.raises(OutcomeUnknown):
            own_repeatable_transaction(service)()
    assert service.calls == 1


@pytest.mark.django_db(transaction=True)
def test_what_ran_out_of_time_between_two_runs_may_be_done_by_the_first(
    lost_at_commit: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.5: told that nothing was changed, a customer would pay again."""

    def out_of_time(seconds: float) -> None:
        raise OutOfTime

    lost_at_commit(reaches=True)
    service = Losing(0)
    with monkeypatch.context() as waiting:
        waiting.setattr(transactions.time, "sleep", out_of_time)
        with pytest.raises(OutcomeUnknown):
            own_repeatable_transaction(service)()
    assert written() == ["call 1"]


@pytest.mark.django_db(transaction=True)
def test_what_ran_out_of_time_between_two_runs_of_which_none_is_done_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_time(seconds: float) -> None:
        raise OutOfTime

    with monkeypatch.context() as waiting:
        waiting.setattr(transactions.time, "sleep", out_of_time)
        with pytest.raises(OutOfTime):
            own_repeatable_transaction(Losing(1))()
    assert written() == []


@pytest.mark.django_db(transaction=True)
def test_a_statement_is_cancelled_when_the_time_is_over_and_a_commit_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """R3.4: a COMMIT that no longer waits for the standby is seen by everybody, and undone by a failover."""
    cancelled: list[str] = []
    monkeypatch.setattr(transactions, "_cancel", lambda: cancelled.append("cancelled"))
    with request_context(RequestContext(request_id="some")):
        with pytest.raises(OutOfTime):
            give_up()
        with pytest.raises(OutOfTime):
            own_transaction(give_up)()
        assert len(cancelled) == 2, "outside of transactions, and inside"
        with monkeypatch.context() as waiting:
            waiting.setattr(connections["default"], "_commit", give_up)
            with pytest.raises(OutcomeUnknown):
                own_transaction(Losing(0))()
            with pytest.raises(OutOfTime), transaction.atomic():
                RateWindow.objects.create(key="without a service", last_at=NOON)
    assert len(cancelled) == 2


# --- At COMMIT, answered, and not on the standby ------------------------------------------------------------


@pytest.fixture
def warned(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Follow the next commits with PostgreSQL's warning after a cancelled wait for its standby."""

    def warn(times: int) -> None:
        wrapper: Any = connections["default"]
        commit = wrapper._commit
        left = ["canceling wait for synchronous replication"] * times
        heard: list[str] = []

        def committing() -> None:
            commit()
            heard.extend(left[:1])
            del left[:1]

        monkeypatch.setattr(wrapper, "_commit", committing)
        monkeypatch.setattr(standby, "_heard_on", lambda connection: heard)

    return warn


@pytest.mark.django_db(transaction=True)
def test_what_the_standby_does_not_have_is_not_promised(no_waiting: None, warned: Callable) -> None:
    warned(1)
    with pytest.raises(OutcomeUnknown):
        own_transaction(Losing(0))()
    assert written() == ["call 1"], "it is there, for as long as this server is"
    assert own_transaction(lambda: "done")() == "done", "and it is no matter of the next one"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("times", [1, ATTEMPTS])
def test_what_finds_its_own_work_waits_for_the_standby_again(no_waiting: None, warned: Callable, times: int) -> None:
    """Under a lock, which is recorded too: its own COMMIT waits until the standby has all earlier ones."""
    warned(times)

    @own_repeatable_transaction
    def service() -> bool:
        return RateWindow.objects.get_or_create(key="k", defaults={"last_at": NOON})[1]

    if times < ATTEMPTS:
        assert service() is False
    else:
        with pytest.raises(OutcomeUnknown):
            service()


@pytest.mark.django_db(transaction=True)
def test_it_is_unknown_to_the_last_whether_the_first_run_was_committed(
    no_waiting: None, lost_at_commit: Callable
) -> None:
    lost_at_commit(reaches=False)
    service = Losing(0)

    def away_from_then_on() -> str:
        if service.calls:
            raise OperationalError(LINK_FAILURE)
        return service()

    with pytest.raises(OutcomeUnknown):
        own_repeatable_transaction(away_from_then_on)()


# --- A disk that takes nothing ------------------------------------------------------------------------------


FULL, BROKEN = "database or disk is full", "disk I/O error"


@pytest.fixture
def disk_fails_at_commit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Let COMMIT fail with these words, this often; the writes are rolled back."""

    def fail(words: str, times: int = 1) -> list[str]:
        wrapper: Any = connections["default"]
        commit = wrapper._commit
        failed: list[str] = []

        def failing() -> None:
            if len(failed) >= times:
                return commit()
            failed.append(words)
            wrapper._rollback()
            raise OperationalError(words)

        monkeypatch.setattr(wrapper, "_commit", failing)
        return failed

    return fail


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("own", [own_transaction, own_repeatable_transaction])
def test_a_full_disk_is_told_at_once_and_the_connection_is_not_used_again(
    no_waiting: None, own: Callable, disk_fails_at_commit: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was done, and another run would find no room either."""
    closed: list[bool] = []
    monkeypatch.setattr(connection, "close", lambda: closed.append(True))
    service = Losing(0)
    disk_fails_at_commit(FULL)
    with pytest.raises(OperationalError, match="full") as told:
        own(service)()
    assert not isinstance(told.value, OutcomeUnknown)
    assert (service.calls, closed, written()) == (1, [True], [])
    assert own(service)() == "done", "the next request finds the disk healed"


@pytest.mark.django_db(transaction=True)
def test_after_a_failed_sync_the_outcome_is_unknown(no_waiting: None, disk_fails_at_commit: Callable) -> None:
    """The commit may come back when the file is opened again: only a service that finds its own work is run again."""
    disk_fails_at_commit(BROKEN)
    with pytest.raises(OutcomeUnknown):
        own_transaction(Losing(0))()
    disk_fails_at_commit(BROKEN)
    assert own_repeatable_transaction(Losing(0))() == "done"


@pytest.mark.django_db(transaction=True)
def test_a_disk_that_fills_up_after_a_failed_sync_does_not_make_it_known(
    no_waiting: None, disk_fails_at_commit: Callable
) -> None:
    disk_fails_at_commit(BROKEN)
    service = Losing(0)

    def full_from_then_on() -> str:
        if service.calls:
            raise OperationalError(FULL)
        return service()

    with pytest.raises(OutcomeUnknown):
        own_repeatable_transaction(full_from_then_on)()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("words", "times", "code"), [(FULL, 1, "database_away"), (BROKEN, ATTEMPTS, "outcome_unknown")]
)
def test_a_payment_on_a_disk_that_takes_nothing_is_503_and_the_next_one_is_made(
    alice: Any,
    open_account: Callable,
    api_of: Callable,
    no_waiting: None,
    disk_fails_at_commit: Callable,
    words: str,
    times: int,
    code: str,
) -> None:
    """R3.5, R7.3: in the shape of all errors, for a while, and nothing half done."""
    source, target = open_account(alice, "100.00"), open_account(alice)
    api = api_of(alice)
    body = {"to": target.number, "amount": "10.00"}
    disk_fails_at_commit(words, times=times)
    answer = api.post(f"accounts/{source.number}/transfer", body, Idempotency_Key="no-room-for-it")
    assert (answer.status_code, answer["Retry-After"], answer.json()["code"]) == (503, "5", code)
    assert not TransferOrder.objects.filter(source=source).exists()
    again = api.post(f"accounts/{source.number}/transfer", body, Idempotency_Key="no-room-for-it")
    assert again.status_code == 201
    assert TransferOrder.objects.filter(source=source).count() == 1
    assert list(verification.faults()) == []


def test_a_page_that_fails_for_another_reason_does_not_ask_to_wait(
    alice: Any, browser_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("no such table: t")

    monkeypatch.setattr("transfers.views.payees.payee_selectors.payees_of", broken)
    browser = browser_of(alice)
    browser.raise_request_exception = False
    assert browser.get("/payees/").status_code == 500


# --- A transfer ---------------------------------------------------------------------------------------------


@proves("V2.3.3")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("reaches", [True, False])
def test_a_payment_whose_commit_is_lost_is_made_once(
    alice: Any, bob: Any, open_account: Callable, no_waiting: None, monkeypatch: Any, lost_at_commit: Any, reaches: bool
) -> None:
    """R3.5: its key is looked for under the customer's lock."""
    from transfers.orders import placing

    source, target = open_account(alice, "100.00"), open_account(bob)
    body: Any = placing._carry_out.__wrapped__  # type: ignore[attr-defined]
    lost: list[list[str]] = []

    def place(*args: Any, **named: Any) -> Any:
        order = body(*args, **named)
        if not lost:
            lost.append(lost_at_commit(reaches=reaches))
        return order

    monkeypatch.setattr(placing, "_carry_out", own_repeatable_transaction(place))
    order = acts.transfer(
        actor=alice, source=source, target=target, amount=Decimal(10), idempotency_key="lost at commit"
    )
    assert lost == [["COMMIT"]]
    assert TransferOrder.objects.get(source=source).pk == order.pk
    balances = dict(BankAccount.objects.filter(pk__in=[source.pk, target.pk]).values_list("pk", "balance"))
    assert balances == {source.pk: Decimal(90), target.pk: Decimal(10)}
    assert AuditEntry.objects.filter(action=Action.TRANSFER_CREATED).count() == 1
    assert list(verification.faults()) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["COMMIT", "record_many", "tell"])
def test_a_payment_that_was_never_committed_leaves_nothing_and_nobody_is_told(
    alice: Any,
    bob: Any,
    open_account: Callable,
    no_waiting: None,
    lost_at_commit: Callable,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    """R3.4, R3.8, R6.1: neither mail nor audit entry reports money that has not moved, and none moves without them."""
    from transfers.orders import placing

    def away(*args: Any, **named: Any) -> None:
        raise OperationalError(LINK_FAILURE)

    source, target = open_account(alice, "100.00"), open_account(bob)
    acts.know(alice, target)
    before = left_by_payments(source, target)
    if step == "COMMIT":
        lost_at_commit(reaches=False, times=ATTEMPTS)
    else:
        monkeypatch.setattr(placing if step == "record_many" else placing.outbox, step, away)
    with pytest.raises(OperationalError):
        acts.transfer(actor=alice, source=source, target=target, amount=Decimal(10), idempotency_key="never there")
    assert left_by_payments(source, target) == before


def left_by_payments(*accounts: BankAccount) -> dict[str, Any]:
    """Return everything that a payment leaves: rows, waiting mails, and sent mails."""
    written = (TransferOrder, Transaction, Entry, AuditEntry, OutboxMessage, Email)
    rows = BankAccount.objects.filter(pk__in=[account.pk for account in accounts]).order_by("pk")
    return {
        "balances": list(rows.values_list("balance", "last_sequence")),
        "limits": list(CustomerLimit.objects.order_by("pk").values()),
        "mails": len(mail.outbox),
    } | {model.__name__: model.objects.count() for model in written}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", ["_carry_out", "_refuse"], ids=["without a code", "of a code"])
@pytest.mark.parametrize("reaches", [True, False])
def test_a_refusal_whose_commit_is_lost_counts_once_and_is_recorded_once(
    alice: Any,
    bob: Any,
    open_account: Callable,
    no_waiting: None,
    monkeypatch: Any,
    settings: Any,
    lost_at_commit: Any,
    reaches: bool,
    step: str,
) -> None:
    """R3.9: nor does the place that it has taken itself report that the minute is full."""
    from transfers.orders import placing

    settings.TRANSFERS_PER_MINUTE = 1
    source, target = open_account(alice, "100.00"), open_account(bob)
    acts.know(alice, target)
    body: Any = getattr(placing, step).__wrapped__
    lost: list[list[str]] = []

    def run(*args: Any, **named: Any) -> Any:
        refusal = body(*args, **named)
        if not lost:
            lost.append(lost_at_commit(reaches=reaches))
        return refusal

    def vouch() -> None:
        raise InsufficientFunds

    monkeypatch.setattr(placing, step, own_repeatable_transaction(run))
    sides = {"actor": alice, "source": source, "target": target}
    instruction = Instruction(
        OrderKind.PAYMENT, **sides, amount=Decimal(101), idempotency_key="refused at commit", at=NOON
    )
    with pytest.raises(InsufficientFunds):
        placing.place(instruction, vouch=vouch if step == "_refuse" else None)
    assert lost == [["COMMIT"]]
    assert AuditEntry.objects.filter(action=Action.TRANSFER_REFUSED).count() == 1
    assert len(json.loads(CustomerLimit.objects.get(user=alice).recent)["transfer"]) == 1


@in_one_world(
    ("error", "says"),
    [
        (OutcomeUnknown("secret"), "Look before you try again"),
        (OperationalError("connection failed: secret"), "database is away for a moment"),
        (OperationalError(f"{FULL}: secret"), "database is away for a moment"),
    ],
)
@in_one_world(
    "raised_in",
    [
        "transfers.views.payees.payee_selectors.payees_of",
        "accounts.sign_in.sessions.middleware.pages.open_row",  # around the page
        "accounts.sign_in.sessions.engine.SessionStore.load",
    ],
)
def test_a_page_says_that_the_database_is_away_without_asking_it(
    alice: Any, browser_of: Callable, monkeypatch: pytest.MonkeyPatch, error: Error, says: str, raised_in: str
) -> None:
    """Both in a page and in the middleware around all pages."""
    browser = browser_of(alice)
    browser.raise_request_exception = False
    with monkeypatch.context() as away:

        def lost(*args: Any, **kwargs: Any) -> None:
            away.setattr(CursorWrapper, "execute", lost)
            away.setattr(DriverText, "rows", lost)
            raise error

        away.setattr(raised_in, lost)
        answer = browser.get("/payees/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert says in answer.content.decode()
    assert "secret" not in answer.content.decode()


def test_a_session_that_cannot_be_saved_was_not_ended(
    alice: Any, browser_of: Callable, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Django would answer 400, as if the user had signed out meanwhile."""

    def lost(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("connection failed: secret")

    browser = browser_of(alice)
    browser.raise_request_exception = False
    settings.SESSION_SAVE_EVERY_REQUEST = True
    with monkeypatch.context() as away:
        away.setattr("accounts.sign_in.sessions.engine._writing.execute", lost)
        assert browser.get("/payees/").status_code == 503
    assert browser.get("/payees/").status_code == 200


def test_under_api_it_has_the_one_shape_though_no_route_was_asked(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """R7.3: such as from the middleware between the door and the routes."""

    def away(*args: Any) -> None:
        raise OperationalError("connection failed: secret")

    monkeypatch.setattr("axes.middleware.AxesMiddleware.__call__", away)
    client.raise_request_exception = False
    answer = client.get("/api/v1/accounts")
    assert (answer.status_code, answer["Retry-After"], answer["Content-Type"]) == (503, "5", CONTENT_TYPE)
    assert answer.json()["code"] == "database_away"


@pytest.mark.django_db(transaction=True)
def test_a_database_that_goes_away_after_the_payment_does_not_prove_that_none_was_made(
    alice: Any, open_account: Callable, api_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3.5: told that nothing was changed, a program would pay again under another key."""

    def away(*args: Any, **more: Any) -> None:
        raise OperationalError(LINK_FAILURE)

    source, target = open_account(alice, "100.00"), open_account(alice)
    body = {"to": target.number, "amount": "10.00"}
    with monkeypatch.context() as lost:
        lost.setattr("transfers.api.money.history.receipt_of", away)
        answer = api_of(alice).post(f"accounts/{source.number}/transfer", body, Idempotency_Key="away-after-it")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_away")
    assert TransferOrder.objects.filter(source=source).count() == 1
    assert "othing was changed" not in answer.json()["detail"]
    assert "With the same Idempotency-Key send it again" in answer.json()["detail"]
    again = api_of(alice).post(f"accounts/{source.number}/transfer", body, Idempotency_Key="away-after-it")
    assert again.status_code == 201
    assert TransferOrder.objects.filter(source=source).count() == 1
