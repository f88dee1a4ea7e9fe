"""`manage.py verify_ledger` finds what was altered behind the bank's back, and nothing else (R3.1, R9.2)."""

import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from decimal import Decimal
from io import StringIO
from typing import Any, NoReturn

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from accounts.models import BankAccount
from foundation.refusals import Refusal
from tests import acts
from tests.tables import in_one_world
from tests.unguarded import everything_off, not_on_sql_server
from transfers.ledger import verification
from transfers.management.commands import verify_ledger
from transfers.models import Entry, Payee, Transaction, TransferOrder
from transfers.orders import cash, sending


def verify() -> str:
    output = StringIO()
    call_command("verify_ledger", stdout=output, stderr=output)
    return output.getvalue()


def found() -> str:
    """Return the rows that the command names when it fails."""
    output = StringIO()
    with pytest.raises(CommandError, match="does not add up") as error:
        call_command("verify_ledger", stdout=output, stderr=output)
    assert error.value.returncode == 1
    return output.getvalue()


@pytest.fixture
def a_day(no_minute_limits: None, everyday: BankAccount, savings: BankAccount, bobs: BankAccount) -> None:
    """A random day: some of it is refused."""
    chance, done = random.Random(4711), 0
    for number in range(40):
        source, target = chance.sample([everyday, savings, bobs], 2)
        amount = Decimal(chance.randrange(1, 6000)) / 100
        common: dict[str, Any] = {"actor": source.owner, "amount": amount, "idempotency_key": f"the day {number}"}
        service = chance.choice([cash.deposit, cash.withdraw, sending.transfer])
        sides = {"source": source, "target": target} if service is sending.transfer else {"account": source}
        try:
            service(**common, **sides)  # type: ignore[operator]
            done += 1
        except Refusal:
            pass
    assert 20 < done < 40


def test_an_empty_bank_adds_up(db: Any) -> None:
    assert "The ledger adds up" in verify()


def test_a_random_day_adds_up(a_day: None) -> None:
    text = verify()
    assert "The ledger adds up" in text
    assert f"{BankAccount.objects.count()} accounts" in text
    assert f"{Transaction.objects.count()} transactions" in text
    assert f"{TransferOrder.objects.count()} orders" in text


def test_a_waiting_order_that_is_held_adds_up(
    alice: Any, everyday: BankAccount, bobs: BankAccount, hold: Callable
) -> None:
    """R3.10."""
    for number in range(2):
        TransferOrder.objects.create(
            kind="payment",
            initiator=alice,
            source=everyday,
            target=bobs,
            amount=Decimal("7.50"),
            key_digest=f"held {number}",
            inputs_digest="",
            state="held",
        )
    hold(everyday, "15.00")
    assert "The ledger adds up" in verify()
    hold(everyday, "7.50")
    assert f"account {everyday.pk}: 7.50 is held, its waiting orders add up to 15.00" in found()


# --- Tampering ----------------------------------------------------------------------------------------------


def run(sql: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert cursor.rowcount == 1


@pytest.fixture
def tampered(a_day: None) -> Iterator[None]:
    """Put the rows back at the end, when deferred foreign keys would be checked."""
    from django.db import transaction

    with transaction.atomic():
        yield
        transaction.set_rollback(True)


ACCOUNT, ENTRY = BankAccount._meta.db_table, Entry._meta.db_table
TRANSACTION, ORDER = Transaction._meta.db_table, TransferOrder._meta.db_table


@in_one_world(
    ("change", "complaint"),
    [
        ("balance = balance + 1", "its balance is"),
        ("balance = balance - 1", "its balance is"),
        ("balance = -1", "its balance is"),
        ("last_sequence = last_sequence + 1", "its last sequence is"),
        ("last_sequence = last_sequence - 1", "its last sequence is"),
        ("last_sequence = 0", "its last sequence is"),
        ("held = 1", "0.01 is held"),
        ("held = -1", "-0.01 is held"),
    ],
)
@not_on_sql_server
def test_an_altered_account_is_named(tampered: None, everyday: BankAccount, change: str, complaint: str) -> None:
    with everything_off():
        run(f"UPDATE {ACCOUNT} SET {change} WHERE id = %s", everyday.pk)
    assert f"account {everyday.pk}: {complaint}" in found()


@not_on_sql_server
@in_one_world("code", ["cash-0", "interest", "fees"])
def test_the_banks_own_accounts_are_looked_at_too(tampered: None, code: str) -> None:
    with everything_off():
        run(f"UPDATE {ACCOUNT} SET balance = balance + 100 WHERE ledger_code = %s", code)
    assert f"account {BankAccount.objects.get(ledger_code=code).pk}: its balance is" in found()


@in_one_world(
    ("change", "complaint"),
    [
        ("amount = amount + 1", "entry {entry} (account {account}, sequence 3): balance after is"),
        ("amount = 0", "entry {entry} (account {account}, sequence 3): balance after is"),
        ("balance_after = balance_after + 1", "entry {entry} (account {account}, sequence 3): balance after is"),
        (
            "direction = CASE direction WHEN 'debit' THEN 'credit' ELSE 'debit' END",
            "entry {entry} (account {account}, sequence 3): balance after is",
        ),
        ("direction = 'aside'", "entry {entry}: its direction is 'aside'"),
        ("sequence = 4711", "account {account}: entry with sequence 3 is missing"),
        ("transaction_id = 'f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0'", "entry {entry}: its transaction is missing"),
        ("account_id = 987654", "entry {entry}: its account is missing"),
    ],
)
@not_on_sql_server
def test_an_altered_entry_is_named(tampered: None, everyday: BankAccount, change: str, complaint: str) -> None:
    entry = Entry.objects.get(account=everyday, sequence=3)
    with everything_off():
        run(f"UPDATE {ENTRY} SET {change} WHERE id = %s", entry.pk)
    assert complaint.format(entry=entry.pk, account=everyday.pk) in found()


@not_on_sql_server
@in_one_world("sequence", [1, 3, None], ids=["first", "middle", "last"])
def test_a_deleted_entry_is_named(tampered: None, everyday: BankAccount, sequence: int | None) -> None:
    everyday.refresh_from_db()
    entry = Entry.objects.get(account=everyday, sequence=sequence or everyday.last_sequence)
    with everything_off():
        run(f"DELETE FROM {ENTRY} WHERE id = %s", entry.pk)
    text = found()
    assert f"transaction {entry.transaction_id}: debits are" in text
    if sequence:
        assert f"account {everyday.pk}: entry with sequence {sequence} is missing" in text
    else:
        assert f"account {everyday.pk}: its last sequence is" in text


@not_on_sql_server
def test_an_added_entry_is_named(tampered: None, everyday: BankAccount) -> None:
    """Money made of nothing, with a balance to match."""
    everyday.refresh_from_db()
    last = Entry.objects.get(account=everyday, sequence=everyday.last_sequence)
    with everything_off():
        Entry(
            transaction=last.transaction,
            account=everyday,
            direction="credit",
            amount=Decimal(1000),
            balance_after=last.balance_after + 1000,
            sequence=last.sequence + 1,
            posted_at=timezone.now(),
        ).save()
        run(
            f"UPDATE {ACCOUNT} SET balance = balance + 100000, last_sequence = last_sequence + 1 WHERE id = %s",
            everyday.pk,
        )
    assert f"transaction {last.transaction_id}: debits are" in found()


@not_on_sql_server
def test_an_entry_beyond_what_its_account_knows_of_is_named(tampered: None, everyday: BankAccount) -> None:
    everyday.refresh_from_db()
    last = Entry.objects.get(account=everyday, sequence=everyday.last_sequence)
    with everything_off():
        run(
            f"UPDATE {ACCOUNT} SET last_sequence = last_sequence - 1, balance = "
            f"(SELECT balance_after FROM {ENTRY} WHERE account_id = %s AND sequence = %s) WHERE id = %s",
            everyday.pk,
            last.sequence - 1,
            everyday.pk,
        )
    text = found()
    assert f"account {everyday.pk}: its last sequence is {last.sequence - 1}, its last entry's {last.sequence}" in text
    assert text.count("account") == 1


@not_on_sql_server
@in_one_world("change", ["delete", "amount"])
def test_an_altered_or_deleted_transaction_is_named(tampered: None, everyday: BankAccount, change: str) -> None:
    entry = Entry.objects.get(account=everyday, sequence=2)
    order = TransferOrder.objects.get(transaction=entry.transaction_id)
    with everything_off():
        if change == "delete":
            run(f"DELETE FROM {TRANSACTION} WHERE id = %s", entry.transaction_id.hex)
        else:
            run(f"UPDATE {TRANSACTION} SET amount = amount + 1 WHERE id = %s", entry.transaction_id.hex)
    text = found()
    if change == "delete":
        assert f"entry {entry.pk}: its transaction is missing" in text
        assert f"order {order.pk}: its transaction is missing" in text
    else:
        assert f"transaction {entry.transaction_id}: its amount is" in text


@not_on_sql_server
def test_a_deleted_account_is_named_by_its_entries(tampered: None, everyday: BankAccount) -> None:
    first = Entry.objects.get(account=everyday, sequence=1)
    with everything_off():
        run(f"DELETE FROM {ACCOUNT} WHERE id = %s", everyday.pk)
    assert f"entry {first.pk}: its account is missing" in found()


@not_on_sql_server
@in_one_world(
    ("change", "complaint"),
    [
        ("transaction_id = NULL", "its transaction is missing"),
        ("transaction_id = 'f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0'", "its transaction is missing"),
        ("amount = amount + 1", "its transaction moved something else"),
        ("target_id = source_id", "its transaction moved something else"),
        ("source_id = target_id", "its transaction moved something else"),
        ("state = 'held'", "it is held and has a transaction"),
        ("state = 'rejected'", "it is rejected and has a transaction"),
        ("state = 'cancelled'", "it is cancelled and has a transaction"),
        ("state = 'expired'", "it is expired and has a transaction"),
    ],
)
def test_an_altered_order_is_named(tampered: None, everyday: BankAccount, change: str, complaint: str) -> None:
    order = TransferOrder.objects.filter(target=everyday).first()
    assert order is not None
    with everything_off():
        run(f"UPDATE {ORDER} SET {change} WHERE id = %s", order.pk)
    assert f"order {order.pk}: {complaint}" in found()


@in_one_world(
    ("change", "complaint"),
    [
        ("number_digest = 'k1.of another number'", "payments to another number would find it"),
        ("number_digest = NULL", "payments to another number would find it"),
        ("number = (SELECT number FROM {table} WHERE id = {bobs})", "its number does not open"),
        ("number = 'garbage'", "its number does not open"),
    ],
)
@not_on_sql_server
def test_an_altered_number_is_named(
    tampered: None, everyday: BankAccount, bobs: BankAccount, change: str, complaint: str
) -> None:
    """R8.1: or payments to another customer would arrive here."""
    with everything_off():
        run(f"UPDATE {ACCOUNT} SET {change.format(table=ACCOUNT, bobs=bobs.pk)} WHERE id = %s", everyday.pk)
    assert f"account {everyday.pk}: {complaint}" in found()


@not_on_sql_server
def test_a_deleted_order_is_named_by_its_transaction(tampered: None, everyday: BankAccount) -> None:
    """Its key could be used again, and the same money be moved twice."""
    order = TransferOrder.objects.filter(target=everyday).first()
    assert order is not None
    with everything_off():
        run(f"DELETE FROM {ORDER} WHERE id = %s", order.pk)
    assert f"transaction {order.transaction_id}: its order is missing" in found()


@not_on_sql_server
def test_a_payee_that_was_never_paid_is_named(alice: Any, bob: Any, everyday: BankAccount, open_account: Any) -> None:
    """R3.6: an intruder who can write to the table could pass an account off as known."""
    known, foreign = open_account(bob), open_account(bob)
    acts.transfer(actor=alice, source=everyday, target=known, amount=Decimal(1), idempotency_key="the first one")
    assert list(verification.faults()) == []
    Payee.objects.update(account=foreign)
    row = Payee.objects.get()
    assert found().splitlines()[0] == f"payee {row.pk}: customer {alice.pk} has never paid account {foreign.pk}"


@not_on_sql_server
def test_every_fault_is_named_not_only_the_first(
    tampered: None, everyday: BankAccount, savings: BankAccount, bobs: BankAccount
) -> None:
    with everything_off():
        for account in (everyday, savings, bobs):
            run(f"UPDATE {ACCOUNT} SET balance = balance + 1 WHERE id = %s", account.pk)
    text = found()
    assert [f"account {account.pk}: its balance" in text for account in (everyday, savings, bobs)] == [True] * 3
    assert text.count("\n") == 3


@not_on_sql_server
def test_one_wrong_balance_after_is_named_once_not_with_all_that_follow(tampered: None, everyday: BankAccount) -> None:
    entry = Entry.objects.get(account=everyday, sequence=2)
    with everything_off():
        run(f"UPDATE {ENTRY} SET balance_after = balance_after + 1 WHERE id = %s", entry.pk)
    assert found().count(f"(account {everyday.pk}, sequence") == 2  # itself, and the step to the next


# --- Reading it all -----------------------------------------------------------------------------------------


def test_progress_is_told_while_it_reads(a_day: None) -> None:
    heard: list[tuple[str, int]] = []
    assert list(verification.faults(lambda what, count: heard.append((what, count)))) == []
    assert heard[0] == ("accounts", 1)
    assert dict(heard) == {
        "accounts": BankAccount.objects.count(),
        "transactions": Transaction.objects.count(),
        "orders": TransferOrder.objects.count(),
    }


def test_progress_goes_to_a_terminal_only(a_day: None) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    call_command("verify_ledger", stdout=StringIO(), stderr=screen)
    assert "\raccounts: " in screen.getvalue()
    quiet = Terminal()
    call_command("verify_ledger", stdout=StringIO(), stderr=quiet, verbosity=0)
    assert quiet.getvalue() == ""


def test_a_database_that_does_not_answer_is_not_a_fault_of_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(progress: Any, **options: Any) -> NoReturn:
        raise OperationalError("the server has gone away")

    monkeypatch.setattr(verify_ledger, "faults", away)
    with pytest.raises(CommandError, match="The database could not be read: the server has gone away") as error:
        call_command("verify_ledger")
    assert error.value.returncode == 2


def test_it_takes_one_process_at_least() -> None:
    with pytest.raises(CommandError, match="--processes is 1 or more") as error:
        call_command("verify_ledger", processes=0)
    assert error.value.returncode == 2


def test_a_process_that_was_killed_is_not_a_fault_of_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(progress: Any, **options: Any) -> NoReturn:
        raise BrokenProcessPool("terminated abruptly")

    monkeypatch.setattr(verify_ledger, "faults", killed)
    with pytest.raises(CommandError, match="was killed: terminated abruptly") as error:
        call_command("verify_ledger", processes=2)
    assert error.value.returncode == 2


def test_it_says_how_fast_it_was_and_in_how_much_memory(a_day: None) -> None:
    rates = verify().splitlines()[-1]
    assert re.fullmatch(
        r"Sums, sequences and balances: \d+ entries a second\. Digests: \d+ transactions a second\. "
        r"Peak memory: \d+ MB\.",
        rates,
    )
    assert "Peak memory: 0 MB" not in rates
