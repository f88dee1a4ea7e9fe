"""The staff's front page: the figures of the bank, each a link to the list it was taken from (R5.3)."""

import re
from collections.abc import Callable
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AccountStatus, PendingAct, User
from accounts.roles import Role, may
from bankproject.front_page import figures_for
from support import tickets
from support.models import RequestKind, Ticket
from support.requests import services as requests
from tests import acts
from tests.acts import give_password
from tests.staff_acts import set_status
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

MOST_STATEMENTS = 15


@pytest.fixture
def busy_day(
    alice: Any, bob: Any, charlie: Any, open_account: Callable, new_key: Callable, client: Any, make_user: Callable
) -> None:
    """One transfer held, with its alerts and those of another one, two tickets and a request waiting, one user locked;
    and one act of one administrator."""
    account, bobs, frozen = open_account(alice, "20000.00"), open_account(bob), open_account(alice)
    set_status(frozen, AccountStatus.FROZEN)
    frozen.refresh_from_db()
    for amount in (12_000, 2_000):
        acts.transfer(actor=alice, source=account, target=bobs, amount=Decimal(amount), idempotency_key=new_key())
    for status in ("open", "in_progress", "resolved"):
        ticket = tickets.open_ticket(actor=alice, subject=status, text="Where is it?", idempotency_key=status)
        Ticket.objects.filter(pk=ticket.pk).update(status=status)
    requests.file_request(actor=alice, kind=RequestKind.UNFREEZE_ACCOUNT, account=frozen, reason="Found it")
    User.objects.filter(pk=charlie.pk).update(locked_at=timezone.now())
    give_password(client, bob.email, "wrong")
    PendingAct.objects.create(
        kind="change_role", subject_id=str(bob.public_id), person=bob, asked_by=make_user("Adam", Role.ADMIN),
        payload='{"role": "Support", "before": "Customer"}', reason="He works here now.",
    )  # fmt: skip


def shown_to(user: Any) -> dict[str, str]:
    return {figure.label: figure.value for figure in figures_for(user, at=timezone.now())}


QUEUES = {"Transfers held": "1", "Open alerts": "3", "Tickets waiting": "2", "Requests waiting": "1"}
SECOND = {"Waiting for a second administrator": "1"}
ACCOUNTS = {"Active accounts": "2", "Frozen accounts": "1", "Closed accounts": "0", "Locked users": "1"}
MONEY = {"Customers’ deposits": "€20,000.00", "Moved today": "€22,000.00", "Failed sign-ins today": "1"}


def test_each_role_sees_the_figures_it_works_with(busy_day: None, sam: Any, audrey: Any, ada: Any) -> None:
    # R5.4: Support does not see the bank's money, its audit log, and what administrators ask of each other.
    assert shown_to(sam) == QUEUES | ACCOUNTS
    assert shown_to(audrey) == shown_to(ada) == QUEUES | SECOND | ACCOUNTS | MONEY


def test_what_waits_for_work_comes_first(busy_day: None, ada: Any) -> None:
    waiting = [figure.asks_for_work for figure in figures_for(ada, at=timezone.now())]
    assert waiting == [True] * len(QUEUES | SECOND) + [False] * (len(waiting) - len(QUEUES | SECOND))


@in_one_world("who", ["sam", "audrey", "ada"])
def test_each_figure_leads_to_as_many_rows(who: str, busy_day: None, request: Any, browser_of: Callable) -> None:
    user = request.getfixturevalue(who)
    browser = browser_of(user)
    page = unescape(browser.get("/admin/").content.decode())
    for figure in figures_for(user, at=timezone.now()):
        assert f'href="{figure.url}"' in page
        rows = browser.get(figure.url).context["cl"].result_count
        told = figure.note if figure.label == "Moved today" else figure.value
        if figure.label != "Customers’ deposits":  # its list has the bank's own accounts, too
            assert rows == int(re.findall(r"\d+", told)[0]), figure.label


@in_one_world("who", ["sam", "audrey", "ada"])
def test_the_front_page_asks_few_questions(
    who: str, busy_day: None, request: Any, browser_of: Callable, django_assert_max_num_queries: Any
) -> None:
    browser = browser_of(request.getfixturevalue(who))
    with django_assert_max_num_queries(MOST_STATEMENTS):
        page = browser.get("/admin/").content.decode()
    assert ("The last 2 transactions" in page) == (who != "sam")


def test_a_new_bank_has_an_empty_front_page(ada: Any, browser_of: Callable) -> None:
    # R10.3
    page = browser_of(ada).get("/admin/").content.decode()
    assert "Nothing has moved yet." in page
    assert "last: never" in page
    assert may(ada, "support.view_ticket")
    assert "asks-for-work" not in page
