"""The bank agrees with its model on random walks; and the walks find faults (R3.1, R3.3 to R3.6, R3.9, R3.10,
R3.14)."""

import re
import secrets
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import scratch_bank
from django.db import connection

from accounts import bank_accounts
from accounts.models import AccountKind
from audit.actions import Action
from tests.asvs import proves
from tests.faults import model, walk
from tests.faults.walks import running
from tests.faults.walks.of_staff import Walk
from tests.faults.walks.shrinking import shrunk
from tests.faults.walks.steps import STEPS as STEPS_DRAWN
from tests.faults.walks.steps import Step, drawn
from transfers.accounts import opening
from transfers.ledger import holding, posting
from transfers.models import OrderState, TransactionKind
from transfers.orders import limits
from transfers.orders.fraud import PAYMENT_RULES, Rule

IS_SQLITE = connection.vendor == "sqlite"
# On SQLite walks commit; elsewhere the test's own transaction undoes them in the end.
with_a_bank = pytest.mark.django_db(transaction=IS_SQLITE)
STEPS = 200 if IS_SQLITE else 100
FEW = 12


def walk_from(seed: int, count: int) -> running.Outcome:
    """Walk, and fail with the walk's report."""
    steps = drawn(seed, count)
    outcome = running.walked(seed, steps)
    if outcome.failed_after is not None:
        pytest.fail(running.told(running.shortest(outcome, steps, effort=20 * count)), pytrace=False)
    return outcome


@proves("V2.3.2")
@with_a_bank
def test_the_bank_is_as_the_model_says_on_walks_from_two_fixed_seeds_and_a_drawn_one() -> None:
    for seed in (1, 2, secrets.randbelow(10**6)):
        print(f"seed {seed}")  # noqa: T201 - pytest shows it where this fails
        assert walk_from(seed, STEPS).steps == STEPS


def test_a_seed_draws_the_same_steps_each_time_and_a_longer_walk_begins_with_them() -> None:
    assert drawn(5, 50) == drawn(5, 80)[:50] != drawn(6, 50)


@with_a_bank
def test_a_seed_walks_the_same_way_twice() -> None:
    first, second = (walk_from(5, STEPS // 2) for _ in range(2))
    assert (first.acts, first.words) == (second.acts, second.words)
    assert len(first.words) > 3


# --- The walks bite -----------------------------------------------------------------------------------------------


def hold_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let money that waits for a second person be spent meanwhile."""
    monkeypatch.setattr(holding.JudgedHold, "write", lambda self: None)


def lose_a_cent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave a cent of each credit above 500.00 out of the balance."""
    right = posting._entry

    def wrong(leg: Any, account: Any) -> Any:
        entry = right(leg, account)
        is_large = entry.direction == "credit" and entry.amount > 500_00
        return replace(entry, balance_after=entry.balance_after - 1) if is_large else entry

    monkeypatch.setattr(posting, "_entry", wrong)


def forget_refused_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a refused customer try again at once, without end."""

    def spend_place(row: Any, kind: Any, *, token: str, a_try: str = "") -> None:
        recent, name = limits._recent(row), limits._minute_of(kind)
        recent[name] = [[at, other] for at, other in recent.get(name, ()) if other != token]

    monkeypatch.setattr(limits, "spend_place", spend_place)


def leave_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the account of a refused opening behind."""
    right = opening.record

    def record(action: Action, *, actor: Any, at: Any, **more: Any) -> None:
        if action == Action.ACCOUNT_REFUSED:
            kind = AccountKind.CHECKING
            bank_accounts.create(owner=actor, kind=kind, nickname="", public_id=uuid.uuid4(), at=at)
        right(action, actor=actor, at=at, **more)

    monkeypatch.setattr(opening, "record", record)


@proves("V2.3.2")
@with_a_bank
@pytest.mark.parametrize(
    ("wrong", "differs"),
    [
        (leave_an_account, "accounts (balance, held, status, sequence), not opened here, 1: "),
        (hold_nothing, "accounts (balance, held, status, sequence)"),
        (lose_a_cent, "entries"),
        (forget_refused_tries, "limits (paid out and in today"),
    ],
)
def test_a_wrong_service_is_found_named_and_told_with_few_steps_that_fail_again(
    monkeypatch: pytest.MonkeyPatch, wrong: Callable[[pytest.MonkeyPatch], None], differs: str
) -> None:
    wrong(monkeypatch)
    steps = drawn(1, 100)
    outcome = running.walked(1, steps)
    assert outcome.failed_after is not None
    found = running.shortest(outcome, steps, effort=2_000)
    assert len(found.shortest) <= FEW
    text = running.told(found)
    assert "seed 1" in text
    assert differs in text
    again = running.walked(1, found.shortest)
    assert again.differs == found.differs
    assert again.failed_after == len(found.shortest)
    monkeypatch.undo()
    assert running.walked(1, found.shortest).failed_after is None


def test_the_shortest_steps_are_found_among_many() -> None:
    tried: list[int] = []

    def fails_after(steps: Sequence[Step]) -> int | None:
        tried.append(len(steps))
        places = [place for place, step in enumerate(steps) if step[0] == "reverse"]
        return places[1] + 1 if len(places) > 1 else None

    steps = drawn(1, 500)
    found = shrunk(steps[: fails_after(steps)], fails_after, effort=10_000)
    assert [name for name, *_ in found] == ["reverse", "reverse"]
    tried.clear()
    assert len(shrunk(steps[: fails_after(steps)], fails_after, effort=20)) > 2
    assert sum(tried) <= 20 + len(steps)


def test_a_violation_is_the_exit_status_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {"operations": 7, "acts": {"pay": 7}, "words": {"done": 7}, "row_checks": 5, "full_checks": 1}
    figures |= {"processor_seconds": 1.0, "violations": 0}
    assert walk._summed([figures, figures], None) == 0
    assert walk._summed([figures, figures | {"violations": 1}], None) == 1
    assert "14 operations (7 for each second of a processor)" in capsys.readouterr().out


# --- Nothing of money is forgotten ---------------------------------------------------------------------------------


def actions_by_section() -> dict[str, set[str]]:
    """Return the audit log's catalogue by section, from the comments that divide it."""
    found, section = dict[str, set[str]](), ""
    for line in (Path(__file__).parents[2] / "audit" / "actions.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("    # "):
            section = line.removeprefix("    # ")
        elif match := re.match(r"    ([A-Z_]+) = ", line):
            found.setdefault(section, set()).add(match.group(1))
    return found


def test_the_model_knows_every_act_of_money_that_the_audit_log_does() -> None:
    """A new one is added to the model and its steps, or to the acts that are not walked, with the reason."""
    sections = actions_by_section()
    assert sections.keys() == model.OF_MONEY | model.NOT_OF_MONEY
    assert set.union(*sections.values()) == {action.value for action in Action}
    of_money = set.union(*(sections[name] for name in model.OF_MONEY))
    assert of_money == model.AUDITED | model.NOT_WALKED.keys(), "a new action: say so in tests/faults/model/__init__.py"


def test_the_model_knows_every_state_of_an_order_and_every_kind_of_movement() -> None:
    assert {state.value for state in OrderState} == model.STATES
    assert {kind.value for kind in TransactionKind} == model.MOVEMENTS | model.MOVEMENTS_NOT_WALKED.keys()


def test_the_model_knows_every_fraud_rule() -> None:
    told = "a new rule: judge it in tests/faults/model/orders.py, with its threshold in tests/faults/walks/running.py"
    assert {rule.value for rule in Rule} == model.RULES, told


def test_benchmarks_and_rounds_of_faults_set_off_no_rule() -> None:
    raised = scratch_bank.NO_ALERTS.keys() | scratch_bank.UNCOUNTED.keys()
    told = "a new rule: raise its threshold in benchmarks/scratch_bank.py"
    assert raised == {rule.setting for rule in PAYMENT_RULES}, told


def test_every_step_that_is_drawn_can_be_taken() -> None:
    assert [name for name in STEPS_DRAWN if not callable(getattr(Walk, name, None))] == []
