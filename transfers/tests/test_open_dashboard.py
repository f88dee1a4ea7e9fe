"""The open dashboard is told about every change that it would show, and about nothing else (R10.4)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import override

from accounts.models import AccountKind, AccountStatus, BankAccount, UserSession
from tests import acts
from transfers import history
from transfers.accounts import opening
from transfers.models import CustomerLimit, OrderState, Payee, TransferOrder
from transfers.orders import cash
from transfers.orders.holds import reject_order, release_order

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_minute_limits")]


class OpenDashboard:
    """A dashboard that stays open, and asks as live.js does."""

    def __init__(self, browser: Any, version: str = "") -> None:
        self.browser = browser
        self.version = version or self._version_in(browser.get(reverse("dashboard")))

    def ask(self) -> Any:
        return self.browser.get(reverse("dashboard_live"), headers={"if-none-match": f'"{self.version}"'})

    def hears_of(self, change: Callable[[], Any] | None = None) -> Any:
        """Return what it is shown after this change; check that it is told only once."""
        assert self.ask().status_code == 304
        if change is not None:
            change()
        answer = self.ask()
        assert answer.status_code == 200
        self.version = self._version_in(answer)
        assert answer["ETag"] == f'"{self.version}"'
        assert self.ask().status_code == 304
        return answer

    @staticmethod
    def _version_in(answer: Any) -> str:
        return re.findall(r'data-version="(\w{16})"', answer.content.decode())[0]


def test_the_open_dashboard_hears_only_what_is_new(
    alice: Any, charlie: Any, sam: Any, browser_of: Callable, everyday: BankAccount, new_key: Callable
) -> None:
    # R10.4: 304 while nothing has changed, and a request with another customer's version is answered like one with
    # none.
    dashboard = OpenDashboard(browser_of(alice))
    unchanged = dashboard.ask()
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert "no-store" in unchanged["Cache-Control"]
    assert "private" in unchanged["Cache-Control"]
    answer = dashboard.hears_of(
        lambda: cash.deposit(actor=alice, account=everyday, amount=Decimal("7.77"), idempotency_key=new_key())
    )
    assert "Deposit: +€7.77" in answer.content.decode()
    assert b"<html" not in answer.content
    other = OpenDashboard(browser_of(charlie), dashboard.version).ask()
    assert other.status_code == 200
    assert "7.77" not in other.content.decode()
    assert OpenDashboard(browser_of(sam), dashboard.version).ask().status_code == 403


def test_no_two_customers_have_the_same_version(bob: Any, charlie: Any, browser_of: Callable) -> None:
    # Neither has an account, and their pages differ only by the name.
    assert OpenDashboard(browser_of(bob)).version != OpenDashboard(browser_of(charlie)).version


def test_each_kind_of_change_is_news_to_the_open_dashboard(
    alice: Any, bob: Any, browser_of: Callable, everyday: BankAccount, bobs: BankAccount, new_key: Callable
) -> None:
    # R10.4: whatever it shows.
    rows = {"mine": BankAccount.objects.filter(pk=everyday.pk), "limit": CustomerLimit.objects.filter(user=alice)}
    acts.transfer(actor=alice, source=everyday, target=bobs, amount=Decimal(30), idempotency_key=new_key())
    dashboard = OpenDashboard(browser_of(alice))
    pay = {"actor": bob, "source": bobs, "target": everyday, "amount": Decimal("0.55")}
    for change, shown in (
        (lambda: acts.transfer(idempotency_key=new_key(), **pay), "+€0.55"),
        (lambda: rows["mine"].update(held=Decimal("1.23")), "€69.32 available"),
        (lambda: rows["mine"].update(held=Decimal(0)), "left today"),
        (lambda: rows["mine"].update(status=AccountStatus.FROZEN), "cannot be used now"),
        (lambda: rows["mine"].update(status=AccountStatus.ACTIVE), "left today"),
        (lambda: rows["mine"].update(nickname="For the rent"), "For the rent"),
        (lambda: rows["limit"].update(used=Decimal("12.34")), "€12.34"),
        (lambda: rows["limit"].update(daily_limit=Decimal(500)), "€500.00"),
        (lambda: type(alice).objects.filter(pk=alice.pk).update(first_name="Alicia"), "Hello, Alicia"),
        (lambda: Payee.objects.filter(customer=alice).update(label="Bobby"), "Bobby (Bob Brandt)"),
        (lambda: opening.open_account(actor=alice, kind=AccountKind.SAVINGS, idempotency_key=new_key()), "Savings"),
        (lambda: rows["mine"].update(status=AccountStatus.CLOSED), "Closed accounts"),
    ):
        assert shown in dashboard.hears_of(change).content.decode(), shown


def test_a_held_payment_its_rejection_and_its_release_are_news_to_the_open_dashboard(
    alice: Any, sam: Any, browser_of: Callable, household: BankAccount, pay: Callable
) -> None:
    # R3.10, R10.4
    dashboard = OpenDashboard(browser_of(alice))
    for decide, shown in ((reject_order, "left today"), (release_order, "−€12,345.67")):
        answer = dashboard.hears_of(partial(pay, "12345.67")).content.decode()
        assert "€7,654.33 available" in answer
        order = TransferOrder.objects.get(state=OrderState.HELD)
        decision = partial(decide, actor=sam, order=order, reason="She told us on the phone.")
        answer = dashboard.hears_of(decision).content.decode()
        assert shown in answer
        assert "available" not in answer


def test_a_new_day_and_another_language_are_news_too(alice: Any, everyday: BankAccount) -> None:
    # What was paid out counts by the day, and the picture ends today.
    noon = datetime(2026, 11, 27, 12, tzinfo=UTC)
    version = history.overview_version(alice, at=noon)
    assert history.overview_version(alice, at=noon + timedelta(hours=11)) == version
    assert history.overview_version(alice, at=noon + timedelta(hours=12)) != version
    with override("de"):
        assert history.overview_version(alice, at=noon) != version


def test_a_signed_out_person_is_told_so_with_any_version(
    alice: Any, browser_of: Callable, everyday: BankAccount
) -> None:
    # R1.8: even the answer that nothing has changed is for nobody else.
    dashboard = OpenDashboard(browser_of(alice))
    assert dashboard.ask().status_code == 304
    UserSession.objects.filter(user=alice).update(ended_at=timezone.now())
    answer = dashboard.ask()
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("sign_in"))


def test_what_has_not_changed_is_told_by_few_statements(
    alice: Any, browser_of: Callable, everyday: BankAccount, savings: BankAccount
) -> None:
    # An open dashboard asks six times a minute: two statements beside those of the session.
    dashboard = OpenDashboard(browser_of(alice))
    dashboard.ask()
    with CaptureQueriesContext(connection) as captured:
        assert dashboard.ask().status_code == 304
    assert len(captured) <= 6
    with CaptureQueriesContext(connection) as captured:
        history.overview_version(alice, at=timezone.now())
    assert len(captured) == 2


def test_the_open_dashboard_tells_each_new_movement_apart(
    alice: Any, browser_of: Callable, everyday: BankAccount, new_key: Callable[[], str]
) -> None:
    # R10.4: live.js announces a movement whose name it has not seen yet.
    browser, named = browser_of(alice), []
    for amount in (1, 2):
        cash.deposit(actor=alice, account=everyday, amount=Decimal(amount), idempotency_key=new_key())
        content = browser.get(reverse("dashboard_live")).content.decode()
        named += re.findall(r'data-latest="([^"]+)" data-news="([^"]+)"', content)
    assert [news for _, news in named] == ["Deposit: +€1.00", "Deposit: +€2.00"]
    assert len({name for name, _ in named}) == 2
