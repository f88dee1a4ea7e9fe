"""A day of work in the staff area, in a real browser: Support, an administrator, an auditor, and the customers who are
told about it (R1.5, R3.10, R4.1, R4.2, R5.1, R6.4)."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import BankAccount, TotpDevice, User
from accounts.roles import Role
from audit.models import AuditEntry
from support import tickets
from support.models import Ticket
from support.requests import lost_factor
from tests import acts
from tests.browser.steps import give_code, give_password
from tests.staff_acts import fresh_code
from transfers.models import TransferOrder

ANSWER, NOTE = "It is in the post.", "Third card this year: ask why."


@pytest.fixture
def staff_page(signed_in: Callable[..., Page]) -> Callable[[Any], Page]:
    """Return the staff area's front page, of a member of staff."""

    def page_of(user: Any) -> Page:
        page = signed_in(user)
        page.goto(reverse("admin:index"))
        return page

    return page_of


def act(page: Page, name: str, **fields: str) -> None:
    """Press the button of an act on a row's page, fill its form in by the names of its fields, and send it."""
    page.get_by_role("list", name="What can be done").get_by_role("link", name=name, exact=True).click()
    for field_name, value in fields.items():
        page.locator(f"[name={field_name}]").fill(value)
    page.get_by_role("main").get_by_role("button", name=name, exact=True).click()


def is_said(page: Page, text: str) -> None:
    expect(page.locator(".messagelist")).to_contain_text(text)


def test_support_answers_a_ticket(
    staff_page: Callable[[Any], Page], signed_in: Callable[..., Page], alice: Any, sam: Any
) -> None:
    tickets.open_ticket(actor=alice, subject="My card", text="Where is it?", idempotency_key="the ticket")
    page = staff_page(sam)
    page.get_by_role("link", name="Tickets waiting 1").click()
    page.get_by_role("link", name="My card").click()
    act(page, "Internal note", text=NOTE)
    is_said(page, "for colleagues only")
    act(page, "Answer", text=ANSWER)
    said = page.get_by_role("region", name="Conversation").get_by_role("listitem")
    expect(said).to_have_count(3)
    expect(said.nth(1)).to_contain_text("Internal note")
    expect(said.nth(2)).to_contain_text("Sam Example")
    act(page, "Resolve")
    expect(page.get_by_role("link", name="Answer", exact=True)).to_have_count(0)

    customer = signed_in(alice)
    customer.goto(reverse("ticket", args=[Ticket.objects.get().public_id]))
    expect(customer.get_by_role("main")).to_contain_text(ANSWER)
    expect(customer.get_by_role("main")).to_contain_text("Resolved")
    assert NOTE not in customer.content()
    assert "Sam" not in customer.get_by_role("main").inner_text()


def test_two_clerks_reset_two_factor(
    staff_page: Callable[[Any], Page],
    visitor: Callable[..., Page],
    signed_in: Callable[..., Page],
    alice: Any,
    sam: Any,
    make_user: Callable[..., Any],
    code_of: Callable[[Any], str],
    link_to: Callable[[str], str],
) -> None:
    customer = signed_in(alice)
    customer.goto(reverse("dashboard"))
    lost_factor.request_link(user=alice)
    lost_factor.confirm(token=link_to(alice.email).rstrip("/").rpartition("/")[2])

    for clerk, said in ((sam, "a second clerk decides now"), (make_user("Sally", Role.SUPPORT), "Approved and done")):
        page = staff_page(clerk)
        page.get_by_role("link", name="Requests waiting 1").click()
        page.locator("#result_list tbody tr").first.get_by_role("link").first.click()
        expect(page.get_by_role("main")).to_contain_text("Reset two-factor")
        act(page, "Approve", reason="Called her at the number we have, knew her last payments")
        is_said(page, said)
    expect(page.get_by_role("main")).to_contain_text("Sam Example agreed on")

    customer.goto(reverse("dashboard"))
    expect(customer).to_have_url(re.compile("/sign-in/"))
    give_password(customer, alice)
    expect(customer.get_by_role("heading", level=1)).to_have_text("Open the link in our e-mail")
    customer.get_by_role("button", name="Send another link").click()
    expect(customer.get_by_role("status")).to_contain_text("We have sent you another link")
    customer.goto(link_to(alice.email))
    customer.get_by_role("button", name="Continue").click()
    expect(customer).to_have_url(re.compile("/two-factor/enrol/$"))
    give_code(customer, code_of(alice), button="Confirm")
    expect(customer.get_by_role("listitem")).not_to_have_count(0)
    assert TotpDevice.objects.filter(user=alice).count() == 1


def test_an_administrator_freezes_unfreezes_and_unlocks(
    staff_page: Callable[[Any], Page], alice: Any, ada: Any, open_account: Callable[..., Any]
) -> None:
    account = open_account(alice, "100.00")
    User.objects.filter(pk=alice.pk).update(locked_at="2026-11-01T00:00:00Z")
    page = staff_page(ada)
    page.get_by_role("link", name="Bank accounts", exact=True).click()
    page.get_by_label("Search bank accounts").fill(account.number_grouped)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=account.masked_number).click()
    act(page, "Freeze", reason="Card reported stolen")
    is_said(page, "The account is frozen.")
    act(page, "Unfreeze", reason="Card found again")
    is_said(page, "The account is active again.")

    page.get_by_role("link", name="Home").click()
    page.get_by_role("link", name="Locked users 1").click()
    page.get_by_role("link", name=alice.email).click()
    act(page, "Unlock", reason="Proved who she is", code="000000")
    expect(page.locator("[data-error-summary]")).to_be_focused()
    page.locator("[name=code]").fill(fresh_code(ada))
    page.get_by_role("main").get_by_role("button", name="Unlock").click()
    is_said(page, "This person is unlocked.")
    alice.refresh_from_db()
    assert alice.locked_at is None
    details = AuditEntry.objects.get(action="USER_UNLOCKED").details
    assert details["reason"] == "Proved who she is"


def test_a_held_transfer_is_released(
    staff_page: Callable[[Any], Page],
    signed_in: Callable[..., Page],
    alice: Any,
    bob: Any,
    sam: Any,
    open_account: Callable[..., Any],
) -> None:
    account, bobs = open_account(alice, "20000.00", nickname="Household"), open_account(bob)
    acts.transfer(actor=alice, source=account, target=bobs, amount=Decimal(12_000), idempotency_key="a boat, please")
    order = TransferOrder.objects.get(state="held")
    customer = signed_in(alice)
    customer.goto(reverse("receipt", args=[order.public_id]))
    expect(customer.get_by_role("main")).to_contain_text("We check transfers above €10,000.00 before sending them")

    page = staff_page(sam)
    page.get_by_role("link", name="Transfers held 1").click()
    page.locator("#result_list tbody").get_by_role("link").first.click()
    expect(page.get_by_role("main")).to_contain_text("€12,000.00")
    act(page, "Release", reason="Called her: it is a boat")
    is_said(page, "Released. €12,000.00 has been sent.")
    expect(page.get_by_role("list", name="What can be done")).to_have_count(0)
    page.get_by_role("link", name="Home").click()
    expect(page.get_by_role("link", name="Open alerts 0")).to_be_visible()

    customer.reload()
    expect(customer.get_by_role("main")).not_to_contain_text("We check transfers above")
    assert BankAccount.objects.get(pk=bobs.pk).balance == Decimal(12_000)


def test_an_auditor_filters_the_log_and_downloads_it(
    staff_page: Callable[[Any], Page], audrey: Any, alice: Any, bob: Any, open_account: Callable[..., Any]
) -> None:
    open_account(alice, "10.00")
    open_account(bob, "20.00")
    page = staff_page(audrey)
    page.get_by_role("link", name="Audit entries", exact=True).click()
    page.get_by_role("navigation", name="Filter").get_by_role("link", name="Deposit created").click()
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(2)
    page.locator("[name=actor]").fill(alice.email)
    page.get_by_role("button", name="Filter by who did it").click()
    expect(rows).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    assert text.count("DEPOSIT_CREATED") == 1
    assert alice.email in text
    assert bob.email not in text
    assert AuditEntry.objects.get(action="EXPORT_DOWNLOADED").actor_id == audrey.pk
