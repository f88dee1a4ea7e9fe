"""Releasing, rejecting, cancelling, expiring and freezing one held payment, each pair at the same moment from two
processes (R3.4, R3.10, R3.14): one outcome, hold and limit exact, and the later one is told what happened."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from accounts.models import BankAccount, User
from accounts.roles import Role
from audit.models import AuditEntry
from foundation.models import OutboxMessage
from tests import acts
from tests.acts import at_once
from tests.asvs import proves
from tests.processes import process_environment, run_together
from transfers.ledger import verification
from transfers.models import CustomerLimit, OrderState, TransferOrder
from transfers.orders.expiry import expire_holds

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("no_minute_limits")]

AMOUNT = Decimal("10000.01")
TURNS = 4

# The payment's state after each, and the entries in the log and the outbox then.
ENDS = {
    "release": ("released", "TRANSFER_RELEASED", "payment_posted"),
    "reject": ("rejected", "TRANSFER_REJECTED", "order_rejected"),
    "cancel": ("cancelled", "TRANSFER_CANCELLED", "order_cancelled"),
    "expire": ("expired", "TRANSFER_EXPIRED", "order_expired"),
}
EXPIRED = "This transfer has expired: nobody decided on it in time."
BY_CUSTOMER = "The customer has cancelled this transfer already."
# What the later one is told, by the payment's state then. A job that finds it decided has nothing to do.
TOO_LATE = {
    "release": {
        "released": r"Sam\d Example has released this transfer already.",
        "rejected": r"Sam\d Example has rejected this transfer already.",
        "cancelled": BY_CUSTOMER,
        "expired": EXPIRED,
    },
    "cancel": {
        "released": "We have released this transfer already.",
        "rejected": "We have rejected this transfer already.",
        "expired": EXPIRED,
    },
    "expire": dict.fromkeys(("released", "rejected", "cancelled", "expired"), "nothing to do"),
}
TOO_LATE["reject"] = TOO_LATE["release"]
FROZEN = "The account that the money leaves is frozen or closed: the transfer waits on, or reject it."
PAIRS = [pair for pair in combinations_with_replacement([*ENDS, "freeze"], 2) if pair != ("freeze", "freeze")]

PROCESS = """
import django, json, random, sys, time
from pathlib import Path
django.setup()
from django.db import connection
from accounts.models import User
from transfers.accounts import freezing
from transfers.models import TransferOrder
from transfers.orders import holds

begin, me, rounds = Path(sys.argv[1]), int(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())
folder, clerk = begin.parent, User.objects.get(email=f"sam{me}@example.com")
administrator = User.objects.get(email=f"ada{me}@example.com")
REASON = "They called, and we called back."

def act(verb, order):
    if verb == "release":
        holds.release_order(actor=clerk, order=order, reason=REASON)
    elif verb == "reject":
        holds.reject_order(actor=clerk, order=order, reason=REASON)
    elif verb == "cancel":
        holds.cancel_order(actor=order.source.owner, order=order)
    elif verb == "freeze":
        freezing.freeze_account(actor=administrator, account=order.source, reason=REASON)
    elif not holds.expire_order(order=order, at=order.expires_at):
        return "nothing to do"
    return "done"

print("ready", flush=True)
while not begin.exists():  # the file is what is waited for
    time.sleep(0.001)
said = []
for number, (verbs, pk) in enumerate(rounds):
    order = TransferOrder.objects.select_related("source__owner", "target__owner").get(pk=pk)
    (folder / f"{number}.{me}").touch()
    while not (folder / f"{number}.{1 - me}").exists():  # until the other one is there, and not on the clock
        time.sleep(0.0002)
    time.sleep(random.uniform(0, 0.004))  # waits for nothing: who comes first is to differ from turn to turn
    try:
        said.append(act(verbs[me], order))
    except Exception as error:
        said.append(f"{type(error).__name__}: {error}")
print(json.dumps(said))
"""


class Round(NamedTuple):
    """What two processes do at once with one held payment."""

    verbs: tuple[str, str]
    order: TransferOrder


@pytest.fixture
def held_payments(make_user: Callable, open_account: Callable, bobs: BankAccount, settings: Any) -> Callable[..., Any]:
    """Make this many held payments of a customer of their own, from an account each."""
    settings.DAILY_TRANSFER_LIMIT = Decimal(10**6)

    def held(name: str, times: int) -> list[TransferOrder]:
        customer = make_user(name)
        return [
            acts.transfer(
                actor=customer, source=open_account(customer, "20000.00"), target=bobs, amount=AMOUNT,
                idempotency_key=f"{name} and {number}",
            )
            for number in range(times)
        ]  # fmt: skip

    return held


@proves("V2.3.4")
def test_one_of_each_pair_at_once_wins_and_the_other_is_told(
    held_payments: Callable, make_user: Callable, bobs: BankAccount, tmp_path: Path
) -> None:
    for number in (0, 1):
        make_user(f"Sam{number}", Role.SUPPORT)
        make_user(f"Ada{number}", Role.ADMIN)
    rounds = [
        Round(verbs if turn % 2 else verbs[::-1], order)
        for verbs in PAIRS
        for turn, order in enumerate(held_payments("-".join(verbs), TURNS))
    ]
    plan = tmp_path / "rounds.json"
    plan.write_text(json.dumps([[one.verbs, one.order.pk] for one in rounds]))
    runs = [(0, plan), (1, plan)]
    said = run_together(PROCESS, runs, begin=tmp_path / "begin", environment=process_environment())
    mailed = events_by_order()
    for one, *told in zip(rounds, *said, strict=True):
        look_at(one, told, mailed)
    for verbs in PAIRS:
        look_at_limit("-".join(verbs))
    released = TransferOrder.objects.filter(state=OrderState.RELEASED).count()
    assert BankAccount.objects.get(pk=bobs.pk).balance == released * AMOUNT
    assert list(verification.faults()) == []


def events_by_order() -> dict[int, list[str]]:
    """Return what people are told about each order, in turn."""
    events = defaultdict(list)
    for message in OutboxMessage.objects.order_by("pk"):
        events[json.loads(message.payload).get("order_id")].append(message.event)
    return events


def look_at(one: Round, told: list[str], mailed: dict[int, list[str]]) -> None:
    """Check one round: who won, what the other was told, where the money is, and what was recorded."""
    order = TransferOrder.objects.select_related("source").get(pk=one.order.pk)
    about = f"{one.verbs}: {told}, {order.state}"
    winners = [verb for verb, text in zip(one.verbs, told, strict=True) if text == "done" and verb != "freeze"]
    if "freeze" in one.verbs:
        assert told[one.verbs.index("freeze")] == "done", about
    for verb, text in zip(one.verbs, told, strict=True):
        if text == "done":
            continue
        if verb == "release" and order.state == OrderState.HELD:
            assert text == f"SourceNotActive: {FROZEN}", about
        else:
            expected = TOO_LATE[verb][order.state]
            pattern = expected if verb == "expire" else f"DecidedAlready: {expected}"
            assert re.fullmatch(pattern, text), about
    ends = {ENDS[verb] for verb in winners}
    # Cancelled twice is cancelled: the same request again has the same answer.
    assert len(winners) == (2 if one.verbs == ("cancel", "cancel") else len(ends)), about
    assert ends == ({ENDS[verb] for verb in ENDS if ENDS[verb][0] == order.state}), about
    is_held, is_out = order.state == OrderState.HELD, order.state == OrderState.RELEASED
    assert order.source.balance == Decimal(20_000) - (AMOUNT if is_out else 0), about
    assert order.source.held == (AMOUNT if is_held else 0), about
    final = {action for _, action, _ in ENDS.values()}
    logged = AuditEntry.objects.filter(subject_id=str(order.public_id), action__in=final)
    assert [entry.action for entry in logged] == [action for _, action, _ in ends], about
    assert mailed[order.pk] == ["order_held", *(event for _, _, event in ends)], about


def look_at_limit(name: str) -> None:
    """Check that the used limit is what went out, and what is still held."""
    customer = User.objects.get(first_name=name)
    states = Counter(TransferOrder.objects.filter(initiator=customer, kind="payment").values_list("state", flat=True))
    taken = states[OrderState.RELEASED] + states[OrderState.HELD]
    assert CustomerLimit.objects.get(user=customer).used == taken * AMOUNT, name


def test_two_runs_of_the_job_at_once_expire_each_once(held_payments: Callable) -> None:
    """R3.14: two schedulers, or one and an impatient operator."""
    orders = held_payments("Carol", 8)
    at = orders[-1].created_at + timedelta(days=14)
    runs: list[Any] = at_once(lambda: expire_holds(at=at), lambda: expire_holds(at=at))
    assert (sum(run.expired for run in runs), sum(run.failed for run in runs)) == (8, 0)
    assert AuditEntry.objects.filter(action="TRANSFER_EXPIRED").count() == 8
    assert OutboxMessage.objects.filter(event="order_expired").count() == 8
    assert CustomerLimit.objects.get(user__first_name="Carol").used == 0
    assert list(verification.faults()) == []
