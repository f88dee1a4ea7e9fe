"""An intruder who can write to the database, but has no key: what they can and cannot do unnoticed (R8.1)."""

import uuid
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import bank_accounts
from accounts.models import BankAccount, TotpDevice
from accounts.sign_in.origin import Origin
from audit.models import AuditEntry
from foundation.append_only import missing_triggers
from foundation.keys.encryption import DecryptionFailed
from tests import acts
from tests.asvs import proves
from tests.plugin import triggers_off
from tests.tables import in_one_world
from transfers.models import TransferOrder
from transfers.orders import cash, holds, sending
from transfers.orders.ownership import AccountUnreadable


def sql(statement: str, *params: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)


def verify() -> str:
    """Return what `verify_ledger` says, with its complaint."""
    out = StringIO()
    try:
        call_command("verify_ledger", stdout=out)
    except CommandError as error:
        return out.getvalue() + str(error)
    return out.getvalue()


def raw(account: BankAccount) -> tuple[str, str, Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT number, number_digest, public_id FROM accounts_bankaccount WHERE id = %s", [account.pk])
        return cursor.fetchone()


@pytest.fixture
def accounts(alice: Any, bob: Any, open_account: Any) -> tuple[BankAccount, BankAccount]:
    return open_account(alice, "50.00"), open_account(bob, "50.00")


def test_swapping_number_digest_and_public_id_of_two_rows_makes_them_unreadable(accounts: Any) -> None:
    # R8.1: the number is sealed to its owner, too.
    mine, theirs = accounts
    number, rows = theirs.number, {mine.pk: raw(theirs), theirs.pk: raw(mine)}
    for pk in rows:  # out of the way of the unique constraints
        sql("UPDATE accounts_bankaccount SET number_digest = NULL, public_id = %s WHERE id = %s", uuid.uuid4().hex, pk)
    for pk, row in rows.items():
        sql("UPDATE accounts_bankaccount SET number = %s, number_digest = %s, public_id = %s WHERE id = %s", *row, pk)
    with pytest.raises(DecryptionFailed):
        bank_accounts.find_by_number(number)
    assert f"account {mine.pk}: its number does not open" in verify()


@proves("V11.3.3")
def test_giving_an_account_to_somebody_else_makes_it_unreadable(accounts: Any, charlie: Any) -> None:
    # R8.1
    mine, _ = accounts
    sql("UPDATE accounts_bankaccount SET owner_id = %s WHERE id = %s", charlie.pk, mine.pk)
    with pytest.raises(DecryptionFailed):
        assert BankAccount.objects.get(pk=mine.pk).number
    assert f"account {mine.pk}: its number does not open" in verify()


@proves("V11.3.3")
@in_one_world("way", ["own transfer", "payment", "withdrawal", "counter"])
def test_no_money_leaves_an_account_that_was_given_to_somebody_else(
    accounts: Any, alice: Any, charlie: Any, sam: Any, open_account: Any, code_of: Any, way: str
) -> None:
    # R8.1: or an intruder who can write one column moves money out between two writes, and every later check says all
    # is well.
    hers, _ = accounts
    his = open_account(charlie, "1.00")
    sql("UPDATE accounts_bankaccount SET owner_id = %s WHERE id = %s", charlie.pk, hers.pk)
    stolen = BankAccount.objects.get(pk=hers.pk)
    before = (stolen.balance, stolen.held)
    payment: dict[str, Any] = {"amount": Decimal(5), "idempotency_key": "with borrowed feathers"}
    ways: dict[str, Any] = {
        "own transfer": lambda: sending.transfer(actor=charlie, source=stolen, target=his, **payment),
        "payment": lambda: sending.transfer(actor=charlie, source=his, target=stolen, **payment),
        "withdrawal": lambda: cash.withdraw(actor=charlie, account=stolen, **payment),
        "counter": lambda: cash.withdraw_at_counter(
            origin=Origin(), actor=sam, account=stolen, customer_code=code_of(charlie), **payment
        ),
    }
    with pytest.raises(AccountUnreadable):
        ways[way]()
    assert BankAccount.objects.values_list("balance", "held").get(pk=hers.pk) == before
    assert AuditEntry.objects.latest("id").details["reason"] == "account_unreadable"


@proves("V11.3.3")
def test_a_held_order_of_an_account_that_was_given_to_somebody_else_is_not_released(
    accounts: Any, alice: Any, charlie: Any, sam: Any, open_account: Any, settings: Any
) -> None:
    # R3.10
    settings.SUSPICIOUS_AMOUNT = Decimal(10)
    hers, bobs = accounts
    held = acts.transfer(actor=alice, source=hers, target=bobs, amount=Decimal(11), idempotency_key="will be held")
    sql("UPDATE accounts_bankaccount SET owner_id = %s WHERE id = %s", charlie.pk, bobs.pk)
    with pytest.raises(AccountUnreadable):
        holds.release_order(actor=sam, order=held, reason="It looks fine")
    assert verify().count("does not open") == 1


def test_giving_a_device_to_somebody_else_makes_it_unreadable(alice: Any, charlie: Any) -> None:
    # R1.3, R8.1
    device = TotpDevice.objects.get(user=alice)
    TotpDevice.objects.filter(user=charlie).delete()
    sql("UPDATE accounts_totpdevice SET user_id = %s WHERE id = %s", charlie.pk, device.pk)
    with pytest.raises(DecryptionFailed):
        assert TotpDevice.objects.get(pk=device.pk).key


def test_one_tampered_row_does_not_take_down_the_pages_of_others(
    accounts: Any, alice: Any, bob: Any, browser_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # R8.1: reading fails where the number matters, and says so in the log; lists go on.
    mine, theirs = accounts
    sql("UPDATE accounts_bankaccount SET number = %s WHERE id = %s", raw(mine)[0], theirs.pk)
    number = mine.number
    assert browser_of(alice).get("/dashboard/").status_code == 200
    answer = browser_of(bob).get("/dashboard/")
    assert answer.status_code == 200
    assert b"unreadable" in answer.content
    assert number.encode() not in answer.content
    assert "does not open" in caplog.text


@proves("V11.3.3")
def test_a_payment_to_a_number_with_a_swapped_digest_is_stopped_and_logged(
    accounts: Any, alice: Any, browser_of: Any, caplog: pytest.LogCaptureFixture, charlie: Any, open_account: Any
) -> None:
    # R8.1: a swapped look-up digest must not redirect a payment.
    mine, theirs = accounts
    other = open_account(charlie)
    digests = raw(theirs)[1], raw(other)[1]
    sql("UPDATE accounts_bankaccount SET number_digest = NULL WHERE id IN (%s, %s)", theirs.pk, other.pk)
    sql("UPDATE accounts_bankaccount SET number_digest = %s WHERE id = %s", digests[0], other.pk)
    sql("UPDATE accounts_bankaccount SET number_digest = %s WHERE id = %s", digests[1], theirs.pk)
    data = {"source": str(mine.public_id), "number": theirs.number, "amount": "5", "description": ""}
    answer = browser_of(alice).post("/transfer/send/", data)
    assert "number" in answer.context["form"].errors
    assert "A payment was stopped" in caplog.text
    assert f"account {theirs.pk}: payments to another number would find it" in verify()


def test_a_deleted_order_is_noticed_before_its_key_moves_money_again(accounts: Any) -> None:
    # R3.5
    mine, _ = accounts
    order = TransferOrder.objects.get(target=mine)
    sql("DELETE FROM transfers_transferorder WHERE id = %s", order.pk)
    assert f"transaction {order.transaction_id}: its order is missing" in verify()


@pytest.mark.skipif(
    connection.vendor != "sqlite", reason="Only SQLite keeps a fraction or a text in an integer column."
)
@in_one_world("value", ["'abc'", "1234.9"])
def test_a_balance_that_is_not_a_whole_number_stops_the_verification(accounts: Any, value: str) -> None:
    mine, _ = accounts
    sql("PRAGMA ignore_check_constraints = ON")
    try:
        sql(f"UPDATE accounts_bankaccount SET balance = {value} WHERE id = {mine.pk}")
        assert "cannot be read" in verify()
    finally:
        sql("PRAGMA ignore_check_constraints = OFF")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="The harmless trigger is written for SQLite.")
def test_a_harmless_trigger_under_the_right_name_is_not_taken_for_ours(db: Any) -> None:
    # R6.2
    table = AuditEntry._meta.db_table
    with triggers_off(AuditEntry):
        sql(f'CREATE TRIGGER "{table}_no_update" BEFORE UPDATE ON "{table}" BEGIN SELECT 1; END')
        assert f"{table}_no_update" in missing_triggers(connection)
        sql(f'DROP TRIGGER "{table}_no_update"')
    assert missing_triggers(connection) == []
