"""The statements of each act of money: the exact numbers are here so that a new one shows.

BEGIN and COMMIT are not counted as statements; a single statement outside of a transaction counts as a transaction.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import BankAccount
from audit.models import AuditEntry
from foundation.refusals import Refusal
from tests import acts
from tests.api_client import ApiClient
from tests.staff_acts import an_origin, fresh_code
from transfers.models import CustomerLimit, OrderState, Payee
from transfers.orders import cash, holds, sending
from transfers.orders.step_up import Proof

pytestmark = pytest.mark.django_db(transaction=True)

WRITES = ("INSERT", "UPDATE", "DELETE")


class Price:
    """The statements of an act, transaction by transaction; reads outside of any are in none."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.alone: list[str] = []

    @property
    def statements(self) -> int:
        return sum(map(len, self.transactions)) + len(self.alone)


@contextmanager
def price() -> Iterator[Price]:
    found = Price()
    inside: list[str] | None = None
    with CaptureQueriesContext(connection) as captured:
        yield found
    for query in captured.captured_queries:
        verb = query["sql"].split()[0]
        if verb == "BEGIN":
            inside = []
        elif verb in {"COMMIT", "ROLLBACK"}:
            found.transactions.append(inside or [])
            inside = None
        elif inside is not None:
            inside.append(query["sql"])
        elif verb in WRITES:
            found.transactions.append([query["sql"]])
        else:
            found.alone.append(query["sql"])


@pytest.fixture(autouse=True)
def on_one_engine() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("the statements are the same everywhere; only BEGIN is written otherwise")


@pytest.fixture
def ready(everyday: BankAccount, bobs: BankAccount, savings: BankAccount, no_minute_limits: None) -> BankAccount:
    """Let Alice pay Bob before, so that every statement is compiled."""
    acts.know(everyday.owner, bobs)
    with pytest.raises(Refusal):
        pay(everyday, bobs, key="the first of all", amount="1000000.00")
    pay(everyday, bobs, key="the second of all")
    return everyday


def pay(source: Any, target: BankAccount, *, key: str, amount: str = "1.00", **more: Any) -> Any:
    return sending.transfer(
        actor=source.owner, source=source, target=target, amount=Decimal(amount), idempotency_key=key, **more
    )


def test_a_payment_to_a_known_payee_is_thirteen_statements_in_one_transaction(
    ready: BankAccount, bobs: BankAccount
) -> None:
    """Limit row, order of the key, payee, both accounts; then the row, two balances, transaction, entries, order, audit
    entry, payee, outbox row."""
    with price() as paid:
        pay(ready, bobs, key="a payment like others")
    ((*verbs,),) = [[text.split()[0] for text in one] for one in paid.transactions]
    assert verbs == ["SELECT"] * 4 + ["UPDATE"] * 3 + ["INSERT"] * 4 + ["UPDATE", "INSERT"]
    assert paid.alone == []


def test_cash_and_own_transfers(ready: BankAccount, savings: BankAccount, alice: Any) -> None:
    deposit: dict[str, Any] = {"actor": alice, "account": ready, "amount": Decimal(5)}
    cash.deposit(**deposit, idempotency_key="the deposit before")
    with price() as deposited:
        cash.deposit(**deposit, idempotency_key="a deposit like others")
    with price() as withdrawn:
        cash.withdraw(**deposit | {"amount": Decimal(1)}, idempotency_key="a withdrawal like others")
    with price() as moved:
        pay(ready, savings, key="between own accounts")
    counts = {
        "deposit": (deposited.statements, len(deposited.transactions)),
        "withdrawal": (withdrawn.statements, len(withdrawn.transactions)),
        "own transfer": (moved.statements, len(moved.transactions)),
    }
    assert counts == {"deposit": (11, 1), "withdrawal": (11, 1), "own transfer": (10, 1)}


def test_a_held_payment_and_its_release(ready: BankAccount, bobs: BankAccount, sam: Any, settings: Any) -> None:
    """Only a decision has a savepoint: its writes before a refusal are rolled back, and the refusal is kept."""
    settings.SUSPICIOUS_AMOUNT = Decimal(10)
    settings.STEP_UP_AMOUNT = Decimal(100_000)
    holds.release_order(actor=sam, order=pay(ready, bobs, key="held before", amount="11.00"), reason="In order.")
    with price() as placed:
        held = pay(ready, bobs, key="held like others", amount="12.00")
    assert held.state == OrderState.HELD
    with price() as released:
        holds.release_order(actor=sam, order=held, reason="In order.")
    assert (placed.statements, len(placed.transactions)) == (10, 1)
    assert (released.statements, len(released.transactions)) == (17, 1)


def test_a_payment_by_the_api_is_fifteen_statements_and_one_transaction(
    ready: BankAccount, bobs: BankAccount, api_of: Callable[..., ApiClient], alice: Any
) -> None:
    """The session with its user, both accounts with the payee, the payment: nothing is read again for the answer."""
    api, body = api_of(alice), {"to": bobs.number, "amount": "1.00"}
    path = f"accounts/{ready.number}/transfer"
    assert api.post(path, body, Idempotency_Key="compiles-the-rest").status_code == 201
    with price() as paid:
        answer = api.post(path, body, Idempotency_Key="a-payment-by-a-program")
    assert answer.status_code == 201
    assert (len(paid.transactions), len(paid.transactions[0]), len(paid.alone)) == (1, 13, 2)
    # The name of a known payee does not either, right or wrong: it is not a guess.
    for name, status in (("Bob Brandt", 201), ("Carla Cole", 422)):
        with price() as paid:
            answer = api.post(path, body | {"name": name}, Idempotency_Key=f"a-payment-to-{name[:3]}")
        assert (answer.status_code, len(paid.transactions), len(paid.alone)) == (status, 1, 2)
        assert len(paid.transactions[0]) == (13 if status == 201 else 5)


def test_the_answer_of_the_api_is_that_of_the_receipt(
    ready: BankAccount, bobs: BankAccount, api_of: Callable[..., ApiClient], alice: Any
) -> None:
    # R7.2: made from what was written, and the same as a later read.
    answer = api_of(alice).post(
        f"accounts/{ready.number}/transfer", {"to": bobs.number, "amount": "1.00"}, Idempotency_Key="to-be-compared"
    )
    assert api_of(alice).get(f"orders/{answer.json()['id']}").json() == answer.json()


def test_a_first_payment_with_its_code_takes_four_transactions_more(
    ready: BankAccount, bobs: BankAccount, alice: Any
) -> None:
    """A place in the minute, a guess counted, the code used up, the guess given back: each survives the process."""
    Payee.objects.all().delete()
    payment: dict[str, Any] = {"key": "a first payment", "amount": "1.00", "name_given": acts.by_name()}
    with pytest.raises(Refusal) as asked:
        pay(ready, bobs, **payment)
    proof = Proof(an_origin(), asked.value.challenge.public_id, fresh_code(alice))  # type: ignore[attr-defined]
    with price() as paid:
        assert pay(ready, bobs, **payment, proof=proof).state == OrderState.POSTED
    assert len(paid.transactions) == 5
    assert len(paid.transactions[-1]) == 15, "the challenge looked at and used up besides"


def test_a_refused_payment_is_one_transaction_too(ready: BankAccount, bobs: BankAccount) -> None:
    """Its place and its audit entry are committed together, so that no try is judged and not counted."""
    places = CustomerLimit.objects.get(user=ready.owner).recent.count("[")
    with price() as refused, pytest.raises(Refusal):
        pay(ready, bobs, key="more than there is", amount="900.00")
    (one,) = refused.transactions
    assert [text.split()[0] for text in one] == ["SELECT"] * 4 + ["INSERT", "UPDATE"]
    assert refused.alone == []
    assert CustomerLimit.objects.get(user=ready.owner).recent.count("[") == places + 1
    assert AuditEntry.objects.filter(action="TRANSFER_REFUSED").count() == 2


def test_the_same_request_again_writes_nothing(ready: BankAccount, bobs: BankAccount) -> None:
    first = pay(ready, bobs, key="sent twice by a double click")
    with price() as repeated:
        assert pay(ready, bobs, key="sent twice by a double click") == first
    assert [text.split()[0] for text in repeated.transactions[0]] == ["SELECT"] * 3
    assert len(repeated.transactions) == 1
