"""Every service with which staff change a person, an account or money: who may, and what each of them refuses
(R1.7, R5.1, R5.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied

from accounts.models import AccountKind, AccountStatus, BankAccount, OutboxMessage, User
from accounts.reasons import ReasonMissing, ReasonTooLong
from accounts.roles import Role
from accounts.services import account_status, people
from audit.models import AuditEntry
from foundation.refusals import NotYourself
from tests import acts
from tests.staff_acts import REASON, a_request, approved, fresh_code, stored
from transfers.models import Transaction
from transfers.services import cash, opening, own_limits, reversals

pytestmark = pytest.mark.django_db

SUPPORT, ADMIN = Role.SUPPORT, Role.ADMIN


@dataclass
class World:
    """Alice has an account with 100.00 and an empty one, and has paid Bob 5.00 from the first."""

    alice: Any
    bob: Any
    account: BankAccount
    empty: BankAccount
    payment: Transaction


@pytest.fixture
def world(alice: Any, bob: Any, open_account: Callable) -> World:
    account, empty, bobs = open_account(alice, "105.00"), open_account(alice), open_account(bob)
    User.objects.filter(pk=alice.pk).update(pin_hash="a hash")
    order = acts.transfer(actor=alice, source=account, target=bobs, amount=Decimal(5), idempotency_key="the payment")
    assert order.transaction is not None
    return World(alice, bob, account, empty, order.transaction)


def edit(world: World, actor: Any, reason: str) -> Any:
    new: dict[str, Any] = {
        "first_name": "Alicia",
        "last_name": "",
        "email": "alicia@example.com",
        "phone": "",
        "is_active": True,
        "seen": people.version_of(stored(world.alice)),
    }
    return people.edit_user(
        a_request(), actor=actor, user=stored(world.alice), reason=reason, code=fresh_code(actor), **new
    )


def with_code(service: Callable) -> Callable:
    def act(world: World, actor: Any, reason: str) -> Any:
        return service(a_request(), actor=actor, user=stored(world.alice), reason=reason, code=fresh_code(actor))

    return act


def unlock(world: World, actor: Any, reason: str) -> Any:
    User.objects.filter(pk=world.alice.pk).update(locked_at="2026-11-01T00:00:00Z")
    return with_code(people.unlock_user)(world, actor, reason)


def change_role(world: World, actor: Any, reason: str) -> Any:
    BankAccount.objects.filter(owner=world.alice).update(status=AccountStatus.CLOSED)
    return people.change_role(
        a_request(), actor=actor, user=stored(world.alice), role=Role.SUPPORT, reason=reason, code=fresh_code(actor)
    )


def unfreeze(world: World, actor: Any, reason: str) -> Any:
    BankAccount.objects.filter(pk=world.account.pk).update(status=AccountStatus.FROZEN)
    return account_status.unfreeze_account(actor=actor, account=world.account, reason=reason)


def open_for(world: World, actor: Any, reason: str) -> Any:
    return opening.open_account(
        actor=actor,
        owner=world.alice,
        kind=AccountKind.SAVINGS,
        opening_deposit=Decimal(1),
        idempotency_key="opened for her",
        reason=reason,
    )


def on_request(service: Callable, verb: str, **inputs: Any) -> Callable:
    def act(world: World, actor: Any, reason: str, approve: Callable = approved) -> Any:
        subject = {"user": world.alice} if verb != "raise_daily_limit" else {"customer": world.alice}
        if verb.endswith("_account"):
            subject = {"account": world.empty}
        authority = approve(verb, *subject.values())
        return service(actor=actor, reason=reason, authority=authority, **subject, **inputs)

    return act


def counter(world: World, actor: Any) -> dict[str, Any]:
    return {"actor": actor, "account": world.account, "amount": Decimal(2), "idempotency_key": "at the counter"}


# name: who may, the act
ACTS: dict[str, tuple[set[Role], Callable[..., Any]]] = {
    "lock_user": ({ADMIN}, with_code(people.lock_user)),
    "unlock_user": ({ADMIN}, unlock),
    "change_role": ({ADMIN}, change_role),
    "edit_user": ({ADMIN}, edit),
    "freeze_account": (
        {ADMIN},
        lambda world, actor, reason: account_status.freeze_account(actor=actor, account=world.account, reason=reason),
    ),
    "unfreeze_account": ({ADMIN}, unfreeze),
    "open_account": ({ADMIN}, open_for),
    "reverse_transaction": (
        {ADMIN},
        lambda world, actor, reason: reversals.reverse_transaction(
            actor=actor, transaction=world.payment, reason=reason
        ),
    ),
    "update_identity": (
        {SUPPORT, ADMIN},
        on_request(people.update_identity, "update_identity", first_name="A", last_name="B", address="C"),
    ),
    "reset_two_factor": ({SUPPORT, ADMIN}, on_request(people.reset_two_factor, "reset_two_factor")),
    "reset_pin": ({SUPPORT, ADMIN}, on_request(people.reset_pin, "reset_pin")),
    "raise_daily_limit": (
        {SUPPORT, ADMIN},
        on_request(own_limits.raise_daily_limit, "raise_daily_limit", amount=Decimal(30_000)),
    ),
    "close_account": ({SUPPORT, ADMIN}, on_request(opening.close_account_on_request, "close_account")),
    "freeze_account by request": ({SUPPORT, ADMIN}, on_request(account_status.freeze_account, "freeze_account")),
}
COUNTER: dict[str, tuple[set[Role], Callable[..., Any]]] = {
    "deposit_at_counter": (
        {SUPPORT, ADMIN},
        lambda world, actor: cash.deposit_at_counter(**counter(world, actor)),
    ),
    "withdraw_at_counter": (
        {SUPPORT, ADMIN},
        lambda world, actor: cash.withdraw_at_counter(
            a_request(), customer_code=fresh_code(world.alice), **counter(world, actor)
        ),
    ),
}
ALL = ACTS | {name: (roles, lambda w, a, _, act=act: act(w, a)) for name, (roles, act) in COUNTER.items()}
REQUESTED = [name for name, (roles, _) in ACTS.items() if SUPPORT in roles]


@pytest.mark.parametrize("role", [*Role, "superuser"])
@pytest.mark.parametrize("name", ALL)
def test_each_act_is_for_its_roles_and_for_nobody_else(name: str, role: Any, world: World, make_user: Any) -> None:
    # R1.7, R5.1: Charlie, the customer of this test, and a superuser who is a customer are refused everything.
    allowed, act = ALL[name]
    actor = make_user("Charlie", Role.CUSTOMER if role == "superuser" else role)
    if role == "superuser":
        User.objects.filter(pk=actor.pk).update(is_superuser=True)
    before = AuditEntry.objects.count(), OutboxMessage.objects.count()
    if role in allowed:
        act(world, stored(actor), REASON)
        newest = AuditEntry.objects.order_by("-pk")[0]
        assert newest.actor_id == actor.pk
        assert newest.concerns_id in {world.alice.pk, world.bob.pk}
        assert OutboxMessage.objects.count() > before[1]
    else:
        with pytest.raises(PermissionDenied):
            act(world, stored(actor), REASON)
        assert (AuditEntry.objects.count(), OutboxMessage.objects.count()) == before


@pytest.mark.parametrize("state", [{"is_active": False}, {"locked_at": "2026-11-01T00:00:00Z"}])
@pytest.mark.parametrize("name", ALL)
def test_a_locked_or_deactivated_administrator_may_nothing(name: str, state: Any, world: World, ada: Any) -> None:
    # R1.5
    User.objects.filter(pk=ada.pk).update(**state)
    with pytest.raises(PermissionDenied):
        ALL[name][1](world, stored(ada), REASON)


BLANK = {
    "empty": "",
    "spaces": " \t\n ",
    "no-break": "\u00a0\u2003",
    "zero-width": "\u200b\u200d\ufeff\u2060",
    "dots": "…",
}


@pytest.mark.parametrize("reason", BLANK.values(), ids=list(BLANK))
@pytest.mark.parametrize("name", ACTS)
def test_no_act_without_a_reason(name: str, reason: str, world: World, ada: Any) -> None:
    # R5.1: bad input is a clear refusal, nothing half done.
    before = AuditEntry.objects.count()
    with pytest.raises(ReasonMissing, match="Say why"):
        ACTS[name][1](world, ada, reason)
    assert AuditEntry.objects.count() == before


@pytest.mark.parametrize("name", ACTS)
def test_a_reason_has_300_characters_at_most(name: str, world: World, ada: Any) -> None:
    with pytest.raises(ReasonTooLong, match="300"):
        ACTS[name][1](world, ada, "x" * 301)
    ACTS[name][1](world, ada, "x" * 300)


@pytest.mark.parametrize("name", ACTS)
def test_the_reason_is_in_the_audit_log_and_in_no_mail(name: str, world: World, ada: Any) -> None:
    # R6.1; what is written for colleagues may be about the customer.
    from tests.acts import mails

    ACTS[name][1](world, ada, REASON)
    kept = [entry.details.get("reason") for entry in AuditEntry.objects.filter(actor_id=ada.pk)]
    assert kept.count(REASON) == 1
    told: Any = mails()
    assert {mail.to[0] for mail in told} & {world.alice.email, "alicia@example.com"}
    assert all(REASON not in mail.message + mail.html_message + mail.subject for mail in told)


@pytest.mark.parametrize("name", ALL)
def test_no_full_number_phone_or_address_is_in_the_audit_log(name: str, world: World, ada: Any) -> None:
    # R6.2: not even when somebody types them into the reason.
    reason = f"Account {world.account.number_grouped} or {world.account.number}, phone {world.alice.phone}"
    ALL[name][1](world, ada, reason)
    written = " ".join(str(entry.details) for entry in AuditEntry.objects.all())
    digits = written.replace(" ", "").replace("-", "")
    assert str(world.account.number) not in digits
    assert "49305550101" not in digits
    assert "Lindenallee" not in written


@pytest.mark.parametrize("name", REQUESTED)
@pytest.mark.parametrize("fault", ["verb", "subject", "nothing"])
def test_an_approved_request_is_leave_for_its_own_verb_and_row_only(
    name: str, fault: str, world: World, sam: Any
) -> None:
    # R4.2: forged or mixed up.
    def other(verb: str, subject: Any) -> Any:
        if fault == "verb":
            return approved("fly", subject)
        return approved(verb, type(subject).objects.exclude(pk=subject.pk).first()) if fault == "subject" else None

    with pytest.raises(PermissionDenied):
        ACTS[name][1](world, sam, REASON, approve=other)


@pytest.mark.parametrize("name", [name for name in ALL if name not in {"open_account", "reverse_transaction"}])
def test_nobody_does_any_of_it_to_themselves(name: str, world: World) -> None:
    # R5.2: Alice has become an administrator behind the services' back, and still has her accounts.
    world.alice.groups.set([Group.objects.get(name=Role.ADMIN.value)])
    with pytest.raises(NotYourself):
        ALL[name][1](world, stored(world.alice), REASON)
