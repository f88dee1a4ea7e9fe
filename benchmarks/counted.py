"""How many statements and transactions a payment is, as SQLite is given them: by the service and by the API."""

import json
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from figures import Figure
from hand_sql import over_django
from scratch_bank import Bank, Person

TABLE = "What a payment asks the database (counted)"
_BOUNDS = ("BEGIN", "COMMIT", "ROLLBACK")


def counts(bank: Bank) -> Iterator[Figure]:
    """Of the bank that this process has begun, on SQLite."""
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
        lambda: asked.append(post_transfer(payer, new, expect=403, key=key)),
    )
    code = f"{totp(bytes.fromhex(payer.totp_key), t0=0, step=30, digits=6):06}"
    proof = {"challenge": asked[0].json()["challenge"]["id"], "code": code}
    yield from _counted(
        "the same with its code, by the API", lambda: post_transfer(payer, new, expect=201, key=key, **proof)
    )


def post_transfer(payer: Person, payee: Person, *, expect: int, key: str = "", **more: str) -> Any:
    """What the API answers, asked in this process.

    Raises:
        SystemExit: it is another status.
    """
    from django.test import Client

    answer = Client(SERVER_NAME="localhost").post(
        f"/api/v1/accounts/{payer.number}/transfer",
        json.dumps({"to": payee.number, "amount": "0.01"} | more),
        content_type="application/json",
        headers={"Authorization": f"Bearer {payer.token}", "Idempotency-Key": key or uuid.uuid4().hex},
    )
    if answer.status_code != expect:
        raise SystemExit(f"The API answered {answer.status_code}: {answer.content[:300].decode()}")
    return answer


def _counted(what: str, act: Callable[[], object]) -> Iterator[Figure]:
    from django.db import connection

    connection.ensure_connection()
    texts: list[str] = []
    connection.connection.set_trace_callback(texts.append)
    try:
        act()
    finally:
        connection.connection.set_trace_callback(None)
    own = [text for text in texts if not text.startswith("--")]  # what triggers do is told as a comment
    transactions = sum(text.startswith("BEGIN") for text in own)
    statements = sum(not text.startswith(_BOUNDS) for text in own)
    yield Figure(TABLE, f"{what}: statements", "", statements, statements, statements)
    yield Figure(TABLE, f"{what}: transactions", "", transactions, transactions, transactions)
