"""Everything one does at home in the bank, without a mouse: Tab, Enter, Space and letters (R10.2; WCAG 2.1.1, 2.4.7).

A password is forgotten and reset, a sign-in done with both factors, money sent, the history filtered and exported,
a statement opened, a session that was left open elsewhere ended, the e-mail address changed and confirmed.
"""

import re
from collections.abc import Callable
from typing import Any

from django.urls import reverse
from playwright.sync_api import Download, Locator, Page, expect

from accounts.models import TotpDevice
from tests.browser.steps import field

NEW_PASSWORD = "a sentence that only Alice thinks of"
MOST_TABS = 120

# The focused element can be seen: it has an outline or a shadow, or the box it fills has.
SHOWS_FOCUS = """element => element.matches(":focus-visible") && [element, element.closest("label, li")].some((one) => {
    if (!one) return false;
    const style = getComputedStyle(one);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
})"""


class Keyboard:
    """Hands that touch only keys."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def go_to(self, target: Locator) -> None:
        """Press Tab until the target has the focus, and shows it."""
        expect(target).to_be_visible()
        for _ in range(MOST_TABS):
            if target.evaluate("element => element === document.activeElement"):
                break
            self.page.keyboard.press("Tab")
        expect(target).to_be_focused()
        assert target.evaluate(SHOWS_FOCUS), "nobody can see where the focus is"

    def type(self, target: Locator, text: str) -> None:
        self.go_to(target)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.type(text)

    def follow(self, name: str | re.Pattern[str], within: Locator | None = None) -> None:
        """Press Enter on the link with this name in the page's content."""
        self.go_to((within or self.page.get_by_role("main")).get_by_role("link", name=name).first)
        self.page.keyboard.press("Enter")

    def tick(self, target: Locator) -> None:
        self.go_to(target)
        self.page.keyboard.press("Space")
        expect(target).to_be_checked()

    def press(self, name: str, within: Locator | None = None) -> None:
        """Press Space on a button."""
        self.go_to((within or self.page.get_by_role("main")).get_by_role("button", name=name).first)
        self.page.keyboard.press("Space")


def fresh_code(user: Any, code_of: Callable[[Any], str]) -> str:
    """Return a code; the story takes less than the half minute in which one code works once."""
    TotpDevice.objects.filter(user=user).update(last_step=-1)
    return code_of(user)


def test_all_by_keyboard_alone(
    visitor: Callable[..., Page],
    signed_in: Callable[..., Page],
    alice: Any,
    bob: Any,
    open_account: Callable[..., Any],
    code_of: Callable[[Any], str],
    link_to: Callable[[str], str],
) -> None:
    open_account(alice, "500.00", nickname="Household")
    bobs = open_account(bob)
    keys = Keyboard(visitor(accept_downloads=True))
    reset_the_password(keys, alice, link_to)
    sign_in(keys, alice, code_of)
    send(keys, bobs.number, lambda: fresh_code(alice, code_of))
    filter_and_export(keys)
    open_a_statement(keys)
    elsewhere = signed_in(alice)
    elsewhere.goto(reverse("profile"))
    end_the_session_elsewhere(keys, elsewhere, alice, code_of)
    change_the_address(keys, alice, code_of, link_to)


def reset_the_password(keys: Keyboard, alice: Any, link_to: Callable[[str], str]) -> None:
    page = keys.page
    page.goto(reverse("sign_in"))
    keys.follow("Forgot your password?")
    keys.type(field(page, "E-mail"), alice.email)
    keys.press("Send the link")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")
    page.goto(link_to(alice.email))
    keys.type(field(page, "New password"), NEW_PASSWORD)
    keys.type(field(page, "New password again"), NEW_PASSWORD)
    keys.press("Change password")
    expect(page.get_by_role("status")).to_contain_text("Your password is changed")


def sign_in(keys: Keyboard, alice: Any, code_of: Callable[[Any], str]) -> None:
    page = keys.page
    keys.type(field(page, "E-mail"), alice.email)
    keys.type(field(page, "Password"), NEW_PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Enter your code")
    keys.type(page.locator("[name=code]"), fresh_code(alice, code_of))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Alice")


def send(keys: Keyboard, number: str, next_code: Callable[[], str]) -> None:
    page = keys.page
    keys.follow("Send money")
    keys.type(page.get_by_label("Account number"), number)
    keys.type(page.get_by_label("Name of the person or business"), "Carla Cole")
    keys.type(page.get_by_label("Amount"), "12.50")
    keys.type(page.get_by_label("Description"), "By keyboard")
    keys.press("Review")
    keys.tick(page.get_by_label("Send all the same"))
    keys.type(page.get_by_label("Code from your authenticator app"), next_code())
    keys.press("Send €12.50")
    expect(page).to_have_url(re.compile("/receipts/"))
    keys.follow("Done")
    expect(page.get_by_role("main")).to_contain_text("€487.50")


def filter_and_export(keys: Keyboard) -> None:
    page = keys.page
    keys.follow("History", within=page.get_by_role("navigation", name="Main"))
    keys.go_to(page.locator("details.filters > summary"))
    page.keyboard.press("Enter")
    keys.type(page.get_by_label("Description or reference"), "keyboard")
    keys.press("Show")
    expect(page.get_by_role("heading", name="1 movement")).to_be_visible()
    with page.expect_download() as waiting:
        keys.follow(re.compile("Download CSV"))
    text = content_of(waiting.value).decode("utf-8-sig")
    assert "By keyboard" in text
    assert len(text.splitlines()) == 2
    keys.follow(re.compile("Remove the filter"))
    expect(page.get_by_role("heading", name="2 movements")).to_be_visible()


def open_a_statement(keys: Keyboard) -> None:
    page = keys.page
    keys.follow("Overview", within=page.get_by_role("navigation", name="Main"))
    keys.follow("Household")
    keys.follow("Statements")
    with page.expect_download() as waiting:
        keys.follow(re.compile(r"\w+ 20\d\d"))
    assert content_of(waiting.value).startswith(b"%PDF-")


def end_the_session_elsewhere(keys: Keyboard, elsewhere: Page, alice: Any, code_of: Callable[[Any], str]) -> None:
    page = keys.page
    keys.go_to(page.locator("details.menu summary"))
    page.keyboard.press("Enter")
    keys.follow("Profile", within=page.locator("details.menu"))
    keys.follow("Sign out all others")
    keys.type(field(page, "Code"), fresh_code(alice, code_of))
    keys.press("Sign out")
    expect(page.get_by_role("status")).to_contain_text("All your other sessions are signed out.")
    elsewhere.reload()
    expect(elsewhere.get_by_role("heading", level=1)).to_have_text("Sign in")


def change_the_address(
    keys: Keyboard, alice: Any, code_of: Callable[[Any], str], link_to: Callable[[str], str]
) -> None:
    page = keys.page
    keys.follow("Change e-mail")
    keys.type(field(page, "New e-mail"), "alice@example.net")
    keys.type(field(page, "Password"), NEW_PASSWORD)
    keys.type(field(page, "Code"), fresh_code(alice, code_of))
    keys.press("Send the link")
    expect(page.get_by_role("status")).to_contain_text("We have written to alice@example.net")
    page.goto(link_to("alice@example.net"))
    keys.press("Confirm")
    expect(page.get_by_role("status")).to_contain_text("Your e-mail address is alice@example.net now")


def content_of(download: Download) -> bytes:
    return download.path().read_bytes()
