"""Forms as people use them: with mistakes, with a nervous finger, without a mouse, without JavaScript."""

import re
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, Route, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests import acts
from tests.browser.steps import field, give_code, give_password
from tests.plugin import PASSWORD
from transfers.models import Payee, TransferOrder

PAYEE = "Account number of the payee"


@pytest.fixture
def two(alice: Any, bob: Any, open_account: Callable[..., Any]) -> Any:
    """Alice with 100.00, and Bob's account to send some of it to."""
    his = open_account(bob)
    acts.know(alice, his)
    return SimpleNamespace(alice=alice, hers=open_account(alice, "100.00"), his=his)


def fill_in(page: Page, two: Any) -> None:
    page.goto(reverse("transfer_send"))
    field(page, PAYEE).fill(two.his.number_grouped)
    field(page, "Amount").fill("12.50")
    field(page, "Description").fill("Soup")


def assert_sent_once(two: Any) -> None:
    two.hers.refresh_from_db()
    two.his.refresh_from_db()
    assert (two.hers.balance, two.his.balance) == (Decimal("87.50"), Decimal("12.50"))
    assert TransferOrder.objects.filter(target=two.his).count() == 1


def test_errors_are_gathered_and_focused_and_nothing_typed_is_lost(signed_in: Callable[..., Page], two: Any) -> None:
    page = signed_in(two.alice)
    fill_in(page, two)
    field(page, PAYEE).fill("1234 5678 9012")
    field(page, "Amount").fill("1e3")
    page.get_by_role("button", name="Review").click()

    summary = page.get_by_role("alert")
    expect(summary).to_be_focused()
    expect(summary.get_by_role("listitem")).to_have_count(2)
    for label, typed in ((PAYEE, "1234 5678 9012"), ("Amount", "1e3"), ("Description", "Soup")):
        expect(field(page, label)).to_have_value(typed)
    for label in (PAYEE, "Amount"):
        expect(field(page, label)).to_have_attribute("aria-invalid", "true")
        expect(field(page, label)).to_have_accessible_description(re.compile(r"\w+"))
    summary.get_by_role("link", name=re.compile("^Amount")).click()
    expect(field(page, "Amount")).to_be_focused()
    assert not TransferOrder.objects.filter(target=two.his).exists()


def test_what_is_wrong_as_a_whole_is_said_in_the_summary_and_passwords_are_not_kept(
    visitor: Callable[..., Page], alice: Any
) -> None:
    page = visitor()
    page.goto(reverse("sign_in"))
    give_password(page, alice, "not the password")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("E-mail or password is not right.")
    expect(field(page, "E-mail")).to_have_value(alice.email)
    expect(field(page, "Password")).to_have_value("")


def test_a_second_click_while_the_bank_is_thinking_is_not_even_sent(signed_in: Callable[..., Page], two: Any) -> None:
    page = signed_in(two.alice)
    fill_in(page, two)
    page.get_by_role("button", name="Review").click()
    confirm = page.get_by_role("button", name="Send €12.50")
    confirm.scroll_into_view_if_needed()
    box = confirm.bounding_box()
    assert box
    held: list[Route] = []
    page.route("**/transfer/review/**", lambda route: held.append(route))
    for _ in range(3):
        page.mouse.click(box["x"] + 20, box["y"] + 20)
        page.wait_for_timeout(150)
    assert [route.request.method for route in held] == ["POST"]
    held[0].continue_()
    expect(page).to_have_url(re.compile("/receipts/"))
    assert_sent_once(two)


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
def test_a_double_click_on_confirm_sends_once(scripts: bool, signed_in: Callable[..., Page], two: Any) -> None:
    page = signed_in(two.alice, java_script_enabled=scripts)
    fill_in(page, two)
    page.get_by_role("button", name="Review").click()
    page.get_by_role("button", name="Send €12.50").dblclick()
    expect(page).to_have_url(re.compile("/receipts/"))
    assert_sent_once(two)


def test_confirming_in_two_windows_sends_once(signed_in: Callable[..., Page], two: Any) -> None:
    """No script can help here: the bank itself has to tell the second request from a second payment."""
    page = signed_in(two.alice)
    fill_in(page, two)
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check and confirm")
    other = page.context.new_page()
    other.goto(page.url)
    for window in (page, other):
        window.get_by_role("button", name="Send €12.50").click()
        expect(window).to_have_url(re.compile("/receipts/"))
    assert page.url == other.url
    assert_sent_once(two)


def test_what_confirms_is_seen_without_scrolling_and_under_nothing(
    signed_in: Callable[..., Page], two: Any, settings: Any
) -> None:
    settings.DEMO = True  # the ribbon takes a line
    page = signed_in(two.alice)
    fill_in(page, two)
    field(page, "Description").fill("For the roof and the windows " * 5)
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check and confirm")
    for width, height in ((1280, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        page.reload()
        expect(page.get_by_role("button", name="Send €12.50")).to_be_in_viewport(ratio=1)
        # On a phone the navigation would be a bar over the end of the page.
        expect(page.get_by_role("navigation", name="Main")).to_have_count(1 if width > height else 0)


def test_what_the_chosen_account_has_is_said_under_the_choice(
    signed_in: Callable[..., Page], two: Any, open_account: Callable[..., Any]
) -> None:
    other = open_account(two.alice, "7.00", nickname="Holidays")
    page = signed_in(two.alice)
    page.goto(reverse("transfer_send"))
    expect(field(page, "From")).to_have_accessible_description(re.compile("€100.00 available$"))
    field(page, "From").select_option(str(other.public_id))
    expect(field(page, "From")).to_have_accessible_description("Holidays: €7.00 available")


def test_going_back_from_the_receipt_offers_no_second_sending(signed_in: Callable[..., Page], two: Any) -> None:
    page = signed_in(two.alice)
    fill_in(page, two)
    page.get_by_role("button", name="Review").click()
    page.get_by_role("button", name="Send €12.50").click()
    expect(page).to_have_url(re.compile("/receipts/"))
    page.go_back()
    expect(page).to_have_url(re.compile("/receipts/"))
    expect(page.get_by_role("status")).to_contain_text("sent already")
    assert_sent_once(two)


def test_the_keyboard_alone_signs_in_and_sends(
    visitor: Callable[..., Page], two: Any, code_of: Callable[[Any], str]
) -> None:
    page = visitor()
    page.goto(reverse("sign_in"))
    expect(field(page, "E-mail")).to_be_focused()
    page.keyboard.type(two.alice.email)
    go_to(page, field(page, "Password"))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("[name=code]")).to_be_focused()
    page.keyboard.type(code_of(two.alice))
    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile("/dashboard/"))
    page.wait_for_load_state()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    go_to(page, page.get_by_role("main").get_by_role("link", name="Send money"))
    page.keyboard.press("Enter")

    for label, text in ((PAYEE, two.his.number_grouped), ("Amount", "12.50"), ("Description", "Soup")):
        go_to(page, field(page, label))
        page.keyboard.type(text)
    go_to(page, page.get_by_role("button", name="Review"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check and confirm")
    go_to(page, page.get_by_role("button", name="Send €12.50"))
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile("/receipts/"))
    assert_sent_once(two)

    go_to(page, page.locator("details.menu summary"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    page.keyboard.press("Enter")
    go_to(page, page.get_by_role("button", name="Sign out"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def go_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it is reached. Wherever the focus rests on the way, it can be seen and is on the screen."""
    expect(wanted).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        try:
            page.wait_for_function(SHOWS_FOCUS, timeout=2000)  # a long page scrolls there smoothly
        except PlaywrightTimeout:
            raise AssertionError(page.evaluate("document.activeElement.outerHTML")) from None
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"Tab does not lead to {wanted}")


SHOWS_FOCUS = """() => {
    const element = document.activeElement;
    if (element === document.body) return true;  // round again, past the end of the page
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    const marked = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
    return marked && box.width > 0 && box.bottom > 0 && box.top < innerHeight;
}"""


def test_without_scripts_one_signs_in_and_sends(
    visitor: Callable[..., Page], two: Any, code_of: Callable[[Any], str]
) -> None:
    page = visitor(java_script_enabled=False)
    page.goto("/")
    give_password(page, two.alice)
    give_code(page, code_of(two.alice))
    page.get_by_role("main").get_by_role("link", name="Send money").click()
    fill_in(page, two)
    field(page, "Amount").fill("120.50")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("alert")).to_contain_text("€100.00 is available")
    field(page, "Amount").fill("12.50")
    page.get_by_role("button", name="Review").click()
    page.get_by_role("button", name="Send €12.50").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Transfer")
    expect(page.get_by_role("button", name="Print")).to_be_hidden()
    assert_sent_once(two)
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


@pytest.fixture
def payees(two: Any, bob: Any, open_account: Callable[..., Any], new_key: Callable[[], str]) -> Any:
    """Alice has paid two accounts of Bob's: the one she calls Shop last."""
    other = open_account(bob)
    for account in (two.his, other):
        acts.transfer(actor=two.alice, source=two.hers, target=account, amount=Decimal(1), idempotency_key=new_key())
    Payee.objects.filter(account=other).update(label="Shop")
    return SimpleNamespace(bob=two.his, shop=other)


def test_choosing_a_payee_keeps_what_was_typed(signed_in: Callable[..., Page], two: Any, payees: Any) -> None:
    """R3.6: one tap, and only the number changes."""
    page = signed_in(two.alice)
    page.goto(reverse("transfer_send"))
    field(page, "Amount").fill("12.50")
    field(page, "Description").fill("Soup")
    shop, bob = (page.get_by_role("main").get_by_role("link", name=re.compile(name)) for name in ("Shop", "Bob Brandt"))
    for choice, account in ((shop, payees.shop), (bob, payees.bob)):
        choice.click()
        expect(field(page, PAYEE)).to_have_value(account.number_grouped)
        expect(choice).to_have_attribute("aria-current", "true")
        expect(field(page, "Amount")).to_be_focused()
    expect(shop).not_to_have_attribute("aria-current", "true")
    assert page.url.endswith(reverse("transfer_send"))
    expect(field(page, "Amount")).to_have_value("12.50")
    expect(field(page, "Description")).to_have_value("Soup")
    field(page, PAYEE).press_sequentially("1")
    expect(bob).not_to_have_attribute("aria-current", "true")


def test_a_payee_whose_page_says_no_more_is_followed_there(
    signed_in: Callable[..., Page], two: Any, payees: Any
) -> None:
    page = signed_in(two.alice)
    page.goto(reverse("transfer_send"))
    Payee.objects.filter(account=payees.shop).delete()
    page.get_by_role("main").get_by_role("link", name=re.compile("Shop")).click()
    page.wait_for_url("**/?payee=*")
    expect(field(page, PAYEE)).to_have_value("")


def test_without_scripts_a_payee_is_one_tap_away(
    visitor: Callable[..., Page], two: Any, payees: Any, code_of: Callable[[Any], str]
) -> None:
    page = visitor(java_script_enabled=False)
    page.goto("/")
    give_password(page, two.alice)
    give_code(page, code_of(two.alice))
    page.goto(reverse("transfer_send"))
    page.get_by_role("link", name=re.compile("Shop")).click()
    expect(field(page, PAYEE)).to_have_value(payees.shop.number_grouped)
    field(page, "Amount").fill("2")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("main")).to_contain_text("you call them Shop")
    page.get_by_role("button", name="Send €2.00").click()
    page.get_by_role("link", name="Send again").click()
    expect(field(page, "Amount")).to_have_value("2.00")


def test_the_chosen_colours_stay(signed_in: Callable[..., Page], two: Any) -> None:
    page = signed_in(two.alice, color_scheme="light")
    page.goto(reverse("dashboard"))
    choose(page, "Dark")
    assert_scheme(page, "dark", pressed="Dark")
    for name in ("transfer_send", "dashboard"):
        page.goto(reverse(name))
        assert_scheme(page, "dark", pressed="Dark")
    other = page.context.new_page()
    other.goto(reverse("transfer_own"))
    assert_scheme(other, "dark", pressed="Dark")
    choose(page, "System")
    page.reload()
    assert_scheme(page, "light", pressed="System")
    page.emulate_media(color_scheme="dark")
    assert_scheme(page, "dark", pressed="System")


def test_the_chosen_colours_stay_on_the_way_through_the_staff_area(signed_in: Callable[..., Page], ada: Any) -> None:
    """Django's admin keeps a choice of its own under the same name."""
    page = signed_in(ada, color_scheme="dark")
    page.goto(reverse("password_change"))
    for choice in ("System", "Light", "Dark"):
        choose(page, choice)
        page.goto(reverse("admin:index"))
        page.goto(reverse("password_change"))
        assert_scheme(page, "light" if choice == "Light" else "dark", pressed=choice)


def choose(page: Page, name: str) -> None:
    page.locator("details.menu summary").click()
    page.get_by_role("button", name=name).click()


def assert_scheme(page: Page, scheme: str, *, pressed: str) -> None:
    expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
    expect(page.locator("[data-theme-switch] [aria-pressed=true]")).to_have_text(pressed)


def test_back_leads_to_the_filtered_history_one_came_from(signed_in: Callable[..., Page], two: Any) -> None:
    page = signed_in(two.alice)
    page.goto(reverse("history") + "?type=deposit")
    here = page.url
    page.get_by_role("cell").get_by_role("link").first.click()
    page.get_by_role("link", name="Receipt").click()
    expect(page.get_by_role("link", name="Done")).to_have_count(0)
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("link", name="See the account")).to_be_visible()
    page.get_by_role("link", name="Back").click()
    page.wait_for_url(here)


def test_back_leads_to_the_account_where_one_came_from_nowhere(signed_in: Callable[..., Page], two: Any) -> None:
    page = signed_in(two.alice)
    page.goto(reverse("entry", args=[two.hers.public_id, 1]))
    page.get_by_role("link", name="Back").click()
    page.wait_for_url(f"**/accounts/{two.hers.public_id}/")


def test_on_a_phone_the_accounts_come_before_the_picture_and_help_is_in_reach(
    signed_in: Callable[..., Page], two: Any
) -> None:
    page = signed_in(two.alice)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(reverse("dashboard"))
    card = page.locator(".account-grid").bounding_box()
    picture = page.get_by_role("region", name="Your balance over time").bounding_box()
    assert card is not None
    assert picture is not None
    assert card["y"] < picture["y"]
    expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Help")).to_be_visible()
