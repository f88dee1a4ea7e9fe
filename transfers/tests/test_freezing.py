"""Freezing and unfreezing an account (R2.3)."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from accounts.models import AccountStatus, BankAccount
from audit.models import AuditEntry
from foundation.refusals import WrongStatus
from tests.acts import mails, mails_of
from tests.staff_acts import REASON, approved, entry_of
from tests.tables import in_one_world
from transfers.accounts import freezing
from transfers.accounts.freezing import freeze_account, unfreeze_account
from transfers.ledger.posting import AccountNotActive
from transfers.orders import cash

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(alice: Any, open_account: Any) -> BankAccount:
    return open_account(alice, "10.00")


def status_of(account: BankAccount) -> str:
    return BankAccount.objects.values_list("status", flat=True).get(pk=account.pk)


def deposit(actor: Any, account: BankAccount, key: str) -> None:
    cash.deposit(actor=actor, account=account, amount=Decimal(1), idempotency_key=key)


def test_no_money_moves_while_an_account_is_frozen(alice: Any, ada: Any, account: BankAccount) -> None:
    # R2.3: deposits included.
    freeze_account(actor=ada, account=account, reason=REASON)
    with pytest.raises(AccountNotActive):
        deposit(alice, account, "while frozen")
    unfreeze_account(actor=ada, account=account, reason=REASON)
    deposit(alice, account, "afterwards")
    account.refresh_from_db()
    assert (account.status, account.balance) == ("active", Decimal(11))


@in_one_world(
    ("service", "before", "action", "subject"),
    [
        (freeze_account, AccountStatus.ACTIVE, "ACCOUNT_FROZEN", "Your account is frozen"),
        (unfreeze_account, AccountStatus.FROZEN, "ACCOUNT_UNFROZEN", "Your account is no longer frozen"),
    ],
)
def test_both_are_audited_and_told(
    service: Any, before: AccountStatus, action: str, subject: str, alice: Any, ada: Any, account: BankAccount
) -> None:
    # R6.1, R6.2
    BankAccount.objects.filter(pk=account.pk).update(status=before)
    service(actor=ada, account=account, reason=REASON)
    entry = entry_of(action)
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (ada.pk, str(account.public_id), alice.pk)
    assert entry.details == {"reason": REASON, "number": account.masked_number}
    mail = mails(alice.email)[-1]
    assert mail.subject == subject
    assert account.masked_number in mail.message
    assert account.number not in mail.message


@in_one_world(
    ("service", "status", "says"),
    [
        (freeze_account, AccountStatus.FROZEN, "frozen already"),
        (freeze_account, AccountStatus.CLOSED, "closed"),
        (unfreeze_account, AccountStatus.ACTIVE, "not frozen"),
        (unfreeze_account, AccountStatus.CLOSED, "closed"),
    ],
)
def test_a_stale_page_is_told_how_it_is(
    service: Any, status: AccountStatus, says: str, ada: Any, account: BankAccount
) -> None:
    BankAccount.objects.filter(pk=account.pk).update(status=status)
    with pytest.raises(WrongStatus, match=says):
        service(actor=ada, account=account, reason=REASON)
    assert status_of(account) == status
    assert not AuditEntry.objects.filter(action__in=["ACCOUNT_FROZEN", "ACCOUNT_UNFROZEN"]).exists()


@in_one_world("service", [freeze_account, unfreeze_account])
def test_the_banks_own_accounts_are_never_frozen(service: Any, ada: Any, db: Any) -> None:
    # A forged id: without cash nobody could pay in or out.
    cash_account = BankAccount.objects.get(ledger_code="cash-0")
    with pytest.raises(WrongStatus, match="own accounts"):
        service(actor=ada, account=cash_account, reason=REASON)
    assert status_of(cash_account) == AccountStatus.ACTIVE


def test_the_banks_own_accounts_have_nobody_to_write_to(db: Any) -> None:
    with pytest.raises(ValueError, match="nobody to write to"):
        mails_of("account_frozen", account_id=BankAccount.objects.get(ledger_code="fees").pk)


@in_one_world("verb", ["freeze_account", "unfreeze_account"])
def test_an_approved_request_is_named_in_the_log(verb: str, sam: Any, account: BankAccount) -> None:
    # R4.2: as one step of the transaction that approves.
    if verb == "unfreeze_account":
        BankAccount.objects.filter(pk=account.pk).update(status=AccountStatus.FROZEN)
    with transaction.atomic():
        service = getattr(freezing, verb).joined
        service(actor=sam, account=account, reason=REASON, authority=approved(verb, account))
    entry = AuditEntry.objects.get(action__in=["ACCOUNT_FROZEN", "ACCOUNT_UNFROZEN"])
    assert (entry.actor_id, entry.details["request"]) == (sam.pk, "the-request")
