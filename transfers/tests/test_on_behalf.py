"""What staff do with a customer's accounts and limit on their behalf (R2.1, R2.3, R4.2)."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db import transaction

from accounts.models import AccountKind, BankAccount, User
from accounts.permission.reasons import ReasonMissing
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.idempotency import IdempotencyConflict
from tests import acts
from tests.acts import mails
from tests.staff_acts import REASON, approved, entry_of, stored
from tests.tables import in_one_world
from transfers.accounts import closing, opening
from transfers.accounts.closing import AccountNotEmpty
from transfers.accounts.opening import TooManyAccounts
from transfers.ledger.posting import AccountNotActive
from transfers.models import CustomerLimit, TransferOrder
from transfers.orders import own_limits
from transfers.orders.limits import DailyLimitReached, daily_limit
from transfers.orders.own_limits import NotARaise
from transfers.orders.ownership import NotACustomer, NotACustomersAccount

pytestmark = pytest.mark.django_db


def open_for(actor: Any, owner: Any, deposit: str = "0", **changes: Any) -> BankAccount:
    given = {"kind": AccountKind.SAVINGS, "idempotency_key": "on her behalf", "reason": REASON} | changes
    return opening.open_account(actor=actor, owner=owner, opening_deposit=Decimal(deposit), **given)


# --- Opening ------------------------------------------------------------------------------------------------


@in_one_world("self_service", [True, False])
def test_an_administrator_opens_an_account_for_a_customer(
    self_service: bool, alice: Any, ada: Any, settings: Any
) -> None:
    # R2.1; cash is brought to the counter, so self-service does not matter.
    settings.SELF_SERVICE_CASH = self_service
    account = open_for(ada, alice, "12.34", nickname="Holidays")
    assert (account.owner, account.kind, account.balance) == (alice, "savings", Decimal("12.34"))
    assert TransferOrder.objects.get(target=account).initiator == ada
    entry = entry_of("ACCOUNT_CREATED")
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (ada.pk, str(account.public_id), alice.pk)
    assert entry.details == {"kind": "savings", "number": account.masked_number, "reason": REASON}
    assert entry_of("DEPOSIT_CREATED").concerns_id == alice.pk
    subjects = {mail.subject for mail in mails(alice.email)}
    assert subjects == {"Your new account is open", "€12.34 paid in at the counter"}


def test_the_same_request_again_opens_no_second_account(alice: Any, bob: Any, ada: Any) -> None:
    # R3.5
    account = open_for(ada, alice, "5.00")
    assert open_for(ada, alice, "5.00") == account
    with pytest.raises(IdempotencyConflict):
        open_for(ada, bob, "5.00")
    with pytest.raises(IdempotencyConflict):
        open_for(ada, alice, "6.00")
    assert BankAccount.objects.filter(owner__isnull=False).count() == 1


def test_the_number_of_accounts_is_the_owners(alice: Any, ada: Any, settings: Any) -> None:
    settings.MAX_OPEN_ACCOUNTS = 1
    open_for(ada, alice)
    with pytest.raises(TooManyAccounts, match="This customer"):
        open_for(ada, alice, idempotency_key="one too many")
    refused = entry_of("ACCOUNT_REFUSED")
    assert (refused.actor_id, refused.concerns_id) == (ada.pk, alice.pk)


@in_one_world("whose", ["sam", "audrey", "deactivated", "nobody"])
def test_only_customers_have_accounts(whose: str, ada: Any, sam: Any, audrey: Any, bob: Any) -> None:
    # R2.1: staff would be on both sides of the counter.
    User.objects.filter(pk=bob.pk).update(is_active=False)
    nobody = User.objects.create(email="nobody@example.com", first_name="Nobody")
    owner = stored({"sam": sam, "audrey": audrey, "deactivated": bob, "nobody": nobody}[whose])
    with pytest.raises(NotACustomer):
        open_for(ada, owner)
    assert not BankAccount.objects.filter(owner=owner).exists()


def test_an_administrator_opens_none_for_themselves(ada: Any) -> None:
    with pytest.raises(PermissionDenied):
        open_for(ada, ada)


def test_a_customer_opens_none_for_another(alice: Any, charlie: Any) -> None:
    with pytest.raises(PermissionDenied):
        open_for(charlie, alice)


def test_without_a_reason_only_ones_own_account_is_opened(alice: Any, ada: Any) -> None:
    opening.open_account(actor=alice, owner=alice, kind=AccountKind.CHECKING, idempotency_key="her own one")
    with pytest.raises(ReasonMissing):
        open_for(ada, alice, reason=" ")


def test_an_opening_deposit_needs_leave_for_the_counter_too(alice: Any, ada: Any) -> None:
    admins = Group.objects.get(name=Role.ADMIN.value)
    admins.permissions.remove(Permission.objects.get(codename="deposit_at_counter"))
    with pytest.raises(PermissionDenied):
        open_for(stored(ada), alice, "1.00")
    open_for(stored(ada), alice)


def test_who_was_made_staff_meanwhile_opens_no_account(alice: Any) -> None:
    # The role is checked again, on a locked row.
    before = stored(alice)
    assert before.role == Role.CUSTOMER
    assert before.has_role_permission("transfers.open_own_account")
    alice.groups.set([Group.objects.get(name=Role.SUPPORT.value)])
    with pytest.raises(NotACustomer):
        opening.open_account(actor=before, kind=AccountKind.CHECKING, idempotency_key="too late now")


# --- Closing ------------------------------------------------------------------------------------------------


def close(actor: Any, account: BankAccount) -> None:
    """Close, as one step of the transaction that approves."""
    with transaction.atomic():
        closing.close_account_on_request.joined(
            actor=actor, account=account, reason=REASON, authority=approved("close_account", account)
        )


def test_an_approved_request_closes_an_empty_account(alice: Any, sam: Any, open_account: Callable) -> None:
    # R2.3, R4.2
    account = open_account(alice)
    close(sam, account)
    account.refresh_from_db()
    assert (account.status, account.closed_at is None) == ("closed", False)
    entry = entry_of("ACCOUNT_CLOSED")
    assert (entry.actor_id, entry.concerns_id) == (sam.pk, alice.pk)
    assert entry.details == {"reason": REASON, "request": "the-request", "number": account.masked_number}
    assert mails(alice.email)[-1].subject == "Your account is closed"
    with pytest.raises(AccountNotActive, match="closed already"):
        close(sam, account)


def test_a_request_bends_no_rule(sam: Any, everyday: BankAccount) -> None:
    with pytest.raises(AccountNotEmpty):
        close(sam, everyday)
    with pytest.raises(NotACustomersAccount):
        close(sam, BankAccount.objects.get(ledger_code="fees"))
    assert not AuditEntry.objects.filter(action="ACCOUNT_CLOSED").exists()


# --- Daily limit --------------------------------------------------------------------------------------------

MORNING = datetime(2026, 11, 3, 9, tzinfo=UTC)


def raise_limit(actor: Any, customer: Any, amount: str) -> None:
    with transaction.atomic():
        own_limits.raise_daily_limit.joined(
            actor=actor,
            customer=customer,
            amount=Decimal(amount),
            reason=REASON,
            authority=approved("raise_daily_limit", customer),
        )


def test_a_raised_limit_holds_from_now_on_and_todays_use_still_counts(
    alice: Any, sam: Any, open_account: Callable, settings: Any
) -> None:
    # R3.9, R4.2
    settings.DAILY_TRANSFER_LIMIT = Decimal(50)
    account = open_account(alice, "100.00")

    def withdraw(amount: str) -> None:
        key = f"withdrawal of {amount}"
        acts.withdraw(actor=alice, account=account, amount=Decimal(amount), idempotency_key=key, at=MORNING)

    withdraw("50.00")
    raise_limit(sam, alice, "60.00")
    withdraw("9.00")
    with pytest.raises(DailyLimitReached):
        withdraw("1.01")
    entry = entry_of("DAILY_LIMIT_RAISED")
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (sam.pk, str(alice.public_id), alice.pk)
    assert entry.details == {"reason": REASON, "before": "50", "after": "60.00", "request": "the-request"}
    assert mails(alice.email)[-1].subject == "Your daily limit is now €60.00"


@in_one_world("amount", ["25000", "24999.99", "0", "-1", "NaN"])
def test_less_or_nothing_is_not_a_raise(amount: str, alice: Any, sam: Any) -> None:
    with pytest.raises((NotARaise, ValueError)):
        raise_limit(sam, alice, amount)
    assert daily_limit(CustomerLimit.objects.filter(user=alice).first()) == Decimal(25_000)


def test_staff_have_no_limit_to_raise(ada: Any, sam: Any) -> None:
    with pytest.raises(NotACustomer):
        raise_limit(ada, sam, "30000")
    assert not CustomerLimit.objects.exists()
