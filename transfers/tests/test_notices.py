"""The mails about money: who gets one, and what it may say (R3.8, R6.2)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from post_office.models import Email

from accounts.models import BankAccount
from foundation.models import OutboxMessage
from foundation.outbox import expand_waiting, tell
from tests import acts
from transfers.accounts import closing
from transfers.ledger.posting import InsufficientFunds


@pytest.fixture
def mails(everyday: BankAccount, savings: BankAccount, bobs: BankAccount) -> Callable[[], dict[str, Email]]:
    """The mails since the accounts were opened, by address."""
    expand_waiting()
    Email.objects.all().delete()

    def written() -> dict[str, Email]:
        expand_waiting()
        return {mail.to[0]: mail for mail in Email.objects.all()}

    return written


def test_sender_and_receiver_are_both_told_of_a_payment(
    alice: Any, bob: Any, everyday: BankAccount, bobs: BankAccount, mails: Callable, new_key: Callable
) -> None:
    order = acts.transfer(
        actor=alice,
        source=everyday,
        target=bobs,
        amount=Decimal("12.30"),
        description="Lunch",
        idempotency_key=new_key(),
    )
    written = mails()
    assert set(written) == {alice.email, bob.email}
    assert order.transaction is not None
    for mail in written.values():
        for text in (mail.message, mail.html_message):
            for shown in ("12.30", "Lunch", order.transaction.reference, everyday.masked_number, bobs.masked_number):
                assert shown in text
            for number in (everyday.number, bobs.number):
                assert number not in text.replace(" ", "")
    assert "Bob Brandt" in written[alice.email].message
    assert "Alice Archer" in written[bob.email].message
    assert expand_waiting() == 0
    assert Email.objects.count() == 2


def test_opening_and_closing_are_told_to_the_owner(alice: Any, open_account: Callable, mails: Callable) -> None:
    account = open_account(alice, nickname="Bike")
    (mail,) = mails().values()
    assert mail.to == [alice.email]
    assert account.masked_number in mail.message
    assert account.number not in mail.message.replace(" ", "")
    Email.objects.all().delete()
    closing.close_account(actor=alice, account=account)
    (mail,) = mails().values()
    assert (mail.to, "Bike" in mail.message) == ([alice.email], True)


def test_nobody_is_told_of_what_was_refused_or_moved_between_own_accounts(
    alice: Any, everyday: BankAccount, savings: BankAccount, bobs: BankAccount, mails: Callable, new_key: Callable
) -> None:
    with pytest.raises(InsufficientFunds):
        acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(200), idempotency_key=new_key())
    acts.transfer(actor=alice, source=everyday, target=savings, amount=Decimal(20), idempotency_key=new_key())
    assert mails() == {}


def test_a_message_about_what_has_no_customers_is_kept_and_sends_nothing(
    alice: Any, everyday: BankAccount, mails: Callable
) -> None:
    """It stays, failed, for a person to look at."""
    deposit = everyday.orders_in.get()
    tell("payment_posted", order_id=deposit.pk)
    tell("account_opened", account_id=BankAccount.objects.get(ledger_code="fees").pk)
    assert mails() == {}
    assert list(OutboxMessage.objects.filter(expanded_at=None).values_list("failures", flat=True)) == [1, 1]
    with pytest.raises(ValueError, match="two customers"):
        acts.mails_of("payment_posted", order_id=deposit.pk)
