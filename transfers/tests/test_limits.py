"""How often and how much one customer pays out (R3.9)."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone

from accounts.models import BankAccount
from audit.models import AuditEntry
from foundation.limiter.limiter import TooOften
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers import history
from transfers.ledger.posting import InsufficientFunds
from transfers.models import CustomerLimit, OrderKind
from transfers.orders import cash, limits, own_limits
from transfers.orders.limits import DailyLimitReached

NOON = datetime(2026, 11, 17, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    """It is noon and stays noon, until a test says otherwise."""
    with time_machine.travel(NOON, tick=False) as coordinates:
        yield coordinates


@pytest.fixture(autouse=True)
def nothing_is_held(settings: Any) -> None:
    """Let every payment arrive, however large: test_holds.py tests what held orders do to limits."""
    settings.SUSPICIOUS_AMOUNT = Decimal(10**9)


@pytest.fixture
def pay(alice: Any, new_key: Callable) -> Callable[..., Any]:
    """`pay(source, target, "10.00")`, by Alice unless another says so."""

    def transfer(source: BankAccount, target: BankAccount, amount: str, **kwargs: Any) -> Any:
        kwargs.setdefault("idempotency_key", new_key())
        kwargs.setdefault("actor", alice)
        return acts.transfer(source=source, target=target, amount=Decimal(amount), **kwargs)

    return transfer


@pytest.fixture
def rich(alice: Any, open_account: Callable) -> BankAccount:
    return open_account(alice, "100000.00")


# --- By day -------------------------------------------------------------------------------------------------


@proves("V2.3.2")
@pytest.mark.usefixtures("no_minute_limits")
def test_the_daily_limit_is_exact_to_the_cent(rich: BankAccount, bobs: BankAccount, pay: Callable) -> None:
    pay(rich, bobs, "24999.99")
    pay(rich, bobs, "0.01")
    with pytest.raises(DailyLimitReached):
        pay(rich, bobs, "0.01")


def test_one_payment_may_use_the_whole_limit_and_none_more_than_it(
    rich: BankAccount, bobs: BankAccount, pay: Callable, books: Callable
) -> None:
    before = books()
    with pytest.raises(DailyLimitReached):
        pay(rich, bobs, "25000.01")
    assert books() == before
    pay(rich, bobs, "25000.00")


def test_withdrawals_count(
    alice: Any, rich: BankAccount, bobs: BankAccount, pay: Callable, new_key: Callable, books: Callable
) -> None:
    """Everything paid out to others or in cash."""
    pay(rich, bobs, "20000.00")
    acts.withdraw(actor=alice, account=rich, amount=Decimal("5000.00"), idempotency_key=new_key())
    before = books()
    with pytest.raises(DailyLimitReached):
        acts.withdraw(actor=alice, account=rich, amount=Decimal("0.01"), idempotency_key=new_key())
    with pytest.raises(DailyLimitReached):
        pay(rich, bobs, "0.01")
    assert books() == before


def test_transfers_between_own_accounts_and_deposits_do_not_count(
    alice: Any, rich: BankAccount, savings: BankAccount, bobs: BankAccount, pay: Callable, new_key: Callable
) -> None:
    pay(rich, savings, "60000.00")
    cash.deposit(actor=alice, account=rich, amount=Decimal("10000.00"), idempotency_key=new_key())
    assert history.daily_use(alice).used == 0
    pay(rich, bobs, "25000.00")


def test_the_limit_is_the_customers_not_the_accounts(
    alice: Any, rich: BankAccount, bobs: BankAccount, open_account: Callable, pay: Callable
) -> None:
    """And one customer's payments do not use up another's."""
    other = open_account(alice, "30000.00")
    pay(rich, bobs, "15000.00")
    with pytest.raises(DailyLimitReached):
        pay(other, bobs, "10000.01")
    pay(other, bobs, "10000.00")
    assert history.daily_use(alice).remaining == 0
    pay(bobs, rich, "25000.00", actor=bobs.owner)


def test_the_next_day_begins_again(rich: BankAccount, bobs: BankAccount, pay: Callable, alice: Any, clock: Any) -> None:
    pay(rich, bobs, "25000.00")
    clock.move_to(NOON.replace(hour=23, minute=59, second=59))
    assert history.daily_use(alice).remaining == 0
    with pytest.raises(DailyLimitReached):
        pay(rich, bobs, "0.01")
    clock.move_to(NOON.replace(day=18, hour=0))
    assert history.daily_use(alice).remaining == Decimal(25000)
    pay(rich, bobs, "25000.00")
    with pytest.raises(DailyLimitReached):
        pay(rich, bobs, "0.01")


def test_the_day_is_that_of_the_banks_time_zone(
    rich: BankAccount, bobs: BankAccount, pay: Callable, settings: Any
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"  # midnight there is 15:00 UTC
    pay(rich, bobs, "25000.00", at=NOON.replace(hour=14, minute=59))
    pay(rich, bobs, "25000.00", at=NOON.replace(hour=15))


def test_a_slow_clock_at_midnight_does_not_empty_the_new_days_count(
    rich: BankAccount, bobs: BankAccount, pay: Callable
) -> None:
    """Two servers whose clocks differ by a second must not double the limit."""
    midnight = NOON.replace(day=18, hour=0)
    pay(rich, bobs, "20000.00", at=midnight)
    pay(rich, bobs, "1000.00", at=midnight - timedelta(seconds=1))
    with pytest.raises(DailyLimitReached):
        pay(rich, bobs, "4000.01", at=midnight + timedelta(seconds=1))
    pay(rich, bobs, "4000.00", at=midnight + timedelta(seconds=1))


@pytest.mark.usefixtures("no_minute_limits")
def test_a_day_that_a_wrong_clock_counted_is_not_waited_for(
    rich: BankAccount, bobs: BankAccount, pay: Callable, alice: Any, clock: Any
) -> None:
    """A clock that was a month ahead would otherwise leave the customer one day's limit for that month."""
    clock.shift(timedelta(days=30))
    pay(rich, bobs, "25000.00")
    clock.move_to(NOON)
    pay(rich, bobs, "25000.00")
    row = CustomerLimit.objects.get(user=alice)
    assert (row.day, row.used) == (NOON.date(), Decimal(25000))
    with pytest.raises(DailyLimitReached):
        pay(rich, bobs, "0.01")


@pytest.mark.usefixtures("no_minute_limits")
def test_a_limit_of_the_customers_own_holds_instead_of_the_banks(
    alice: Any, rich: BankAccount, bobs: BankAccount, pay: Callable
) -> None:
    pay(rich, bobs, "1.00")
    for own, more in (("50.00", "49.00"), ("30000.00", "29950.00")):
        CustomerLimit.objects.filter(user=alice).update(daily_limit=Decimal(own))
        assert history.daily_use(alice).limit == Decimal(own)
        with pytest.raises(DailyLimitReached):
            pay(rich, bobs, str(Decimal(more) + Decimal("0.01")))
        pay(rich, bobs, more)
    CustomerLimit.objects.filter(user=alice).update(daily_limit=Decimal(0), used=Decimal(0))
    with pytest.raises(DailyLimitReached):
        pay(rich, bobs, "0.01")


def test_a_refused_payment_does_not_use_the_limit(
    alice: Any, rich: BankAccount, bobs: BankAccount, everyday: BankAccount, pay: Callable
) -> None:
    with pytest.raises(InsufficientFunds):
        pay(everyday, bobs, "20000.00")
    assert history.daily_use(alice).used == 0


def test_what_is_paid_out_since_the_last_code_is_added_up(
    alice: Any, rich: BankAccount, bobs: BankAccount, known: BankAccount, pay: Callable
) -> None:
    """R3.6: kept across days, for the step-up."""
    pay(rich, bobs, "100.00")
    pay(rich, bobs, "50.00", at=NOON + timedelta(days=1))
    row = CustomerLimit.objects.get(user=alice)
    assert (row.used, row.out_since_code) == (Decimal(50), Decimal(150))


def test_a_limit_charged_behind_the_lock_is_noticed(alice: Any) -> None:
    """R3.4: on an engine that ignores lock hints, the conditional UPDATE finds out; everything is then repeated."""
    from django.db import OperationalError

    now = timezone.now()
    row = limits.locked_limit(alice, at=now)
    CustomerLimit.objects.filter(pk=row.pk).update(used=Decimal(1), version=row.version + 1)
    limits.charge(row, Decimal(1), at=now, with_code=False)
    with pytest.raises(OperationalError, match="could not serialize"):
        limits.keep(row)


# --- By minute ----------------------------------------------------------------------------------------------


@pytest.fixture
def do(alice: Any, rich: BankAccount, savings: BankAccount, bobs: BankAccount, new_key: Callable) -> Callable:
    def one(kind: str, **kwargs: Any) -> Any:
        arguments: dict[str, Any] = {"actor": alice, "amount": Decimal(1), "idempotency_key": new_key()} | kwargs
        if kind == "payment":
            return acts.transfer(source=rich, target=bobs, **arguments)
        if kind == "own transfer":
            return acts.transfer(source=rich, target=savings, **arguments)
        return {"deposit": cash.deposit, "withdrawal": cash.withdraw}[kind](account=rich, **arguments)

    return one


@in_one_world(("kind", "times"), [("payment", 5), ("own transfer", 5), ("withdrawal", 20), ("deposit", 19)])
def test_so_many_a_minute_and_not_one_more(do: Callable, books: Callable, kind: str, times: int) -> None:
    """Twenty deposits too; the first of them opened the account."""
    for _ in range(times):
        do(kind)
    before = books()
    with pytest.raises(TooOften) as refusal:
        do(kind)
    assert 0 < refusal.value.retry_after <= 60
    assert books() == before
    last = AuditEntry.objects.order_by("pk").last()
    assert last is not None
    assert last.action.endswith("_REFUSED")
    assert last.details["reason"] == "too_often"


def test_payments_and_own_transfers_share_their_minute_deposits_and_withdrawals_have_their_own(
    do: Callable,
) -> None:
    for kind in ("payment", "own transfer", "payment", "own transfer", "payment"):
        do(kind)
    with pytest.raises(TooOften):
        do("own transfer")
    do("deposit")
    do("withdrawal")


@proves("V2.4.1")
def test_refused_tries_are_counted(do: Callable) -> None:
    for _ in range(5):
        with pytest.raises((InsufficientFunds, DailyLimitReached)):
            do("payment", amount=Decimal(200_000))
    with pytest.raises(TooOften):
        do("payment")


def test_a_repeated_request_is_not_a_second_one(do: Callable, new_key: Callable) -> None:
    key = new_key()
    for _ in range(10):
        do("payment", idempotency_key=key)
    for _ in range(4):
        do("payment")
    do("payment", idempotency_key=key)
    with pytest.raises(TooOften):
        do("payment")
    do("payment", idempotency_key=key)


def test_the_same_key_with_other_inputs_is_a_second_one(do: Callable, new_key: Callable) -> None:
    """Otherwise one key would be a way to try amounts without end."""
    from foundation.idempotency import IdempotencyConflict

    key = new_key()
    do("payment", idempotency_key=key)
    for number in range(4):
        with pytest.raises(IdempotencyConflict):
            do("payment", idempotency_key=key, amount=Decimal(2 + number))
    with pytest.raises(TooOften):
        do("payment", idempotency_key=key, amount=Decimal(99))


def test_the_minute_slides(do: Callable, clock: Any) -> None:
    """Five in the last second of one clock minute and five in the first of the next would be ten in two seconds."""
    do("payment")
    clock.shift(timedelta(seconds=30))
    for _ in range(4):
        do("payment")
    clock.shift(timedelta(seconds=29))
    with pytest.raises(TooOften) as refusal:
        do("payment")
    assert refusal.value.retry_after == 1
    clock.shift(timedelta(seconds=1))
    do("payment")
    with pytest.raises(TooOften) as refusal:
        do("payment")
    assert refusal.value.retry_after == 30
    clock.shift(timedelta(seconds=30))
    for _ in range(4):
        do("payment")


def test_a_clock_that_is_set_back_keeps_no_customer_waiting(do: Callable, clock: Any) -> None:
    # R3.9: places counted an hour ahead would otherwise fill the minute until then.
    for at in (NOON + timedelta(hours=1), NOON):
        clock.move_to(at)
        for _ in range(5):
            do("payment")
        with pytest.raises(TooOften) as refusal:
            do("payment")
        assert refusal.value.retry_after == 60


def test_one_customers_minute_is_not_anothers(do: Callable, bob: Any, bobs: BankAccount, rich: BankAccount) -> None:
    for _ in range(5):
        do("payment")
    acts.transfer(actor=bob, source=bobs, target=rich, amount=Decimal(1), idempotency_key="bobs-first-key")


def test_every_kind_of_order_has_a_limit(alice: Any) -> None:
    for kind in OrderKind:
        limits.take_place_ahead(alice, kind, token="", at=timezone.now())


def test_a_lower_limit_is_a_change_of_the_row_that_a_payment_behind_the_lock_notices(
    alice: Any, everyday: BankAccount
) -> None:
    """R3.4: on an engine that ignores lock hints, a payment that has read the higher limit begins again."""
    read_before = limits.locked_limit(alice, at=timezone.now())
    own_limits.lower_daily_limit(actor=alice, amount=Decimal(1))
    with pytest.raises(OperationalError, match="could not serialize"):
        limits.keep(read_before)
    assert CustomerLimit.objects.get(user=alice).daily_limit == Decimal(1)
