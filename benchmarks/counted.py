"""How many statements and transactions a payment is: by hand, by the service and by the API."""

import json
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any

from figures import Figure
from hand_sql import over_django
from scratch_bank import Bank, Person

TABLE = "What a payment asks the database (counted)"
_BOUNDS = ("BEGIN", "COMMIT", "ROLLBACK")
_WRITES = ("INSERT", "UPDATE", "DELETE")


def counts(bank: Bank) -> Iterator[Figure]:
    """Count statements and transactions of the bank in this process."""
    from django_otp.oath import totp

    from accounts.models import BankAccount
    from transfers.orders import sending

    payer, known, new = bank.people[0], bank.people[bank.people[0].knows], bank.people[-1]
    accounts = BankAccount.objects.select_related("owner")
    source, target = accounts.get(pk=payer.account_id), accounts.get(pk=known.account_id)

    def by_service() -> None:
        key = uuid.uuid4().hex
        sending.transfer(actor=source.owner, source=source, target=target, amount=Decimal("0.01"), idempotency_key=key)

    by_service()  # compiles
    yield from _counted("by hand-written SQL", lambda: over_django().pay(bank.payments()[0]))
    yield from _counted("to a known payee, by the service", by_service)
    post_transfer(payer, known, expect=201)
    yield from _counted("to a known payee, by the API", lambda: post_transfer(payer, known, expect=201))
    key = uuid.uuid4().hex
    post_transfer(payer, known, expect=201, key=key)
    yield from _counted("the same request again, by the API", lambda: post_transfer(payer, known, expect=201, key=key))
    too_much = {"amount": "90000000.00"}
    post_transfer(payer, known, expect=409, **too_much)
    yield from _counted("refused (no funds), by the API", lambda: post_transfer(payer, known, expect=409, **too_much))
    key = uuid.uuid4().hex
    asked: list[Any] = []
    yield from _counted(
        "first payment without its code, by the API",
        lambda: asked.append(post_transfer(payer, new, expect=403, key=key, name=new.name)),
    )
    code = f"{totp(bytes.fromhex(payer.totp_key), t0=0, step=30, digits=6):06}"
    proof = {"challenge": asked[0].json()["challenge"]["id"], "code": code, "name": new.name}
    yield from _counted(
        "the same with its code, by the API", lambda: post_transfer(payer, new, expect=201, key=key, **proof)
    )


@cache
def _client() -> Any:
    from django.test import Client

    return Client(SERVER_NAME="localhost")


def post_transfer(payer: Person, payee: Person, *, expect: int, key: str = "", **more: str) -> Any:
    """Post a transfer to the API in this process and return its answer.

    Raises:
        SystemExit: it is another status.
    """
    answer = _client().post(
        f"/api/v1/accounts/{payer.number}/transfer",
        json.dumps({"to": payee.number, "amount": "0.01"} | more),
        content_type="application/json",
        secure=True,
        headers={"Authorization": f"Bearer {payer.token}", "Idempotency-Key": key or uuid.uuid4().hex},
    )
    if answer.status_code != expect:
        raise SystemExit(f"The API answered {answer.status_code}: {answer.content[:300].decode()}")
    return answer


def _counted(what: str, act: Callable[[], object]) -> Iterator[Figure]:
    statements, transactions = asked_by(act)
    yield Figure(TABLE, f"{what}: statements", "", statements, statements, statements)
    yield Figure(TABLE, f"{what}: transactions", "", transactions, transactions, transactions)


def asked_by(act: Callable[[], object]) -> tuple[int, int]:
    """Return how many statements an act takes besides BEGIN and COMMIT, and how many commits: a statement that writes
    outside of a transaction counts as one too."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        act()
    statements, commits, inside = 0, 0, False
    for verb in (query["sql"].split()[0] for query in captured.captured_queries):
        if verb in _BOUNDS:
            inside = verb == "BEGIN"
            commits += verb == "COMMIT"
        else:
            statements += 1
            commits += not inside and verb in _WRITES
    return statements, commits
