"""A walk from its first step to its last, on a bank of its own; and the report on one that fails."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import time_machine
from django.db import transaction
from django.test import override_settings

from tests import migrated_database
from tests.faults.fault import Violation
from tests.faults.model.books import Facts
from tests.faults.walks.of_staff import Walk
from tests.faults.walks.shrinking import shrunk
from tests.faults.walks.steps import Step
from tests.faults.walks.walker import BEGINS, money

# A tenth of the bank's defaults (bankproject/settings.py), so that a walk reaches each edge often.
RULES = Facts(
    alert=100_00, suspicious=1_000_00, step_up=200_00, daily=2_500_00, ceiling=40_000_00, cash_in=3_000_00,
    payments_an_hour=5, a_minute={"DEPOSIT": 20, "WITHDRAWAL": 20, "TRANSFER": 5}, hold_days=14, accounts=5,
    rate=36_500, sole_hours=24, act_days=7,
)  # fmt: skip
EFFORT = 60_000  # steps, for the shortest that fail


def _settings(rules: Facts) -> dict[str, Any]:
    return {
        "ALERT_AMOUNT": money(rules.alert),
        "SUSPICIOUS_AMOUNT": money(rules.suspicious),
        "STEP_UP_AMOUNT": money(rules.step_up),
        "DAILY_TRANSFER_LIMIT": money(rules.daily),
        "DAILY_LIMIT_CEILING": money(rules.ceiling),
        "CASH_IN_DAILY_LIMIT": money(rules.cash_in),
        "ALERT_PAYMENTS_PER_HOUR": rules.payments_an_hour,
        "DEPOSITS_PER_MINUTE": rules.a_minute["DEPOSIT"],
        "WITHDRAWALS_PER_MINUTE": rules.a_minute["WITHDRAWAL"],
        "TRANSFERS_PER_MINUTE": rules.a_minute["TRANSFER"],
        "HOLD_EXPIRES_DAYS": rules.hold_days,
        "MAX_OPEN_ACCOUNTS": rules.accounts,
        "SAVINGS_RATE": f"{Decimal(rules.rate) / 10**6:f}",
        "SOLE_ADMIN_DELAY_HOURS": rules.sole_hours,
        "PENDING_ACT_DAYS": rules.act_days,
        "PAYEE_LOOKUPS_PER_HOUR": 10**6,
        "SELF_SERVICE_CASH": True,
        "CACHE_URL": "",
    }


@dataclass
class Outcome:
    """The outcome of a walk; `failed_after`: how many steps it took to differ from the model, None if it never did."""

    seed: int
    steps: int
    acts: Counter[str]  # operations: requests to the bank, allowed or refused
    words: Counter[str]  # "done", or the word of the refusal
    written: set[str]  # actions of the audit log, states of orders, kinds of movements
    checks: int  # of all rows
    failed_after: int | None = None
    differs: str = ""
    shortest: Sequence[Step] = ()


def administrators_of(seed: int) -> int:
    """Return one or two administrators: with one, an act that needs a second one waits a day."""
    return 1 + seed % 2


def walked(seed: int, steps: Sequence[Step], *, all_every: int = 1000) -> Outcome:
    """Take the steps in an empty bank; check all rows every so many steps, and in the end."""
    travel = time_machine.travel(BEGINS, tick=False)
    with fresh_bank(), override_settings(**_settings(RULES)), travel as clock:
        walk = Walk(RULES, administrators_of(seed), clock)
        outcome = Outcome(seed, 0, walk.done, walk.said, set(), 0)
        try:
            for number, step in enumerate(steps, 1):
                outcome.steps = number
                walk.take(step)
                if number % all_every == 0 or number == len(steps):
                    outcome.checks += 1
                    walk.beside.check_all()
        except Violation as violation:
            outcome.failed_after, outcome.differs = outcome.steps, str(violation)
        orders, movements = walk.model.orders, walk.model.movements
        outcome.written |= {*walk.beside.audited, *(one.kind for one in movements), *(one.state for one in orders)}
        outcome.written |= {"held"} if any(one.hold for one in orders) else set()
    return outcome


@contextmanager
def fresh_bank() -> Iterator[None]:
    """Make a bank as it was migrated, with nobody in it. On SQLite the file is put there, and writes are committed; on
    other engines everything is undone in the end, and services take that transaction for none."""
    if migrated_database.put_back():
        yield
        return
    outside = transaction.atomic()
    outside._from_testcase = True  # type: ignore[attr-defined]  # as Django's TestCase does
    with outside:
        yield
        transaction.set_rollback(True)


def shortest(outcome: Outcome, steps: Sequence[Step], *, effort: int = EFFORT) -> Outcome:
    """Return the same failure with the shortest steps that were found to fail, and the differences."""
    failed = list(steps[: outcome.failed_after])
    kept = shrunk(failed, lambda some: walked(outcome.seed, some).failed_after, effort=effort)
    again = walked(outcome.seed, kept)
    outcome.shortest, outcome.differs = kept, again.differs or outcome.differs
    return outcome


def told(outcome: Outcome) -> str:
    """Return what a failing walk prints: its seed, the differences, and steps for `--replay`."""
    lines = ",\n".join(f"  {json.dumps(step)}" for step in outcome.shortest)
    return (
        f"seed {outcome.seed}: the bank is not as the model says after step {outcome.failed_after}\n{outcome.differs}\n"
        f"the shortest steps that fail, for python -m tests.faults.walk --seed {outcome.seed} --replay FILE:\n"
        f"[\n{lines}\n]"
    )
