"""Make the customers of a round, in the bank that the environment names: four, each with two accounts and some money,
who have all paid each other before.

    python -m tests.faults.people

Prints the eight accounts as JSON, each with its owner's token for the API.
"""
# ruff: noqa: T201 - a program prints

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from scratch_bank import begin

CUSTOMERS, ACCOUNTS_EACH = 4, 2
# Little enough that a share of random amounts is refused for lack of funds.
OPENING_DEPOSIT = Decimal(500)
# Longer than any run, and begun long enough ago to be valid for a clock that jumps back an hour.
TOKEN_LASTS, TOKEN_BEGAN_AGO = timedelta(days=7), timedelta(hours=3)


@dataclass(frozen=True)
class Account:
    """One of the eight, with what a client needs to send money from it and to it; its balance in minor units."""

    id: int
    number: str
    owner: int
    email: str
    token: str
    balance: int


def make_accounts() -> list[Account]:
    """Return the customers and what they have, made by the bank's own services."""
    from django.utils import timezone

    from accounts.models import BankAccount
    from foundation.money import to_minor

    now = timezone.now()
    tokens = {}
    for number in range(CUSTOMERS):
        user = _customer(number)
        tokens[user.pk] = _token(user, now - TOKEN_BEGAN_AGO)
    rows = list(BankAccount.objects.filter(owner__isnull=False).select_related("owner").order_by("pk"))
    _let_all_pay_each_other(rows)
    return [
        Account(row.pk, str(row.number), row.owner_id, row.owner.email, tokens[row.owner_id], to_minor(row.balance))
        for row in BankAccount.objects.filter(owner__isnull=False).select_related("owner").order_by("pk")
        if row.owner is not None and row.owner_id is not None
    ]


def _customer(number: int) -> Any:
    from accounts.models import AccountKind
    from accounts.people.registration import create_user
    from accounts.roles import Role
    from transfers.accounts import opening

    user = create_user(
        email=f"customer{number}@example.com",
        password_hash="!",  # no password at all
        role=Role.CUSTOMER,
        first_name="Alexandra",
        last_name=f"Brandt {number}",
    )
    for place in range(ACCOUNTS_EACH):
        opening.open_account(
            actor=user,
            kind=AccountKind.CHECKING,
            opening_deposit=OPENING_DEPOSIT,
            idempotency_key=f"opened-{number}-{place}",
        )
    return user


def _token(user: Any, began: datetime) -> str:
    """Return the token of a session that began some hours ago."""
    from accounts.models import SessionKind, UserSession
    from accounts.programs import tokens

    session = UserSession.objects.create(user=user, kind=SessionKind.API)
    jti, sid = tokens.new_jti(), str(session.public_id)
    return tokens.sign(tokens.Use.ACCESS, user=user.public_id, jti=jti, now=began, lasts=TOKEN_LASTS, sid=sid)


def _let_all_pay_each_other(accounts: list[Any]) -> None:
    """Let each customer pay a cent to each account of the others, so that no payment of a round is a first one."""
    from accounts.sign_in.origin import Origin
    from transfers.models import NameCheck, StepUpChallenge
    from transfers.orders import sending
    from transfers.orders.payee_names import NameGiven
    from transfers.orders.step_up import Proof, StepUpRequired

    firsts = {account.owner_id: account for account in reversed(accounts)}
    for source in firsts.values():
        for target in (account for account in accounts if account.owner_id != source.owner_id):
            payment = {
                "actor": source.owner,
                "source": source,
                "target": target,
                "amount": Decimal("0.01"),
                "idempotency_key": f"first-from-{source.pk}-to-{target.pk}",
                "name_given": NameGiven("", NameCheck.MATCH),
            }
            try:
                sending.transfer(**payment)
            except StepUpRequired as need:
                # Codes are new every half minute, and nobody waits for that here: it counts as given.
                StepUpChallenge.objects.filter(pk=need.challenge.pk).update(verified_at=need.challenge.created_at)
                sending.transfer(**payment, proof=Proof(Origin(ip="127.0.0.1"), need.challenge.public_id, ""))


if __name__ == "__main__":
    begin()
    print(json.dumps([asdict(account) for account in make_accounts()]))
