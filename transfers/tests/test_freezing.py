"""Freezing and unfreezing an account: who put a freeze, who lifts it, and when money moves again (R2.3, R2.5)."""

from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from itertools import product
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction

from accounts.models import AccountFreeze, AccountStatus, BankAccount, FreezeKind
from audit.models import AuditEntry
from foundation.refusals import WrongStatus
from foundation.transactions import own_transaction
from tests.acts import mails, mails_of
from tests.asvs import proves
from tests.staff_acts import REASON, approved, entry_of, set_status
from tests.tables import in_one_world
from transfers.accounts import freezing
from transfers.accounts.freezing import (
    AdministratorsFreeze,
    freeze_account,
    freeze_own_account,
    unfreeze_account,
)
from transfers.ledger import verification
from transfers.ledger.posting import AccountNotActive
from transfers.orders import cash
from transfers.orders.ownership import NotYourAccount

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(alice: Any, open_account: Any) -> BankAccount:
    return open_account(alice, "10.00")


def status_of(account: BankAccount) -> str:
    return BankAccount.objects.values_list("status", flat=True).get(pk=account.pk)


@own_transaction
def approving(service: Any, **given: Any) -> Any:
    """Return the service as the transaction calls it that approves a request."""
    return service.joined(**given)


def put(kind: FreezeKind, account: BankAccount, *, by: Any) -> None:
    """Put a freeze of this kind, by its usual actor: `by` is its owner, a clerk, an administrator."""
    if kind == FreezeKind.CUSTOMER:
        freeze_own_account(actor=by, account=account)
    elif kind == FreezeKind.SUPPORT:
        leave = approved("freeze_account", account)
        approving(freeze_account, actor=by, account=account, reason=REASON, authority=leave)
    else:
        freeze_account(actor=by, account=account, reason=REASON)


def lift_by_request(clerk: Any, account: BankAccount) -> Any:
    leave = approved("unfreeze_account", account)
    return approving(unfreeze_account, actor=clerk, account=account, reason="ok", authority=leave)


def standing(account: BankAccount) -> list[str]:
    rows = AccountFreeze.objects.filter(account=account, lifted_at__isnull=True).order_by("pk")
    return list(rows.values_list("kind", flat=True))


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
    ("service", "before", "action", "more", "subject"),
    [
        (freeze_account, AccountStatus.ACTIVE, "ACCOUNT_FROZEN", {"kind": "administrator"}, "Your account is frozen"),
        (
            *(unfreeze_account, AccountStatus.FROZEN, "ACCOUNT_UNFROZEN", {"lifted": "administrator"}),
            "Your account is no longer frozen",
        ),
    ],
)
def test_both_are_audited_and_told(
    service: Any, before: AccountStatus, action: str, more: Any, subject: str, alice: Any, ada: Any,
    account: BankAccount,
) -> None:  # fmt: skip
    # R6.1, R6.2
    set_status(account, before)
    service(actor=ada, account=account, reason=REASON)
    entry = entry_of(action)
    assert (entry.actor_id, entry.subject_id, entry.concerns_id) == (ada.pk, str(account.public_id), alice.pk)
    assert entry.details == {"reason": REASON, "number": account.masked_number} | more
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
    set_status(account, status)
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
        put(FreezeKind.SUPPORT, account, by=sam)
    with transaction.atomic():
        service = getattr(freezing, verb).joined
        service(actor=sam, account=account, reason=REASON, authority=approved(verb, account))
    entry = AuditEntry.objects.get(action="ACCOUNT_FROZEN" if verb == "freeze_account" else "ACCOUNT_UNFROZEN")
    assert (entry.actor_id, entry.details["request"]) == (sam.pk, "the-request")


# --- Kinds (R2.5) -------------------------------------------------------------------------------------------------


@proves("V8.2.1")
@in_one_world(("first", "second"), list(product(FreezeKind, FreezeKind)))
def test_one_of_each_kind_stands_and_none_hides_another(
    first: FreezeKind, second: FreezeKind, alice: Any, sam: Any, ada: Any, account: BankAccount
) -> None:
    by = {FreezeKind.CUSTOMER: alice, FreezeKind.SUPPORT: sam, FreezeKind.ADMINISTRATOR: ada}
    put(first, account, by=by[first])
    if first == second:
        with pytest.raises(WrongStatus, match="frozen already"):
            put(second, account, by=by[second])
    else:
        put(second, account, by=by[second])
    assert standing(account) == list(dict.fromkeys([first.value, second.value]))
    assert status_of(account) == AccountStatus.FROZEN
    assert AccountFreeze.objects.get(account=account, kind=first).frozen_by == by[first]


@in_one_world(("first", "second"), list(product(FreezeKind, FreezeKind)))
def test_an_administrator_lifts_one_and_money_waits_for_the_other(
    first: FreezeKind, second: FreezeKind, alice: Any, sam: Any, ada: Any, account: BankAccount
) -> None:
    by = {FreezeKind.CUSTOMER: alice, FreezeKind.SUPPORT: sam, FreezeKind.ADMINISTRATOR: ada}
    for kind in {first, second}:
        put(kind, account, by=by[kind])
    still = unfreeze_account(actor=ada, account=account, reason=REASON, kinds=[first])
    assert [freeze.kind for freeze in still] == standing(account) == ([] if first == second else [second.value])
    if first == second:
        deposit(alice, account, "free again")
        return
    with pytest.raises(AccountNotActive):
        deposit(alice, account, "while one stands")
    assert entry_of("FREEZE_LIFTED").details["still"] == second
    assert mails(alice.email)[-1].subject == "Your account is still frozen"
    with pytest.raises(WrongStatus, match="lifted already"):
        unfreeze_account(actor=ada, account=account, reason=REASON, kinds=[first])
    unfreeze_account(actor=ada, account=account, reason=REASON, kinds=[second])
    deposit(alice, account, "free again")


@in_one_world("there", [["customer"], ["support"], ["customer", "support"]])
def test_by_request_a_clerk_lifts_what_customer_and_support_put_there(
    there: list[str], alice: Any, sam: Any, account: BankAccount
) -> None:
    for kind in there:
        put(FreezeKind(kind), account, by=alice if kind == "customer" else sam)
    assert lift_by_request(sam, account) == []
    assert status_of(account) == AccountStatus.ACTIVE
    row = AccountFreeze.objects.filter(account=account).first()
    assert row is not None
    assert (row.lifted_by, row.lift_reason, row.lifted_at is None) == (sam, "ok", False)


@proves("V8.2.1")
@in_one_world("there", [[], ["customer"], ["support"], ["customer", "support"]])
def test_what_an_administrator_froze_no_clerk_lifts_and_an_administrator_does(
    there: list[str], alice: Any, sam: Any, ada: Any, account: BankAccount
) -> None:
    """Commit 11100bd lifted it with "ok", without showing why it was there."""
    freeze_account(actor=ada, account=account, reason="Account takeover reported by phone")
    for kind in there:
        put(FreezeKind(kind), account, by=alice if kind == "customer" else sam)
    before = standing(account)
    with pytest.raises(AdministratorsFreeze):
        lift_by_request(sam, account)
    assert (status_of(account), standing(account)) == (AccountStatus.FROZEN, before)
    assert lift_by_request(ada, account) == []
    assert status_of(account) == AccountStatus.ACTIVE


@in_one_world("who", ["alice", "charlie", "sam", "audrey"])
def test_without_a_request_only_an_administrator_lifts(
    who: str, alice: Any, account: BankAccount, request: Any
) -> None:
    freeze_own_account(actor=alice, account=account)
    with pytest.raises(PermissionDenied):
        unfreeze_account(actor=request.getfixturevalue(who), account=account, reason=REASON)
    assert standing(account) == ["customer"]


# --- By its owner (R2.5) ------------------------------------------------------------------------------------------


@proves("V8.2.1")
def test_its_owner_freezes_it_at_once_and_is_told(alice: Any, account: BankAccount) -> None:
    """Commit 11100bd had them ask, and wait for a clerk while the money moved."""
    freeze_own_account(actor=alice, account=account, reason="My phone is gone")
    with pytest.raises(AccountNotActive):
        deposit(alice, account, "too late for it")
    entry = entry_of("ACCOUNT_FROZEN")
    assert (entry.actor_id, entry.concerns_id) == (alice.pk, None)
    assert entry.details == {"reason": "My phone is gone", "number": account.masked_number, "kind": "customer"}
    mail = mails(alice.email)[-1]
    assert mail.subject == "You have frozen your account"
    assert account.masked_number in mail.message
    assert "phone" not in mail.message


@in_one_world("reason", ["", "   ", "…"])
def test_an_emergency_brake_asks_for_no_reason(reason: str, alice: Any, account: BankAccount) -> None:
    freeze_own_account(actor=alice, account=account, reason=reason)
    assert AccountFreeze.objects.get(account=account).reason == ""


def test_only_its_owner_does_and_not_once_it_is_closed(
    alice: Any, charlie: Any, ada: Any, account: BankAccount
) -> None:
    with pytest.raises(NotYourAccount):
        freeze_own_account(actor=charlie, account=account)
    with pytest.raises(PermissionDenied):
        freeze_own_account(actor=ada, account=account)
    assert status_of(account) == AccountStatus.ACTIVE
    set_status(account, AccountStatus.CLOSED)
    with pytest.raises(WrongStatus, match="closed"):
        freeze_own_account(actor=alice, account=account)


# --- Rows and status ----------------------------------------------------------------------------------------------


def test_the_database_takes_no_second_freeze_of_a_kind_and_no_half_lifted_one(
    ada: Any, alice: Any, account: BankAccount, subtests: Any
) -> None:
    freeze_account(actor=ada, account=account, reason=REASON)
    row = AccountFreeze.objects.get()
    wrong: dict[str, Callable[[], Any]] = {
        "second": lambda: AccountFreeze.objects.create(account=account, kind="administrator", frozen_by=ada),
        "kind": lambda: AccountFreeze.objects.create(account=account, kind="police", frozen_by=ada),
        "nobody lifted it": lambda: AccountFreeze.objects.filter(pk=row.pk).update(lifted_at=row.frozen_at),
        "lifted at no time": lambda: AccountFreeze.objects.filter(pk=row.pk).update(lifted_by=ada),
    }
    for name, write in wrong.items():
        with subtests.test(name), pytest.raises(IntegrityError), transaction.atomic():
            write()


def test_the_ledger_is_not_sound_where_status_and_freezes_disagree(
    ada: Any, account: BankAccount, open_account: Any, alice: Any
) -> None:
    forgotten, thawed = account, open_account(alice)
    freeze_account(actor=ada, account=thawed, reason=REASON)
    assert list(verification.faults()) == []
    BankAccount.objects.filter(pk=forgotten.pk).update(status="frozen")
    BankAccount.objects.filter(pk=thawed.pk).update(status="active")
    assert list(verification.faults()) == [
        f"account {forgotten.pk}: its status is frozen, and 0 freezes of it stand",
        f"account {thawed.pk}: its status is active, and 1 freezes of it stand",
    ]


def test_the_migration_writes_down_what_stands(ada: Any, sam: Any, alice: Any, open_account: Any) -> None:
    """The audit log's freezes of an account that is frozen then; for one that it does not mention, that it is
    frozen."""
    from django.apps import apps

    by_ada, by_request, by_nobody, active = (open_account(alice) for _ in range(4))
    freeze_account(actor=ada, account=by_ada, reason="Account takeover reported by phone")
    put(FreezeKind.SUPPORT, by_request, by=sam)
    BankAccount.objects.filter(pk=by_nobody.pk).update(status="frozen")
    was = {row.account_id: (row.kind, row.frozen_by, row.reason) for row in AccountFreeze.objects.all()}
    AccountFreeze.objects.all().delete()
    import_module("accounts.migrations.0004_freezes").write_down_what_stands(apps, None)
    now = {row.account_id: (row.kind, row.frozen_by, row.reason) for row in AccountFreeze.objects.all()}
    assert now == was | {by_nobody.pk: ("administrator", None, "")}
    assert active.pk not in now
    assert list(verification.faults()) == []
