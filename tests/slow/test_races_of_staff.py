"""Staff who act on one person, account or movement at the same moment (R3.4, R5.2): one wins, the other is told."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from accounts import people
from accounts.models import AccountFreeze, AccountKind, BankAccount, FreezeKind, PendingAct, User
from accounts.permission import second_person
from accounts.roles import Role
from audit.models import AuditEntry
from tests import acts
from tests.asvs import proves
from tests.slow.test_concurrency import race
from tests.staff_acts import REASON, an_origin, fresh_code, stored
from tests.test_concurrency import balance
from transfers.accounts import freezing, opening
from transfers.ledger import verification
from transfers.models import Transaction
from transfers.orders import cash, reversals

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def anna(make_user: Any) -> Any:
    return make_user("Anna", Role.ADMIN)


def on_person(service: Callable, actor: Any, user: Any, **more: Any) -> Callable[[], Any]:
    """Return the act, ready to run: code made and rows read before the race begins."""
    actor, user, code = stored(actor), stored(user), fresh_code(actor)
    if service is people.edit_user:
        more["seen"] = people.version_of(user)
    return lambda: service(origin=an_origin(), actor=actor, user=user, reason=REASON, code=code, **more)


def test_if_two_administrators_lock_one_customer_one_is_told(alice: Any, ada: Any, anna: Any) -> None:
    calls = [on_person(people.lock_user, actor, alice) for actor in (ada, anna)]
    assert race(*calls) == {"done": 1, "LockedAlready": 1}
    assert AuditEntry.objects.filter(action="USER_LOCKED").count() == 1
    calls = [on_person(people.unlock_user, actor, alice) for actor in (ada, anna)]
    assert race(*calls) == {"done": 1, "NotLocked": 1}
    assert stored(alice).can_sign_in


def administrators_left() -> list[User]:
    return [user for user in User.objects.all() if user.role == Role.ADMIN and user.can_sign_in]


def test_two_administrators_cannot_lock_each_other(ada: Any, anna: Any) -> None:
    # R5.2: one is left, the one who was first.
    outcomes = race(on_person(people.lock_user, ada, anna), on_person(people.lock_user, anna, ada))
    assert outcomes == {"done": 1, "PermissionDenied": 1}
    assert len(administrators_left()) == 1


@proves("V15.4.2")
@pytest.mark.parametrize(
    ("service", "more"),
    [
        (people.change_role, {"role": Role.SUPPORT}),
        (
            people.edit_user,
            {"first_name": "X", "last_name": "", "email": "x@example.com", "phone": "", "is_active": False},
        ),
    ],
)
def test_two_administrators_cannot_remove_each_other(
    service: Callable, more: dict, ada: Any, anna: Any, make_user: Any
) -> None:
    # R5.2, R5.8: each asks for it, a third one agrees to both at once, and one is left.
    others = [make_user(name, Role.ADMIN) for name in ("Arno", "Arne")]
    race(on_person(service, ada, anna, **more), on_person(service, anna, ada, **more))
    waiting = list(PendingAct.objects.all())
    assert len(waiting) == 2
    outcomes = race(*(deciding(second_person.approve, *one) for one in zip(others, waiting, strict=True)))
    assert outcomes == {"done": 1, "AskerMayNoLonger": 1}
    assert len(administrators_left()) == 3


def deciding(service: Callable, actor: Any, act: PendingAct) -> Callable[[], Any]:
    """Return the second administrator's decision, ready to be given."""
    code = fresh_code(actor)
    return lambda: service(actor=actor, act=act, reason=REASON, code=code, origin=an_origin())


def test_if_two_agree_to_one_act_and_one_stops_it_one_wins(ada: Any, anna: Any, make_user: Any) -> None:
    # R5.8: and the job, which finds nothing due, disturbs nobody.
    arno, arne = (make_user(name, Role.ADMIN) for name in ("Arno", "Arne"))
    for number in range(3):
        customer = make_user(f"Person{number}")
        on_person(people.change_role, ada, customer, role=Role.SUPPORT)()
        act = PendingAct.objects.get(state="waiting")
        outcomes = race(
            deciding(second_person.approve, anna, act),
            deciding(second_person.approve, arno, act),
            deciding(second_person.stop, arne, act),
            second_person.carry_out_due,
        )
        assert outcomes == {"done": 2, "DecidedAlready": 2}
        act.refresh_from_db()
        is_done = act.state == "done"
        assert (stored(customer).role == Role.SUPPORT) == is_done
        assert AuditEntry.objects.filter(action="ROLE_CHANGED", concerns_id=customer.pk).exists() == is_done


def test_if_a_movement_is_reversed_twice_one_wins(
    alice: Any, bob: Any, ada: Any, anna: Any, open_account: Callable
) -> None:
    # R3.1
    source, target = open_account(alice, "100.00"), open_account(bob, "100.00")
    for number in range(3):
        order = acts.transfer(
            actor=alice, source=source, target=target, amount=Decimal(30), idempotency_key=f"mistake {number}"
        )
        calls = [
            lambda actor=actor, order=order: reversals.reverse_transaction(
                actor=actor, transaction=order.transaction, reason=REASON
            )
            for actor in (ada, anna, ada, anna)
        ]
        assert race(*calls) == {"done": 1, "ReversedAlready": 3}
    assert (balance(source), balance(target)) == (Decimal(100), Decimal(100))
    assert Transaction.objects.filter(kind="reversal").count() == 3
    assert list(verification.faults()) == []


def test_an_account_is_frozen_before_a_payment_or_after_it(alice: Any, ada: Any, open_account: Callable) -> None:
    # R2.3
    for number in range(5):
        account = open_account(alice, "10.00")
        outcomes = race(
            lambda account=account, number=number: cash.withdraw(  # type: ignore[misc]
                actor=alice, account=account, amount=Decimal(1), idempotency_key=f"withdrawal {number}"
            ),
            lambda account=account: freezing.freeze_account(  # type: ignore[misc]
                actor=ada, account=account, reason=REASON
            ),
        )
        assert outcomes in ({"done": 2}, {"done": 1, "AccountNotActive": 1})
        account = BankAccount.objects.get(pk=account.pk)
        assert account.status == "frozen"
        assert account.balance == Decimal(9 if outcomes["done"] == 2 else 10)
    assert list(verification.faults()) == []


def test_if_two_administrators_freeze_one_account_one_is_told(
    alice: Any, ada: Any, anna: Any, open_account: Callable
) -> None:
    account = open_account(alice)
    calls = [
        lambda actor=actor: freezing.freeze_account(actor=actor, account=account, reason=REASON)
        for actor in (ada, anna)
    ]
    assert race(*calls) == {"done": 1, "FrozenAlready": 1}


@proves("V15.4.2")
def test_an_account_is_active_exactly_while_it_has_no_freeze_in_any_order(
    alice: Any, ada: Any, anna: Any, open_account: Callable
) -> None:
    # R2.5: its owner and two administrators freeze and lift at the same moment.
    for number in range(6):
        account = open_account(alice)
        freezing.freeze_account(actor=ada, account=account, reason=REASON)
        kinds = [FreezeKind.ADMINISTRATOR] if number % 2 else None
        outcomes = race(
            partial(freezing.freeze_own_account, actor=alice, account=account),
            partial(freezing.unfreeze_account, actor=ada, account=account, reason=REASON, kinds=kinds),
            partial(freezing.freeze_account, actor=anna, account=account, reason=REASON),
        )
        assert outcomes in ({"done": 3}, {"done": 2, "FrozenAlready": 1})
        standing = set(AccountFreeze.objects.filter(account=account, lifted_at=None).values_list("kind", flat=True))
        assert (BankAccount.objects.get(pk=account.pk).status == "frozen") == bool(standing)
        if kinds:
            assert "customer" in standing, "nobody lifted what they did not name"
    assert list(verification.faults()) == []


def opening_by(customer: Any) -> Callable[[], Any]:
    kind = AccountKind.CHECKING
    return lambda: opening.open_account(actor=customer, kind=kind, idempotency_key="a race for it")


def test_somebody_becomes_staff_or_opens_an_account_but_never_both(make_user: Any, ada: Any, anna: Any) -> None:
    # R5.2: staff with accounts would be on both sides of the counter.
    for number in range(4):
        person = make_user(f"Person{number}")
        on_person(people.change_role, ada, person, role=Role.SUPPORT)()
        act = PendingAct.objects.latest("pk")
        race(deciding(second_person.approve, anna, act), opening_by(stored(person)))
        has_account = BankAccount.objects.filter(owner=person).exists()
        assert has_account == (stored(person).role == Role.CUSTOMER)


def test_a_double_click_at_the_counter_moves_the_money_once(alice: Any, sam: Any, open_account: Callable) -> None:
    # R3.5
    account, code = open_account(alice, "100.00"), fresh_code(alice)

    def pay_out() -> None:
        cash.withdraw_at_counter(
            origin=an_origin(),
            actor=sam,
            account=account,
            amount=Decimal(10),
            customer_code=code,
            idempotency_key="clicked twice",
        )

    assert race(pay_out, pay_out)["done"] >= 1
    assert balance(account) == Decimal(90)
    pay_out()
    assert balance(account) == Decimal(90)
