"""What do the staff's lists cost with a million transactions, compared with one look-up by index?

    python benchmarks/staff_lists.py [--rows 1000000] [--customers 100000] [--rounds 5]

On a SQLite file of its own: that many transactions, each with an order and an audit entry, of that many customers.
Every list is looked at in every way that its page offers (first page, last page that can be reached, each choice of
each filter, each date step, a search), by an auditor and, where it differs, by support; and the front page. In the
same run, in turns, one row is looked up by its key through Python's sqlite3.

Measured is a whole page, from the address to the HTML, without the web server and sign-in; the median of the rounds.
Pages that take more than 200 ms are marked.
"""
# ruff: noqa: T201 - a program prints

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

from scratch_bank import set_up

SLOW_MS = 200
Looks = dict[str, Callable[[], Any]]


def serve_plain_files() -> None:
    """Serve style sheets under plain addresses: the list of hashed names is made when the bank is built."""
    from django.contrib.staticfiles.storage import StaticFilesStorage, staticfiles_storage

    staticfiles_storage._wrapped = StaticFilesStorage()  # type: ignore[attr-defined]


def fill(customers: int, rows: int) -> None:
    from django.utils import timezone

    from tests.many_rows import make_customers, move_money

    move_money(rows, make_customers(customers, at=timezone.now()), at=timezone.now())


def looks_of_staff() -> Looks:
    """Yield every way to look at every list, and the front page, by name."""
    from django.utils import timezone

    from accounts.models import User
    from accounts.people.registration import create_user
    from accounts.roles import Role
    from tests.admin_lists import all_views, samples_for
    from transfers.models import Transaction

    customer = User.objects.get(email="customer5@example.com")
    reference = Transaction.objects.filter(initiated_by=customer)[0].reference
    number = customer.bank_accounts.get().number
    views = all_views(samples_for(email=customer.email, number=number, reference=reference), timezone.now())
    looks: Looks = {}
    for role in (Role.AUDITOR, Role.SUPPORT):
        user = create_user(email=f"{role.value}@example.com", password_hash="!", role=role, first_name=role.value)  # noqa: S106
        looks[f"{role.value}: front page"] = _look(user.pk, "/admin/")
        for view in views:
            permission = f"{view.model._meta.app_label}.view_{view.model._meta.model_name}"
            # The two see different rows of these; support too few orders for the last page.
            differs = view.model._meta.model_name in {"user", "transferorder"} and view.name != "last page"
            if user.has_role_permission(permission) and (role == Role.AUDITOR or differs):
                looks[f"{role.value}: {view}"] = _look(user.pk, view.url)
    return looks


def _look(user_pk: int, address: str) -> Callable[[], Any]:
    """Return the page as the admin makes it for this user, signed in with both factors."""
    from django.contrib.messages.storage.cookie import CookieStorage
    from django.test import RequestFactory
    from django.urls import resolve

    from accounts.models import User

    path = address.partition("?")[0]

    def look() -> None:
        request: Any = RequestFactory().get(address)
        request.user = User.objects.get(pk=user_pk)
        request.user.is_verified = lambda: True
        request.session, request._messages = {}, CookieStorage(request)
        view, args, kwargs = resolve(path)
        answer = view(request, *args, **kwargs)
        if answer.status_code != 200:
            raise SystemExit(f"{address} answered {answer.status_code}.")
        answer.render()

    return look


def milliseconds(act: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    act()
    return (time.perf_counter() - begin) * 1000


def measure(looks: Looks, look_up: Callable[[], Any], rounds: int) -> tuple[dict[str, float], float]:
    """Return the medians in milliseconds, and that of the look-up between them; the first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in looks}
    look_ups: list[float] = []
    for number in range(rounds + 1):
        for name, look in looks.items():
            taken, beside = milliseconds(look), milliseconds(look_up)
            if number:
                times[name].append(taken)
                look_ups.append(beside)
    return {name: statistics.median(taken) for name, taken in times.items()}, statistics.median(look_ups)


def look_up_in(path: str) -> Callable[[], Any]:
    run = sqlite3.connect(path).execute
    keys = [row[0] for row in run("SELECT id FROM transfers_transaction LIMIT 1000")]
    turn = iter(range(10**9))
    return lambda: run("SELECT * FROM transfers_transaction WHERE id = ?", (keys[next(turn) % len(keys)],)).fetchone()


def main() -> None:
    parser = argparse.ArgumentParser(description="The staff's lists, as ratios of one look-up by index.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the medians as JSON instead of a table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bank-benchmark-") as folder:
        set_up(folder)
        serve_plain_files()
        took = milliseconds(lambda: fill(options.customers, options.rows)) / 1000
        medians, look_up = measure(looks_of_staff(), look_up_in(f"{folder}/bank.sqlite3"), options.rounds)
    if options.json:
        print(json.dumps({"look-up": look_up} | medians))
        return
    print(f"SQLite {sqlite3.sqlite_version}, {options.rows} transactions of {options.customers} customers, ", end="")
    print(f"filled in {took:.0f} s, median of {options.rounds}; one look-up by index takes {look_up:.3f} ms")
    print(f"{'':60}{'ms':>8}{'ratio':>8}")
    for name, ms in medians.items():
        print(f"{name:60}{ms:8.1f}{ms / look_up:8.0f}{'  slow' if ms > SLOW_MS else ''}")


if __name__ == "__main__":
    main()
