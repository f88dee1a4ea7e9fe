"""A customer forgets a password, moves to another address, and ends a session left open elsewhere (R1.8, R1.9)."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.steps import field, give_code, give_password
from tests.plugin import PASSWORD

NEW = "a sentence that only Alice thinks of"


def test_a_forgotten_password_and_then_both_factors(
    visitor: Callable[..., Page], alice: Any, code_of: Callable[[Any], str], link_to: Callable[[str], str]
) -> None:
    page = visitor()
    page.goto("/sign-in/")
    page.get_by_role("link", name="Forgot your password?").click()
    field(page, "E-mail").fill(alice.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")
    page.goto(link_to(alice.email))
    field(page, "New password").fill(NEW)
    field(page, "New password again").fill(NEW)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("status")).to_contain_text("Your password is changed")
    give_password(page, alice, NEW)
    expect(page.get_by_role("heading", level=1)).to_have_text("Enter your code")
    give_code(page, code_of(alice))
    page.wait_for_url("**/dashboard/")


def test_another_address_is_confirmed_there(
    signed_in: Callable[..., Page], alice: Any, code_of: Callable[[Any], str], link_to: Callable[[str], str]
) -> None:
    page = signed_in(alice)
    page.goto("/profile/")
    page.get_by_role("link", name="Change e-mail").click()
    field(page, "New e-mail").fill("alice@example.net")
    field(page, "Password").fill(PASSWORD)
    field(page, "Code").fill(code_of(alice))
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_role("status")).to_contain_text("We have written to alice@example.net")
    expect(page.get_by_role("main")).to_contain_text("alice@example.com")
    page.goto(link_to("alice@example.net"))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("Your e-mail address is alice@example.net now")


def test_a_session_left_open_elsewhere_is_ended(
    signed_in: Callable[..., Page], alice: Any, code_of: Callable[[Any], str]
) -> None:
    there, here = signed_in(alice), signed_in(alice)
    there.goto("/profile/")
    here.goto("/profile/")
    here.get_by_role("main").get_by_role("link", name="Sign out Unknown device").click()
    give_code(here, code_of(alice), button="Sign out")
    expect(here.get_by_role("status")).to_contain_text("That session is signed out.")
    there.get_by_role("link", name="Update details").click()
    expect(there.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(there.get_by_role("status")).to_contain_text("Your session has ended")
