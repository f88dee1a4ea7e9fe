"""Run in a container of the bank: make Alice, who has money, and Bob; and other people to pay him.

    python people.py PAYERS PASSWORD

Prints what a test needs to act for them, as JSON: keys of their authenticators, accounts, and tokens of the payers.
"""

import json
import os
import secrets
import sys
from decimal import Decimal
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bankproject.settings")
os.environ["SELF_SERVICE_CASH"] = "1"  # here only: it is how they get money
django.setup()

from django.contrib.auth.hashers import make_password  # noqa: E402 - the bank is there from here on

from accounts.models import AccountKind, TotpDevice  # noqa: E402
from accounts.people.registration import create_user  # noqa: E402
from accounts.programs import sessions as api_sessions  # noqa: E402
from accounts.roles import Role  # noqa: E402
from accounts.sign_in.origin import Origin  # noqa: E402
from transfers.accounts import opening  # noqa: E402
from transfers.models import NameCheck  # noqa: E402
from transfers.orders import sending  # noqa: E402
from transfers.orders.payee_names import NameGiven  # noqa: E402
from transfers.orders.step_up import Proof, StepUpRequired  # noqa: E402

PASSWORD_HASH = make_password(sys.argv[2])


def person(name: str, deposit: str) -> dict[str, Any]:
    user = create_user(
        email=f"{name.lower()}@example.com",
        password_hash=PASSWORD_HASH,
        role=Role.CUSTOMER,
        first_name=name,
        last_name="Example",
    )
    device = TotpDevice(user=user, name="phone", confirmed=True, key=secrets.token_hex(20))
    device.save()
    account = opening.open_account(
        actor=user,
        kind=AccountKind.CHECKING,
        opening_deposit=Decimal(deposit),
        idempotency_key=f"opened-for-{name}-1",
    )
    return {"user": user, "device": device, "account": account}


def told(made: dict[str, Any]) -> dict[str, str]:
    account = made["account"]
    return {
        "email": made["user"].email,
        "totp": made["device"].key,
        "account": str(account.public_id),
        "number": account.number,
    }


def payer(number: int, target: Any) -> dict[str, str]:
    """Make a customer who has paid this account before, with a code, so that none is asked for again."""
    made = person(f"Payer{number}", "1000.00")
    origin = Origin(ip="127.0.0.1")
    payment = {
        "actor": made["user"],
        "source": made["account"],
        "target": target,
        "amount": Decimal("1.00"),
        "idempotency_key": f"first-of-payer-{number}",
        "name_given": NameGiven("Bob Example", NameCheck.MATCH),
    }
    try:
        first = sending.transfer(**payment)
    except StepUpRequired as need:
        code = f"{made['device'].totp().token():06d}"
        first = sending.transfer(**payment, proof=Proof(origin, need.challenge.public_id, code))
    tokens = api_sessions.begin(user=made["user"], device=made["device"], origin=origin)
    return told(made) | {"token": tokens.access_token, "first_order": str(first.public_id)}


alice, bob = person("Alice", "500.00"), person("Bob", "0")
payers = [payer(number, bob["account"]) for number in range(int(sys.argv[1]))]
sys.stdout.write(json.dumps({"alice": told(alice), "bob": told(bob), "payers": payers}))
