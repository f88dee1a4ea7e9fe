"""A service that is told to stop finishes what it has begun, and begins nothing more (R9.3, R3.5)."""

import http.client
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from tests.asvs import proves
from tests.stack.conftest import TERM, Stack, wait_for

PAYERS, PAYMENTS_EACH = 10, 20
PAYMENTS = PAYERS * PAYMENTS_EACH

# The ledger's rows of the payments: how many, their outcome, and by which orders.
IN_THE_LEDGER = """
import os, json, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bankproject.settings")
django.setup()
from transfers.models import Entry, Transaction, TransferOrder
from accounts.models import BankAccount
sent = Transaction.objects.filter(kind="transfer")
print(json.dumps({
    "orders": [str(each) for each in TransferOrder.objects.filter(kind="payment").values_list("public_id", flat=True)],
    "transactions": sent.count(),
    "entries": Entry.objects.filter(transaction__in=sent).count(),
    "received": str(BankAccount.objects.get(owner__email="bob@example.com").balance),
}))
"""


@dataclass
class Outcome:
    """For each payment by its key: the order that the bank acknowledged, or None."""

    acknowledged: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    without_answer: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


def pay_all_at_once(stack: Stack, people: dict[str, Any], outcome: Outcome) -> list[threading.Thread]:
    """Open as many connections as there are payments, all at the same moment, each for one request."""
    together = threading.Barrier(PAYMENTS)

    def pay(payer: dict[str, str], key: str) -> None:
        together.wait()
        try:
            status, answer = post_payment(stack.ports["web"], payer, people["bob"]["number"], key)
        except (OSError, http.client.HTTPException):
            with outcome.lock:
                outcome.without_answer += 1
            return
        with outcome.lock:
            outcome.statuses.append(status)
            if status == 201:
                outcome.acknowledged[key] = answer["id"]

    threads = [
        threading.Thread(target=pay, args=(payer, f"payment-{number}-{turn}-of-the-test"))
        for number, payer in enumerate(people["payers"])
        for turn in range(PAYMENTS_EACH)
    ]
    for thread in threads:
        thread.start()
    return threads


def post_payment(port: int, payer: dict[str, str], number: str, key: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {
        "Authorization": f"Bearer {payer['token']}",
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "Host": "localhost",
        "X-Forwarded-Proto": "https",
    }
    try:
        body = json.dumps({"to": number, "amount": "1.00", "description": key})
        connection.request("POST", f"/api/v1/accounts/{payer['number']}/transfer", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@proves("V2.3.3")
def test_a_sigterm_during_two_hundred_transfers_finishes_what_was_begun(stack: Stack) -> None:
    """Shows 5. Then a client without an answer asks again with the same key, and is paid once."""
    running = stack.up("web")
    people = stack.people(payers=PAYERS)
    outcome = Outcome()
    threads = pay_all_at_once(stack, people, outcome)
    wait_for(lambda: len(outcome.statuses) >= 40)

    told_at = time.monotonic()
    assert running["web"].stop(TERM, within=30) == 0
    assert time.monotonic() - told_at < 30
    for thread in threads:
        thread.join()
    assert set(outcome.statuses) == {201}
    assert len(outcome.acknowledged) + outcome.without_answer == PAYMENTS
    assert 40 <= len(outcome.acknowledged) < PAYMENTS, "it was told in the middle"

    found = stack.python(IN_THE_LEDGER)
    before = [payer["first_order"] for payer in people["payers"]]
    assert sorted(found["orders"]) == sorted([*before, *outcome.acknowledged.values()]), "what was told, and no other"
    assert_whole(stack, found, PAYERS + len(outcome.acknowledged))

    stack.bank().start().wait_healthy(stack.check_of("Dockerfile"))
    again = Outcome()
    for thread in pay_all_at_once(stack, people, again):
        thread.join()
    assert len(again.acknowledged) == PAYMENTS
    assert outcome.acknowledged.items() <= again.acknowledged.items(), "the same key, the same order"
    assert_whole(stack, stack.python(IN_THE_LEDGER), PAYERS + PAYMENTS)
    stack.manage("seal_audit_log")
    stack.manage("verify_audit_log")


def assert_whole(stack: Stack, found: dict[str, Any], payments: int) -> None:
    """Check that none is half done: one order, one transaction and two entries each, and books that add up."""
    counts = (len(found["orders"]), found["transactions"], found["entries"], found["received"])
    assert counts == (payments, payments, 2 * payments, f"{payments}.00")
    stack.manage("verify_ledger")


# More than the worker takes at a time.
MAILS = 45

QUEUE = f"""
import os, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bankproject.settings")
django.setup()
from post_office.models import PRIORITY, STATUS, Email
for number in range({MAILS}):
    Email.objects.create(
        from_email="bank@example.com", to=[f"customer{{number}}@example.com"], subject="A payment", message="12.50",
        priority=PRIORITY.medium, status=STATUS.queued,
    )
print(Email.objects.count())
"""
STATES = """
import os, json, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bankproject.settings")
django.setup()
from post_office.models import Email, STATUS
print(json.dumps([Email.objects.filter(status=STATUS.sent).count(), Email.objects.exclude(status=STATUS.sent).count()]))
"""


def test_a_sigterm_during_a_mail_delivers_it_and_no_mail_goes_out_twice(stack: Stack) -> None:
    stack.up()
    assert stack.python(QUEUE) == MAILS
    stack.post_box.seconds_for_each = 0.1
    worker = stack.bank("worker").start()
    assert stack.post_box.busy.wait(timeout=180)
    assert worker.stop(TERM, within=60) == 0

    delivered = list(stack.post_box.addresses)
    assert 0 < len(delivered) < MAILS, "it was told in the middle"
    assert stack.python(STATES) == [len(delivered), MAILS - len(delivered)], "what is out is known to be out"

    stack.post_box.seconds_for_each = 0.0
    worker = stack.bank("worker").start()
    wait_for(lambda: len(stack.post_box.addresses) >= MAILS)
    assert worker.stop(TERM, within=60) == 0
    assert sorted(stack.post_box.addresses) == sorted(f"customer{number}@example.com" for number in range(MAILS))
    assert stack.python(STATES) == [MAILS, 0]
