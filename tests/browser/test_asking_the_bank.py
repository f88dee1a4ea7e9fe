"""Customers ask and the bank answers, in a real browser: a message, a request, a phone that is gone (R4.1, R4.2)."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from accounts.roles import Role
from support import tickets
from support.models import ServiceRequest, Ticket
from support.requests import services as requests
from tests.browser.steps import field, give_code, give_password


def test_a_question_its_answer_and_a_last_word(signed_in: Callable[..., Page], alice: Any, sam: Any) -> None:
    page = signed_in(alice)
    page.goto("/dashboard/")
    page.locator("details.menu summary").click()
    page.get_by_role("link", name="Help").click()
    page.get_by_role("link", name="Write to us").click()
    field(page, "Subject").fill("My card")
    field(page, "Your message").fill("Where is it?")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("We have your message")).to_be_visible()
    tickets.note_on_ticket(actor=sam, public_id=Ticket.objects.get().public_id, text="Ask the post office")
    tickets.answer_ticket(actor=sam, public_id=Ticket.objects.get().public_id, text="It is in the post.")
    page.reload()
    said = page.get_by_role("list", name="Conversation").get_by_role("listitem")
    expect(said).to_have_count(2)
    expect(said.last).to_contain_text("It is in the post.")
    field(page, "Your reply").fill("Thank you!")
    page.get_by_role("button", name="Send reply").click()
    expect(said).to_have_count(3)


def test_a_lost_card_and_a_change_of_mind(
    signed_in: Callable[..., Page], alice: Any, open_account: Callable[..., Any]
) -> None:
    open_account(alice, nickname="Household")
    page = signed_in(alice)
    page.goto("/help/")
    page.get_by_role("link", name="New request").click()
    page.get_by_role("link", name="Freeze an account", exact=True).click()
    page.get_by_role("button", name="Send request").click()
    expect(page.get_by_text("We are looking at it.")).to_be_visible()
    page.get_by_role("button", name="Cancel this request").click()
    expect(page.get_by_text("You cancelled this request.")).to_be_visible()
    expect(page.get_by_text("Your own freeze stands until you ask us to lift it.")).to_be_visible()
    assert ServiceRequest.objects.get().state == "cancelled"


def test_an_account_is_frozen_in_two_clicks_and_the_bank_is_asked_to_lift_that(
    signed_in: Callable[..., Page], alice: Any, open_account: Callable[..., Any]
) -> None:
    # R2.5
    account = open_account(alice, "100.00", nickname="Household")
    page = signed_in(alice)
    page.goto(f"/accounts/{account.public_id}/")
    page.get_by_role("link", name="Suspicious activity? Freeze this account").click()
    page.get_by_role("button", name="Freeze account").click()
    expect(page.get_by_role("main")).to_contain_text("You froze it on")
    expect(page.get_by_role("main").get_by_role("link", name="Send money")).to_have_count(0)
    page.get_by_role("link", name="Ask us to lift it").click()
    page.get_by_label("Reason").fill("It was my own payment.")
    page.get_by_role("button", name="Send request").click()
    expect(page.get_by_text("We are looking at it.")).to_be_visible()
    account.refresh_from_db()
    assert (account.status, ServiceRequest.objects.get().kind) == ("frozen", "unfreeze_account")


def test_without_phone_and_recovery_codes_one_comes_back_in(
    visitor: Callable[..., Page],
    alice: Any,
    sam: Any,
    make_user: Callable[..., Any],
    code_of: Callable[[Any], str],
    link_to: Callable[[str], str],
) -> None:
    page = visitor()
    page.goto("/sign-in/")
    give_password(page, alice)
    page.get_by_role("link", name="I have lost my phone").click()
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")

    elsewhere = visitor()
    elsewhere.goto(link_to(alice.email))
    expect(elsewhere.get_by_role("main")).not_to_contain_text(alice.email)
    elsewhere.get_by_role("button", name="Confirm").click()
    expect(elsewhere.get_by_text("We have your request.")).to_be_visible()
    for clerk in (sam, make_user("Sally", Role.SUPPORT)):
        requests.approve_request(
            actor=clerk, public_id=ServiceRequest.objects.get().public_id, reason="Called her at home"
        )

    page.goto("/sign-in/")
    give_password(page, alice)
    expect(page.get_by_role("heading", level=1)).to_have_text("Open the link in our e-mail")
    page.get_by_role("button", name="Send another link").click()
    page.goto(link_to(alice.email))
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(re.compile("/two-factor/enrol/$"))
    give_code(page, code_of(alice), button="Confirm")
    expect(page.get_by_role("listitem")).not_to_have_count(0)
