"""Alice and Bob with money, and a picture of the books to compare with."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from accounts.sign_in.origin import Origin
from tests import acts


@dataclass(frozen=True)
class Books:
    """Everything that a movement of money changes."""

    balances: dict[int, tuple[Decimal, Decimal, int]]
    transactions: int
    entries: int
    orders: int
    messages: int
    used: dict[int, Decimal]


def read_books() -> Books:
    from accounts.models import BankAccount
    from foundation.models import OutboxMessage
    from transfers.models import CustomerLimit, Entry, Transaction, TransferOrder

    accounts = BankAccount.objects.values_list("pk", "balance", "held", "last_sequence")
    return Books(
        balances={pk: (balance, held, sequence) for pk, balance, held, sequence in accounts},
        transactions=Transaction.objects.count(),
        entries=Entry.objects.count(),
        orders=TransferOrder.objects.count(),
        messages=OutboxMessage.objects.count(),
        used=dict(CustomerLimit.objects.filter(used__gt=Decimal(0)).values_list("user_id", "used")),
    )


@pytest.fixture
def books(db: Any) -> Callable[[], Books]:
    """Read the books: `before = books(); …; assert books() == before` says that nothing moved."""
    return read_books


@pytest.fixture
def no_minute_limits(settings: Any) -> None:
    settings.TRANSFERS_PER_MINUTE = settings.DEPOSITS_PER_MINUTE = settings.WITHDRAWALS_PER_MINUTE = 10_000


@pytest.fixture
def everyday(alice: Any, open_account: Callable[..., Any]) -> Any:
    """Alice's checking account with 100.00."""
    return open_account(alice, "100.00", nickname="Everyday")


@pytest.fixture
def savings(alice: Any, open_account: Callable[..., Any]) -> Any:
    """Alice's empty savings account."""
    from accounts.models import AccountKind

    return open_account(alice, kind=AccountKind.SAVINGS, nickname="Holidays")


@pytest.fixture
def bobs(bob: Any, open_account: Callable[..., Any]) -> Any:
    """Bob's empty checking account."""
    return open_account(bob)


@pytest.fixture
def freeze() -> Callable[..., None]:
    """Set an account's status behind the services' back: nobody is told, and any status is possible."""
    from accounts.models import AccountStatus
    from tests.staff_acts import set_status

    return lambda account, status=AccountStatus.FROZEN: set_status(account, status)


@pytest.fixture
def hold() -> Callable[[Any, str], None]:
    """Reserve money on an account as a waiting order does."""
    from accounts.models import BankAccount

    def reserve(account: Any, amount: str) -> None:
        BankAccount.objects.filter(pk=account.pk).update(held=Decimal(amount))

    return reserve


@pytest.fixture
def balance_of() -> Callable[[Any], Decimal]:
    from accounts.models import BankAccount

    return lambda account: BankAccount.objects.values_list("balance", flat=True).get(pk=account.pk)


@pytest.fixture
def household(alice: Any, open_account: Callable[..., Any]) -> Any:
    """Alice's checking account with 20,000.00."""
    return open_account(alice, "20000.00", nickname="Household")


@pytest.fixture
def known(alice: Any, bobs: Any) -> Any:
    """Bob's account, which Alice has paid before."""
    acts.know(alice, bobs)
    return bobs


@pytest.fixture
def pay(alice: Any, household: Any, bobs: Any, new_key: Callable[[], str]) -> Callable[..., Any]:
    """`pay("10.00")`: Alice pays Bob from her household, unless told otherwise."""

    def transfer(amount: str, **changes: Any) -> Any:
        arguments = {"actor": alice, "source": household, "target": bobs, "idempotency_key": new_key()}
        return acts.transfer(amount=Decimal(amount), **arguments | changes)

    return transfer


@pytest.fixture
def held(pay: Callable[..., Any]) -> Any:
    """A payment of 12,345.67 from Alice to Bob that waits for a decision."""
    return pay("12345.67", description="A boat")


@pytest.fixture
def origin_of_alice() -> Origin:
    """Where her browser asks from."""
    return Origin(ip="192.0.2.1")


@pytest.fixture
def charge(alice: Any) -> Callable[..., None]:
    """`charge(account, 3)`: three fees of 0.01, without an order, each reported about itself."""
    from django.db import transaction
    from django.utils import timezone

    from accounts.models import BankAccount
    from audit.actions import Action
    from audit.services import Report, record_many
    from transfers.ledger import posting as ledger
    from transfers.models import Transaction, TransactionKind

    def post(account: Any, times: int) -> None:
        fees = BankAccount.objects.get(ledger_code="fees")
        legs = ledger.transfer_legs(debit=account.pk, credit=fees.pk, amount=Decimal("0.01"))
        with transaction.atomic():
            posted = ledger.post_many([ledger.Planned(TransactionKind.FEE, legs, alice, timezone.now())] * times)
            record_many(
                Report(
                    action=Action.TRANSFER_CREATED,
                    actor=alice,
                    subject=Transaction(pk=posting.transaction_id),
                    evidence_digest=posting.digest,
                )
                for posting in posted
            )

    return post


@pytest.fixture
def in_thin_slices(
    monkeypatch: pytest.MonkeyPatch, no_minute_limits: None, alice: Any, everyday: Any, savings: Any, bobs: Any,
    charge: Callable[..., None], new_key: Callable[[], str],
) -> Any:  # fmt: skip
    """Alice's checking account with eight entries, in a bank that is verified in slices of two accounts, four entries,
    three transactions or orders, and two digests."""
    from transfers.ledger import evidence, soundness, verification
    from transfers.orders import cash

    for module, name, size in (
        (verification, "_ACCOUNTS", 2),
        (soundness, "_COMPARED", 4),
        (verification, "_SLICE", 3),
        (evidence, "_DIGESTED", 2),
    ):
        monkeypatch.setattr(module, name, size)
    made: dict[str, Any] = {"actor": alice, "amount": Decimal("7.77")}
    for number in range(7):  # besides the first deposit
        if number % 3 == 0:
            cash.deposit(account=everyday, idempotency_key=new_key(), **made)
        else:
            acts.transfer(source=everyday, target=(savings, bobs)[number % 2], idempotency_key=new_key(), **made)
    charge(savings, 1)
    everyday.refresh_from_db()
    assert everyday.last_sequence == 8
    return everyday
