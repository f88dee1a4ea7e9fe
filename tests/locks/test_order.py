"""Locks have one order, the tests check it, and the documents say so (docs/locks.md)."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import transaction

from accounts.models import BankAccount, User
from foundation.append_only import append_only_models
from foundation.locking import lock
from foundation.transactions import own_transaction
from tests.asvs import proves
from tests.locks import plugin
from tests.locks.order import ROOT, written_order
from tests.locks.recorder import Recorder
from transfers.models import CustomerLimit
from transfers.orders import limits

CODE = ("foundation", "audit", "accounts", "transfers", "support", "bankproject")


@pytest.fixture
def recorder() -> Recorder:
    """Return the one that listens to all tests."""
    return plugin.present()


@pytest.fixture
def accounts(alice: Any, bob: Any, open_account: Callable) -> list[BankAccount]:
    """Alice's and Bob's accounts, by id."""
    return [open_account(alice, "100.00"), open_account(bob, "100.00")]


# --- The check bites -----------------------------------------------------------------------------------------


@own_transaction
def take_accounts(*accounts: BankAccount) -> None:
    for account in accounts:
        lock(BankAccount.objects).get(pk=account.pk)


@own_transaction
def together(*steps: Callable[[], Any]) -> None:
    for step in steps:
        step()


def take(account: BankAccount) -> Callable[[], Any]:
    return lambda: lock(BankAccount.objects).get(pk=account.pk)


def take_limit(account: BankAccount) -> Callable[[], Any]:
    return lambda: limits.locked_limit(account.owner, at=account.opened_at)  # type: ignore[arg-type]  # it has an owner


def write_limit(account: BankAccount) -> Callable[[], Any]:
    return lambda: CustomerLimit.objects.filter(user=account.owner).update(used=Decimal(0))


@proves("V15.4.3")
def test_accounts_in_falling_order_fail_by_name(recorder: Recorder, accounts: list[BankAccount]) -> None:
    first, second = accounts
    take_accounts(first, second)
    take_accounts(first, second, first)
    assert recorder.take() == []
    take_accounts(second, first)
    [found] = recorder.take()
    assert f"'account' (rank 5) {first.pk} behind {second.pk}" in found
    assert found.count("take_accounts") == 2, "where both were taken"
    assert f"-- rows ({first.pk},)" in found
    assert f"-- rows ({second.pk},)" in found


def test_a_lock_behind_one_that_it_stands_before_fails_by_name(recorder: Recorder, accounts: list[BankAccount]) -> None:
    together(take(accounts[0]), write_limit(accounts[0]))
    [found] = recorder.take()
    assert "takes the lock 'limit' (rank 3) behind the lock 'account' (rank 5)" in found
    assert "test_order.py" in found
    assert 'UPDATE "transfers_customerlimit"' in found


def test_what_a_transaction_has_it_may_lock_again(recorder: Recorder, accounts: list[BankAccount]) -> None:
    together(take_limit(accounts[0]), take(accounts[0]), write_limit(accounts[0]))
    assert recorder.take() == []


def test_an_excepted_lock_hides_no_other_one(
    recorder: Recorder, accounts: list[BankAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(written_order().exceptions, ("limit", "user", ""), "tried here")
    owner = accounts[0].owner
    assert owner is not None
    together(lambda: lock(User.objects).get(pk=owner.pk), take(accounts[0]), write_limit(accounts[0]))
    [found] = recorder.take()
    assert "takes the lock 'limit' (rank 3) behind the lock 'account' (rank 5)" in found


def test_compiled_statements_are_listened_to_as_well(recorder: Recorder, accounts: list[BankAccount]) -> None:
    from transfers.ledger import posting

    first, second = accounts
    together(lambda: posting.locked({second.pk}), lambda: posting.locked({first.pk, second.pk}), take_limit(first))
    found = recorder.take()
    assert len(found) == 2
    assert f"{first.pk} behind {second.pk}" in found[0]
    assert "'limit' (rank 3) behind the lock 'account'" in found[1]


def test_several_accounts_in_no_order_fail_and_so_does_a_set_of_them(
    recorder: Recorder, accounts: list[BankAccount]
) -> None:
    ids = [account.pk for account in accounts]
    together(lambda: list(lock(BankAccount.objects).filter(pk__in=ids)))
    together(lambda: BankAccount.objects.filter(owner=accounts[0].owner).update(nickname=""))
    assert [text.splitlines()[0] for text in recorder.take()] == [
        "Several rows of the lock 'account' (rank 5), which are locked by id, in no order."
    ] * 2


def test_a_savepoint_that_is_rolled_back_lets_its_locks_go(recorder: Recorder, accounts: list[BankAccount]) -> None:
    first, second = accounts

    def taken_and_undone() -> None:
        with suppress(LookupError), ExitStack() as savepoint:
            savepoint.enter_context(transaction.atomic())  # not by this file, whose blocks are not savepoints
            take(second)()
            raise LookupError

    together(taken_and_undone, take(first), take(second))
    assert recorder.take() == []
    together(take(second), taken_and_undone, take(first))
    assert len(recorder.take()) == 1


def test_what_waits_for_nobody_may_come_at_any_time(recorder: Recorder, accounts: list[BankAccount]) -> None:
    first, second = accounts
    together(take(second), lambda: list(lock(BankAccount.objects, skip_locked=True).filter(pk=first.pk)))
    assert recorder.take() == []


def test_a_lock_that_the_document_does_not_say_of_a_service_fails(
    recorder: Recorder, accounts: list[BankAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transfers.accounts import renaming

    name = "transfers.accounts.renaming.rename_account"
    monkeypatch.setitem(written_order().services, name, ())
    renaming.rename_account(actor=accounts[0].owner, account=accounts[0], nickname="Food")  # type: ignore[arg-type]  # it has an owner
    [found] = recorder.take()
    assert f"docs/locks.md does not say that {name} takes the lock 'account'" in found


def test_what_was_found_fails_the_test(accounts: list[BankAccount]) -> None:
    watched = plugin.with_locks_in_order()
    next(watched)
    take_accounts(*reversed(accounts))
    with pytest.raises(AssertionError, match=r"(?s)Locks against the order.*behind"):
        watched.send(None)


# --- The documents -------------------------------------------------------------------------------------------


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "tests" not in path.parts and "migrations" not in path.parts:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def services_in(module: str, node: ast.AST, inside: str = "") -> Iterator[str]:
    """Yield the functions that own a transaction."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from services_in(module, child, f"{inside}{child.name}.")
        elif isinstance(child, ast.FunctionDef):
            names = {one.id for one in child.decorator_list if isinstance(one, ast.Name)}
            if names & {"own_transaction", "own_repeatable_transaction"}:
                yield f"{module}.{inside}{child.name}"


def test_every_line_has_a_service() -> None:
    there = {name for module, tree in modules() for name in services_in(module, tree)}
    assert written_order().services.keys() - there == set(), "in docs/locks.md, and not there"


def test_a_service_that_takes_two_locks_without_a_line_fails(
    recorder: Recorder, accounts: list[BankAccount], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that holds one lock cannot take part in a deadlock: the document need not name such a service."""
    from transfers.accounts import closing, renaming

    for name in ("renaming.rename_account", "closing._close"):
        monkeypatch.delitem(written_order().services, f"transfers.accounts.{name}")
    renaming.rename_account(actor=accounts[0].owner, account=accounts[0], nickname="Food")  # type: ignore[arg-type]  # it has an owner
    assert recorder.take() == []
    BankAccount.objects.filter(pk=accounts[0].pk).update(balance=Decimal(0))
    closing.close_account(actor=accounts[0].owner, account=accounts[0])  # type: ignore[arg-type]
    [found] = recorder.take()
    assert "docs/locks.md has no line for transfers.accounts.closing._close, which takes more than one lock" in found


def test_every_service_takes_its_locks_by_rank() -> None:
    order = written_order()
    for service, names in order.services.items():
        ranks = [order.locks[name].rank for name in names]
        outside = [other for name, other, where in order.exceptions if where == service]
        assert ranks == sorted(ranks) or outside, f"{service}: {names}"


def test_exceptions_are_for_services_and_locks_that_there_are() -> None:
    order = written_order()
    for name, behind, service in order.exceptions:
        assert {name, behind} <= order.locks.keys()
        assert {name, behind} <= set(order.services[service]), service


def test_every_table_that_changes_has_a_lock() -> None:
    append_only = set(append_only_models())
    only_inserted = {"support_ticketmessage", "transfers_decisionkey", "accounts_user_user_permissions"}
    tables = {model._meta.db_table: model for model in apps.get_models(include_auto_created=True)}
    ours = {
        table
        for table, model in tables.items()
        if model.__module__.partition(".")[0] in CODE and model not in append_only
    }
    by_table = written_order().by_table
    assert by_table.keys() - tables.keys() == set(), "in docs/locks.md, and not there"
    assert ours - by_table.keys() == only_inserted, "not in docs/locks.md"


def test_the_architecture_names_the_same_locks_in_the_same_order() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    _, _, section = text.partition("\n## Locks\n")
    items = re.findall(r"^(\d+)\. (.*)$", section.partition("\n## ")[0], flags=re.MULTILINE)
    said = {name: int(rank) for rank, line in items for name in re.findall(r"\*\*([a-z ]+)\*\*", line)}
    last = max(said.values())
    assert said == {lock.name: lock.rank for lock in written_order().locks.values() if lock.rank <= last}


def test_rows_are_locked_in_one_way() -> None:
    """`lock()` keeps inserts from waiting on PostgreSQL."""
    found = subprocess.run(
        ["grep", "-rln", "--include=*.py", "select_for_update(", *CODE], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    assert [path for path in found if "tests" not in Path(path).parts] == ["foundation/locking.py"]
