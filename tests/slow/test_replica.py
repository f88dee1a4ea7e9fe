"""Reads from a replica, and reads that never go there (issue 7, Shows 3; R3.1, R6.4, R9.7).

The replica is a database of its own: it has the bank's rows from the beginning of the test, and gets nothing
afterwards, like a replica that is behind. So later events that are shown were read from the primary.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts import roles
from accounts.models import AccountKind, UserSession
from foundation import replica
from tests import acts
from tests.access_walk import Hers, api_operations, made_up, pages, text_of
from tests.asvs import proves
from tests.second_database import ROUTERS, replica_of_the_bank, sent_to_replica, statements
from tests.staff_acts import REASON, an_origin, fresh_code
from transfers import history
from transfers.accounts import closing, opening, renaming
from transfers.history import search as filtered
from transfers.history.filters import HistoryFilters
from transfers.models import Entry, OrderState, Payee, TransferOrder
from transfers.orders import cash, holds, own_limits, reversals, sending
from transfers.payees import services as payees

pytestmark = pytest.mark.django_db(transaction=True)

# --- The tables: what asks the replica; nothing else does --------------------------------------------------------

PAGES = {"history", "history_export", "statement"}
OPERATIONS = {
    "accounts/{number}/statements/{year}/{month}",
    "accounts/{number}/statements/{year}/{month}/pdf",
    "accounts/{number}/transactions",
    "transactions",
    "audit/entries",
    "staff/transactions",
    "users",
}
MODELS = {
    "accounts.BankAccount",
    "accounts.PendingAct",
    "accounts.User",
    "audit.AuditBlock",
    "audit.AuditEntry",
    "support.ServiceRequest",
    "support.Ticket",
    "transfers.Entry",
    "transfers.FraudAlert",
    "transfers.Payee",
    "transfers.Transaction",
    "transfers.TransferOrder",
}


@pytest.fixture(autouse=True)
def _forgives() -> Iterator[None]:
    """Forget failures: what one test's replica did must not affect another."""
    yield
    replica._replica.away_until = 0


@pytest.fixture
def copied(settings: Any) -> Callable[[], Any]:
    """`with copied() as database:` — inside the block the bank has a replica, which does not change."""

    def copy() -> Any:
        settings.DATABASE_ROUTERS = ROUTERS
        settings.TRANSFERS_PER_MINUTE = settings.DEPOSITS_PER_MINUTE = settings.WITHDRAWALS_PER_MINUTE = 10_000
        return replica_of_the_bank()

    return copy


def wrote_long_ago(*, seconds: int = 11) -> None:
    UserSession.objects.update(wrote_at=timezone.now() - timedelta(seconds=seconds))


def asks_replica(ask: Callable[[], Any]) -> bool:
    """Return whether the answer, which must be a success, was read there: by statements that only read."""
    with statements() as told:
        answer = ask()
        text_of(answer)
    assert answer.status_code == 200
    read = sent_to_replica(told)
    assert [sql for sql in read if not sql.lstrip().upper().startswith(("SELECT", "DECLARE", "FETCH"))] == []
    return bool(read)


# --- Which addresses ask it ---------------------------------------------------------------------------------------


@proves("V15.4.2")
def test_three_pages_of_a_customer_ask_the_replica(
    hers: Hers, alice: Any, browser_of: Any, copied: Callable[[], Any]
) -> None:
    with copied():
        asked = set()
        for name, page in pages().items():
            values = made_up() | hers.of_page.get(name, {})
            with statements() as told:
                answer = browser_of(alice).get(page.path(values))
                text_of(answer)
            if sent_to_replica(told):
                asked.add(name)
        assert asked == PAGES


@pytest.mark.parametrize("query", ["text=Zanzibar", "type=transfer&min_amount=0.01", "date_from=2020-01-01"])
def test_filters_and_searches_ask_only_the_replica_for_movements(
    query: str, hers: Hers, alice: Any, browser_of: Any, copied: Callable[[], Any]
) -> None:
    with copied(), statements() as told:
        assert browser_of(alice).get(f"/history/?{query}").status_code == 200
    primary = [sql for alias, sql in told if alias == "default"]
    assert [sql for sql in primary if "transfers_entry" in sql or "transfers_payee" in sql] == []
    assert len(sent_to_replica(told)) >= 3


def test_seven_operations_of_programs_ask_the_replica(
    hers: Hers, alice: Any, audrey: Any, api_of: Any, copied: Callable[[], Any]
) -> None:
    today = timezone.localdate()
    order = TransferOrder.objects.get(kind="payment")
    values = {
        "number": hers.fields["number"], "year": today.year, "month": today.month, "order_id": order.public_id,
        "payee_id": Payee.objects.get(customer=alice).public_id, "ticket_id": hers.fields["ticket"],
        "request_id": hers.fields["request"], "user_id": alice.public_id,
    }  # fmt: skip
    with copied():
        clients = [api_of(alice), api_of(audrey)]
        wrote_long_ago()
        asked = set()
        for operation in api_operations():
            verb, path = operation.replace("/api/v1/", "").replace(" /", " ").split(" ")
            if verb == "GET":
                address = path.format(**values)
                client = next(one for one in clients if one.get(address).status_code == 200)
                if asks_replica(lambda client=client, address=address: client.get(address)):  # type: ignore[misc]
                    asked.add(path)
        assert asked == OPERATIONS


def test_every_list_of_the_staff_and_its_download_ask_the_replica_and_rows_do_not(
    hers: Hers, ada: Any, browser_of: Any, copied: Callable[[], Any]
) -> None:
    with copied():
        for model, page in admin.site._registry.items():
            base = f"admin:{model._meta.app_label}_{model._meta.model_name}_"
            assert asks_replica(lambda: browser_of(ada).get(reverse(base + "changelist"))), model  # noqa: B023
            if hasattr(page, "export_view"):
                assert asks_replica(lambda: browser_of(ada).get(reverse(base + "export"))), model  # noqa: B023
            row = model._default_manager.first()
            if row is not None:
                assert not asks_replica(lambda: browser_of(ada).get(reverse(base + "change", args=[row.pk]))), model  # noqa: B023
        assert not asks_replica(lambda: browser_of(ada).get(reverse("admin:index")))


def test_a_search_in_the_staff_area_is_asked_there_too(
    alice: Any, ada: Any, browser_of: Any, copied: Callable[[], Any]
) -> None:
    with copied():
        browser = browser_of(ada)
        alice.delete()  # the replica does not know yet, so it alone can say this
        assert "alice@example.com" in text_of(browser.get("/admin/accounts/user/?q=alice"))
        wrote_long_ago(seconds=0)
        assert "alice@example.com" not in text_of(browser.get("/admin/accounts/user/?q=alice"))


@proves("V15.4.2")
def test_sessions_limits_codes_and_keys_are_read_from_no_replica() -> None:
    """Fail closed: a model that does not allow it is not read there, whatever function is marked."""
    assert {model._meta.label for model in apps.get_models() if getattr(model, "readable_on_replica", False)} == MODELS


def test_such_a_model_is_read_from_the_primary_even_by_a_marked_function(alice: Any, copied: Callable[[], Any]) -> None:
    ask = replica.may_be_behind(lambda: (UserSession.objects.count(), type(alice).objects.count()))
    with copied(), replica.question(), statements() as told:
        replica.asked_by(last_wrote_at=None)
        UserSession.objects.create(user=alice)
        assert ask() == (1, 1)
    (read,) = sent_to_replica(told)
    assert "accounts_user" in read
    assert "accounts_usersession" not in read


@pytest.mark.parametrize(("method", "may"), [("GET", True), ("HEAD", True), ("POST", False), ("DELETE", False)])
def test_a_request_that_may_change_something_reads_the_primary_only(
    method: str, may: bool, alice: Any, rf: Any, copied: Callable[[], Any]
) -> None:
    from accounts.sign_in.sessions.middleware import ReplicaMiddleware

    def answer(request: HttpRequest) -> HttpResponse:
        replica.asked_by(last_wrote_at=None)
        return HttpResponse(str(replica.may_be_behind(lambda: type(alice).objects.count())()))

    with copied(), statements() as told:
        assert ReplicaMiddleware(answer)(rf.generic(method, "/")).content == b"1"
    assert bool(sent_to_replica(told)) is may


# --- Money --------------------------------------------------------------------------------------------------------


@pytest.fixture
def rich(alice: Any, open_account: Callable[..., Any]) -> Any:
    return open_account(alice, "20000.00", nickname="Household")


def test_no_statement_of_a_payment_goes_to_the_replica(
    alice: Any, bob: Any, rich: Any, open_account: Callable[..., Any], browser_of: Any, copied: Callable[[], Any]
) -> None:
    """By the pages, from the form to the receipt, with a session that may read there."""
    payee = open_account(bob)
    acts.know(alice, payee)
    with copied(), statements() as told:
        browser = browser_of(alice)
        form = {"source": str(rich.public_id), "number": payee.number, "amount": "1.00", "description": "Rent"}
        for path in ("/dashboard/", f"/accounts/{rich.public_id}/", "/transfer/send/"):
            wrote_long_ago()
            assert browser.get(path).status_code == 200
        review = browser.post("/transfer/send/", form)["Location"]
        wrote_long_ago()
        assert browser.get(review).status_code == 200
        receipt = browser.post(review)["Location"]
        wrote_long_ago()
        assert "Rent" in text_of(browser.get(receipt))
        for name in ("deposit", "withdraw"):
            path = reverse(name, args=[rich.public_id])
            assert browser.get(path).status_code == 200
            review = browser.post(path, {"amount": "1.00"})["Location"]
            wrote_long_ago()
            assert browser.get(review).status_code == 200
            assert browser.post(review)["Location"].startswith("/receipts/")
    assert sent_to_replica(told) == []


def test_no_statement_of_a_payment_by_a_program_goes_to_the_replica(
    alice: Any, bob: Any, rich: Any, open_account: Callable[..., Any], api_of: Any, copied: Callable[[], Any]
) -> None:
    payee = open_account(bob)
    acts.know(alice, payee)
    with copied():
        program = api_of(alice)
        wrote_long_ago()
        with statements() as told:
            paths = {"transfer": {"to": payee.number}, "deposit": {}, "withdraw": {}}
            for verb, more in paths.items():
                answer = program.post(
                    f"accounts/{rich.number}/{verb}", {"amount": "1.00"} | more, Idempotency_Key=f"key-{verb}-0000000"
                )
                assert answer.status_code == 201, answer.content
        assert sent_to_replica(told) == []


@proves("V15.4.2")
def test_no_service_that_moves_money_or_decides_about_it_reads_the_replica(
    alice: Any, bob: Any, sam: Any, ada: Any, open_account: Callable[..., Any], copied: Callable[[], Any]
) -> None:
    """Called where a page might have read there: in a question of a user who has changed nothing."""
    rich, other, payee = open_account(alice, "40000.00"), open_account(alice), open_account(bob)
    pair = {"actor": alice, "source": rich, "target": payee}

    def decide(decision: Callable[..., Any]) -> None:
        held = acts.transfer(amount=Decimal(10_001), idempotency_key=uuid4().hex, **pair)
        decision(actor=sam, order=held, reason=REASON)

    with copied(), replica.question(), statements() as told:
        replica.asked_by(last_wrote_at=None)
        paid = acts.transfer(amount=Decimal(10), idempotency_key=uuid4().hex, **pair)
        reversals.reverse_transaction(actor=ada, transaction=paid.transaction, reason=REASON)
        decide(holds.release_order)
        decide(holds.reject_order)
        sending.transfer(actor=alice, source=rich, target=other, amount=Decimal(1), idempotency_key=uuid4().hex)
        for service in (cash.deposit, acts.withdraw):
            service(actor=alice, account=rich, amount=Decimal(5), idempotency_key=uuid4().hex)
        at_counter = {"actor": sam, "account": rich, "amount": Decimal(5)}
        cash.deposit_at_counter(idempotency_key=uuid4().hex, **at_counter)
        cash.withdraw_at_counter(
            origin=an_origin(), customer_code=fresh_code(alice), idempotency_key=uuid4().hex, **at_counter
        )
        own_limits.lower_daily_limit(actor=alice, amount=Decimal(500))
        payees.find_payee(actor=alice, number=payee.number)
        payees.rename_payee(actor=alice, public_id=Payee.objects.get(customer=alice).public_id, label="Landlord")
        renaming.rename_account(actor=alice, account=rich, nickname="House")
        opened = opening.open_account(actor=alice, kind=AccountKind.SAVINGS, idempotency_key=uuid4().hex)
        closing.close_account(actor=alice, account=opened)
        history.daily_use(alice)
    assert sent_to_replica(told) == []
    assert Entry.objects.filter(account=rich).count() == 9


def test_even_a_marked_function_reads_the_primary_inside_a_transaction(rich: Any, copied: Callable[[], Any]) -> None:
    @replica.may_be_behind
    def entries() -> tuple[int, int]:
        outside = Entry.objects.filter(account=rich).count()
        with transaction.atomic():
            return outside, Entry.objects.filter(account=rich).count()

    with copied(), replica.question():
        replica.asked_by(last_wrote_at=None)
        cash.deposit(actor=rich.owner, account=rich, amount=Decimal(5), idempotency_key=uuid4().hex)
        assert entries() == (1, 2)
        with transaction.atomic():
            assert entries() == (2, 2)


def test_who_asks_is_read_from_the_primary_wherever_it_is_asked_first(alice: Any, copied: Callable[[], Any]) -> None:
    """A lock ends a session at its next request, though the replica does not have it yet (R1.6)."""
    from accounts.sign_in.axes import CountedPasswordBackend

    ask = replica.may_be_behind(lambda: CountedPasswordBackend().get_user(alice.pk))
    with copied(), replica.question(), statements() as told:
        replica.asked_by(last_wrote_at=None)
        assert ask() == alice
        type(alice).objects.filter(pk=alice.pk).update(locked_at=timezone.now())
        assert ask() is None
    assert sent_to_replica(told) == []


@pytest.mark.parametrize("is_lazy", [False, True])
def test_permissions_are_read_from_the_primary_wherever_the_person_was_read(
    is_lazy: bool, alice: Any, copied: Callable[[], Any]
) -> None:
    # R1.7: the replica still has the permission, and the user read there came without any.
    def ask() -> bool:
        user = type(alice).objects.get(pk=alice.pk)
        return roles.may(SimpleLazyObject(lambda: user) if is_lazy else user, "transfers.transfer_own_money")

    with copied(), replica.question(), statements() as told:
        replica.asked_by(last_wrote_at=None)
        Group.objects.get(name="Customer").permissions.clear()
        assert not replica.may_be_behind(ask)()
    assert len(sent_to_replica(told)) == 1, "the user alone"


# --- One's own changes --------------------------------------------------------------------------------------------


def shows(client: Client, word: str) -> bool:
    page = client.get("/history/")
    assert page.status_code == 200
    return word in page.content.decode()


def test_a_stale_replica_shows_a_customers_own_payment_at_once_on_every_server(
    alice: Any, bob: Any, rich: Any, open_account: Callable[..., Any], browser_of: Any, copied: Callable[[], Any]
) -> None:
    """Another client has its own middleware, like another machine: they share only the database."""
    payee = open_account(bob)
    acts.know(alice, payee)
    with copied():
        laptop, phone, bobs = browser_of(alice), browser_of(alice), browser_of(bob)
        form = {"source": str(rich.public_id), "number": payee.number, "amount": "1.00", "description": "Zanzibar"}
        laptop.post(laptop.post("/transfer/send/", form)["Location"])
        server = Client()
        server.cookies = laptop.cookies
        assert shows(laptop, "Zanzibar")
        assert shows(server, "Zanzibar")
        assert shows(phone, "Zanzibar")
        # Changes by others come when the replica has them; balances are never read there.
        assert not shows(bobs, "Zanzibar")
        assert "Zanzibar" in text_of(bobs.get("/dashboard/"))
        wrote_long_ago()
        assert not shows(laptop, "Zanzibar")
        browser = browser_of(alice)
        browser.post(reverse("account_settings", args=[rich.public_id]), {"nickname": "House"})
        assert shows(laptop, "Zanzibar")


def test_a_statement_never_lacks_what_has_moved(
    alice: Any,
    bob: Any,
    rich: Any,
    open_account: Callable[..., Any],
    api_of: Any,
    copied: Callable[[], Any],
    new_key: Any,
) -> None:
    """A document: payments by others are there, however far the replica is behind. Lists are still read there."""
    giver = open_account(bob, "50.00")
    acts.know(bob, rich)
    now = timezone.now()
    path = f"accounts/{rich.number}/statements/{now.year}/{now.month}"
    with copied():
        program = api_of(alice)
        wrote_long_ago()
        assert asks_replica(lambda: program.get(path))
        acts.transfer(actor=bob, source=giver, target=rich, amount=Decimal("7.77"), idempotency_key=new_key())
        assert "7.77" in text_of(program.get(path))
        assert "7.77" not in text_of(program.get(f"accounts/{rich.number}/transactions"))


def test_a_payment_by_a_program_is_seen_at_once_by_it_and_in_the_browser(
    alice: Any, rich: Any, browser_of: Any, api_of: Any, copied: Callable[[], Any]
) -> None:
    def descriptions() -> list[str]:
        return [item["description"] for item in program.get("transactions").json()["items"]]

    with copied():
        program, browser = api_of(alice), browser_of(alice)
        wrote_long_ago()
        made = program.post(
            f"accounts/{rich.number}/deposit",
            {"amount": "1.00", "description": "Zanzibar"},
            Idempotency_Key="key-of-a-deposit",
        )
        assert made.status_code == 201
        assert "Zanzibar" in descriptions()
        assert shows(browser, "Zanzibar")
        wrote_long_ago()
        assert "Zanzibar" not in descriptions()
        assert not shows(browser, "Zanzibar")


def test_who_has_just_signed_in_reads_the_primary(
    alice: Any, rich: Any, code_of: Any, copied: Callable[[], Any]
) -> None:
    """They may have changed something in the session before."""
    with copied():
        cash.deposit(actor=alice, account=rich, amount=Decimal(1), description="Zanzibar", idempotency_key=uuid4().hex)
        browser = Client()
        acts.give_password(browser, alice.email)
        acts.give_code(browser, code_of(alice))
        assert shows(browser, "Zanzibar")


def test_a_clerk_sees_at_once_in_the_list_what_they_have_decided(
    alice: Any, bob: Any, ada: Any, open_account: Callable[..., Any], browser_of: Any, copied: Callable[[], Any]
) -> None:
    held = acts.transfer(
        actor=alice, source=open_account(alice, "20000.00"), target=open_account(bob),
        amount=Decimal(10_001), idempotency_key=uuid4().hex,
    )  # fmt: skip
    waiting, act = "/admin/transfers/transferorder/?state__exact=held", "admin:transfers_transferorder_act"
    with copied():
        browser = browser_of(ada)
        assert "1 transfer order" in text_of(browser.get(waiting))
        browser.post(reverse(act, args=[held.pk, "release"]), {"reason": REASON})
        assert TransferOrder.objects.get(pk=held.pk).state == OrderState.RELEASED
        assert "0 transfer orders" in text_of(browser.get(waiting))
        wrote_long_ago()
        assert "1 transfer order" in text_of(browser.get(waiting))


def test_a_write_that_cannot_be_noted_is_answered_all_the_same(
    alice: Any, rich: Any, browser_of: Any, copied: Callable[[], Any], monkeypatch: Any, caplog: Any
) -> None:
    from django.db import OperationalError

    from accounts.sign_in.sessions import rows as user_sessions

    def fails(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the server said something about alice@example.com")

    monkeypatch.setattr(user_sessions, "note_write", fails)
    with copied():
        browser = browser_of(alice)
        answer = browser.post(reverse("account_settings", args=[rich.public_id]), {"nickname": "House"})
    assert answer.status_code == 302
    assert "A write was not noted for the replica: OperationalError" in caplog.text
    assert "alice@example.com" not in caplog.text


def test_nothing_is_noted_for_signed_out_visitors(db: Any, copied: Callable[[], Any]) -> None:
    with copied():
        assert acts.give_password(Client(), "nobody@example.com").status_code == 200
    assert not UserSession.objects.exists()


# --- A replica that is away -----------------------------------------------------------------------------------------


def put_away(database: Any) -> None:
    """Let nothing answer under its address any more."""
    database.close()
    database.settings_dict |= {"HOST": "127.0.0.1", "PORT": "1"}
    if database.vendor == "sqlite":
        database.settings_dict["NAME"] = "/nowhere/bank.sqlite3"


def test_without_the_replica_everything_is_answered_by_the_primary_and_said_once(
    hers: Hers, alice: Any, ada: Any, browser_of: Any, copied: Callable[[], Any], caplog: Any
) -> None:
    paths = [("/history/?text=Zanzibar", alice), ("/history/movements.csv", alice), ("/admin/audit/auditentry/", ada),
             ("/admin/audit/auditentry/export/", ada), ("/admin/transfers/transaction/export/", ada)]  # fmt: skip
    with copied() as database:
        put_away(database)
        for path, user in paths:
            replica._replica.away_until = 0
            caplog.clear()
            answer = browser_of(user).get(path)
            assert answer.status_code == 200
            assert len(text_of(answer).splitlines()) > 2
            (line,) = [record for record in caplog.records if record.name == "foundation.replica"]
            assert line.getMessage() == "The replica failed a read (OperationalError): the primary answers for now."
            # Reported once, and not tried again for a while.
            with statements() as told:
                text_of(browser_of(user).get(path))
            assert sent_to_replica(told) == []


def test_one_download_is_in_the_log_once_though_the_replica_failed_it(
    hers: Hers, ada: Any, browser_of: Any, copied: Callable[[], Any]
) -> None:
    from audit.models import AuditEntry

    with copied() as database:
        put_away(database)
        text_of(browser_of(ada).get("/admin/audit/auditentry/export/"))
    assert AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").count() == 1


def test_the_replica_is_tried_again_after_a_while(
    alice: Any, rich: Any, browser_of: Any, copied: Callable[[], Any]
) -> None:
    with copied() as database:
        here = dict(database.settings_dict)
        put_away(database)
        assert not asks_replica(lambda: browser_of(alice).get("/history/"))
        database.settings_dict |= {name: here[name] for name in ("NAME", "HOST", "PORT")}
        assert not asks_replica(lambda: browser_of(alice).get("/history/"))
        replica._replica.away_until -= replica.AWAY_SECONDS
        assert asks_replica(lambda: browser_of(alice).get("/history/"))


def test_a_download_goes_on_from_the_primary_when_the_replica_goes_away_during_it(
    alice: Any, rich: Any, copied: Callable[[], Any], monkeypatch: Any
) -> None:
    for number in range(9):
        cash.deposit(
            actor=alice, account=rich, amount=Decimal(number + 1), description=str(number), idempotency_key=uuid4().hex
        )
    monkeypatch.setattr(filtered, "CHUNK_ROWS", 2)
    with copied() as database:
        with replica.question():
            replica.asked_by(last_wrote_at=None)
            rows = history.filtered_rows(alice, HistoryFilters(), most=8)
        # The request is over, as when a server sends the file.
        with statements() as told:
            assert next(rows).description == "8"
        assert sent_to_replica(told)
        put_away(database)
        assert [row.description for row in rows] == ["7", "6", "5", "4", "3", "2", "1"]


def test_outside_a_request_everything_is_read_from_the_primary(
    alice: Any, rich: Any, copied: Callable[[], Any]
) -> None:
    """Jobs, commands and the mail worker: none of them says who asks, and neither does a request without a user."""
    with copied(), statements() as told:
        history.filtered_page(alice, HistoryFilters())
        replica.asked_by(last_wrote_at=None)
        history.filtered_page(alice, HistoryFilters())
        with replica.question():
            history.filtered_page(alice, HistoryFilters())
    assert sent_to_replica(told) == []


def test_rows_read_there_are_saved_and_followed_on_the_primary(
    alice: Any, bob: Any, rich: Any, copied: Callable[[], Any]
) -> None:
    @replica.may_be_behind
    def account() -> Any:
        return type(rich).objects.get(pk=rich.pk)

    with copied(), replica.question():
        replica.asked_by(last_wrote_at=None)
        found = account()
        assert found._state.db == replica.REPLICA
        with statements() as told:
            assert found.owner == alice
            found.nickname = "House"
            found.save(update_fields=["nickname"])
            found.owner = bob  # of another database, as in Django
            found.refresh_from_db()
        assert sent_to_replica(told) == []
        assert found.nickname == "House"


def test_nothing_is_migrated_there(rich: Any) -> None:
    router = replica.ReplicaRouter()
    assert router.allow_migrate("replica", "accounts") is False
    assert router.allow_migrate("default", "accounts") is None


def test_the_database_refuses_what_would_be_written_there(rich: Any, copied: Callable[[], Any]) -> None:
    from django.db import DatabaseError

    with copied(), pytest.raises(DatabaseError, match=r"readonly|read-only"):
        connections[replica.REPLICA].cursor().execute("UPDATE accounts_bankaccount SET nickname = 'x'")
