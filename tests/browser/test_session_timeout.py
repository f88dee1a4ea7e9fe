"""Are you still there? The five idle minutes as a browser shows them, with its clock and the server's moved (R1.6)."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import TotpDevice, UserSession
from tests.acts import held_in, put_into
from tests.asvs import proves
from tests.browser import checks
from tests.browser.steps import give_code, give_password

pytestmark = pytest.mark.django_db(transaction=True)


def let_pass(page: Page, seconds: int) -> None:
    """Move both clocks: the page's forward, and what the server has seen of the session back."""
    for held in Session.objects.all():
        session = held_in(held)
        session["auth_at"] -= seconds
        put_into(held, session)
    for row in UserSession.objects.all():
        row.last_seen_at -= timedelta(seconds=seconds)
        row.save(update_fields=["last_seen_at"])
    page.clock.fast_forward(seconds * 1000)


@pytest.fixture
def alices_page(alice: Any, open_account: Callable[..., Any], signed_in: Callable[..., Page]) -> Page:
    open_account(alice, "100.00")
    page = signed_in(alice)
    page.clock.install(time=timezone.now())
    return page


def dialog_of(page: Page) -> Any:
    return page.get_by_role("dialog", name="Are you still there?")


def test_after_four_minutes_one_is_asked_and_one_click_goes_on(alices_page: Page) -> None:
    page = alices_page
    page.goto(reverse("dashboard"))
    let_pass(page, 230)
    expect(dialog_of(page)).to_be_hidden()
    let_pass(page, 11)
    expect(dialog_of(page)).to_be_visible()
    expect(dialog_of(page)).to_contain_text(re.compile(r"\b(60|5\d) s"))
    expect(page.get_by_role("button", name="Stay signed in")).to_be_focused()
    assert checks.axe(page) == []
    page.keyboard.press("Enter")
    expect(dialog_of(page)).to_be_hidden()
    let_pass(page, 235)
    expect(dialog_of(page)).to_be_hidden()
    let_pass(page, 6)
    expect(dialog_of(page)).to_be_visible()
    page.keyboard.press("Escape")  # a person is there
    expect(dialog_of(page)).to_be_hidden()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Alice")


def test_a_page_that_was_not_noted_counts_from_when_it_was_opened(alices_page: Page) -> None:
    page = alices_page
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=10))
    page.goto(reverse("dashboard"))
    assert UserSession.objects.get().last_seen_at < timezone.now() - timedelta(seconds=10)
    let_pass(page, 232)
    expect(dialog_of(page)).to_be_hidden()
    let_pass(page, 9)
    expect(dialog_of(page)).to_contain_text(re.compile(r"\b(60|5\d) s"))
    let_pass(page, 50)
    expect(dialog_of(page)).to_contain_text(re.compile(r"\b(10|\d) s"))
    page.get_by_role("button", name="Stay signed in").click()
    expect(dialog_of(page)).to_be_hidden()
    let_pass(page, 230)
    expect(dialog_of(page)).to_be_hidden()


def test_another_tab_in_use_is_activity_here_too(alices_page: Page) -> None:
    page = alices_page
    page.goto(reverse("dashboard"))
    let_pass(page, 200)
    other = page.context.new_page()
    other.goto(reverse("history"))
    page.bring_to_front()
    let_pass(page, 45)
    page.wait_for_timeout(300)
    expect(dialog_of(page)).to_be_hidden()


def test_a_hiccup_of_the_server_costs_nobody_what_they_typed(alices_page: Page) -> None:
    page = alices_page
    page.goto(reverse("transfer_send"))
    page.get_by_label("Description").fill("Half a sentence")
    page.route("**/session/", lambda route: route.fulfill(status=200, body="<p>Bad gateway</p>"))
    let_pass(page, 241)
    page.clock.run_for(6000)
    expect(page.get_by_label("Description")).to_have_value("Half a sentence")
    page.unroute("**/session/")
    page.clock.run_for(6000)
    expect(dialog_of(page)).to_be_visible()
    expect(page.get_by_label("Description")).to_have_value("Half a sentence")


@proves("V14.3.1")
def test_without_a_network_the_page_is_emptied_when_the_session_ends(alices_page: Page) -> None:
    page = alices_page
    page.goto(reverse("transfer_send"))
    page.get_by_label("Description").fill("For the garden")
    page.clock.run_for(1000)
    page.route("**/session/", lambda route: route.fulfill(status=200, body="<p>Bad gateway</p>"))
    let_pass(page, 290)
    page.clock.run_for(6000)
    expect(page.get_by_label("Description")).to_have_value("For the garden")
    let_pass(page, 30)
    page.clock.run_for(6000)
    expect(page.get_by_role("alert")).to_contain_text("You’re signed out")
    assert page.locator("body").inner_text().strip() == page.get_by_role("alert").inner_text().strip()
    assert "For the garden" not in page.content()
    page.unroute("**/session/")
    page.clock.run_for(6000)
    expect(page).to_have_url(re.compile(r"/sign-in/"))


def test_nobody_there_is_signed_out_and_what_was_typed_comes_back(
    alices_page: Page, alice: Any, code_of: Callable[[Any], str]
) -> None:
    page = alices_page
    page.goto(reverse("transfer_send"))
    page.get_by_label("Amount").fill("12.34")
    page.get_by_label("Description").fill("For the roof, Grüße 🌳")
    page.clock.run_for(400)
    page.wait_for_function("sessionStorage.getItem('kept-typing')")
    let_pass(page, 241)
    expect(dialog_of(page)).to_be_visible()
    let_pass(page, 61)
    expect(dialog_of(page)).to_contain_text("Signing you out…")  # and one can still stay: the last look was not noted
    let_pass(page, 15)
    expect(page.get_by_text("Your session has ended. Please sign in again.")).to_be_visible()
    kept = page.evaluate("sessionStorage.getItem('kept-typing')")
    assert "roof" not in kept
    assert "12.34" not in kept
    sign_in_again(page, alice, code_of)
    expect(page.get_by_text("What you typed before is back")).to_be_visible()
    assert page.get_by_label("Amount").input_value() == "12.34"
    assert page.get_by_label("Description").input_value() == "For the roof, Grüße 🌳"
    assert checks.axe(page) == []
    page.reload()
    expect(page.get_by_label("Amount")).to_have_value("")


def test_a_form_sent_too_late_comes_back_as_it_was(
    alices_page: Page, alice: Any, code_of: Callable[[Any], str]
) -> None:
    page = alices_page
    page.goto(reverse("account_open"))
    page.get_by_label("Savings").check()
    page.get_by_label("Name", exact=True).fill("Holidays")
    page.clock.run_for(400)
    page.wait_for_function("sessionStorage.getItem('kept-typing')")
    UserSession.objects.filter(user=alice).update(ended_at=timezone.now())
    page.get_by_role("button", name="Open account").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    sign_in_again(page, alice, code_of)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Holidays")
    expect(page.get_by_label("Savings")).to_be_checked()
    page.get_by_role("button", name="Open account").click()
    expect(page.get_by_text("Your account Holidays is open.")).to_be_visible()
    assert page.evaluate("sessionStorage.getItem('kept-typing')") is None


@proves("V14.3.3")
def test_another_person_in_the_same_tab_finds_nothing(
    alices_page: Page, alice: Any, bob: Any, open_account: Callable[..., Any], code_of: Callable[[Any], str]
) -> None:
    open_account(bob)
    page = alices_page
    page.goto(reverse("transfer_send"))
    page.get_by_label("Description").fill("Between us")
    page.clock.run_for(400)
    page.wait_for_function("sessionStorage.getItem('kept-typing')")
    UserSession.objects.filter(user=alice).update(ended_at=timezone.now())
    page.reload()
    sign_in_again(page, bob, code_of)
    expect(page.get_by_role("heading", level=1)).to_have_text("Send money")
    expect(page.get_by_label("Description")).to_have_value("")
    page.wait_for_function("sessionStorage.getItem('kept-typing') === null")


@proves("V14.3.3")
def test_passwords_and_codes_are_never_kept(alices_page: Page) -> None:
    page = alices_page
    page.goto(reverse("password_change"))
    page.get_by_label("Current password").fill("something secret")
    page.clock.run_for(400)
    page.wait_for_function("sessionStorage.getItem('kept-typing')")
    plain = page.evaluate(UNSEALED)
    assert plain == "[[]]"


# The stored text, opened with the page's own key.
UNSEALED = """async () => {
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const kept = JSON.parse(sessionStorage.getItem("kept-typing"));
    const raw = bytes(document.body.dataset.keptTypingKey);
    const key = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["decrypt"]);
    const plain = await crypto.subtle.decrypt({name: "AES-GCM", iv: bytes(kept.iv)}, key, bytes(kept.sealed));
    return new TextDecoder().decode(plain);
}"""


def sign_in_again(page: Page, user: Any, code_of: Callable[[Any], str]) -> None:
    give_password(page, user)
    expect(page.locator("[name=code]")).to_be_visible()
    TotpDevice.objects.filter(user=user).update(last_step=-1)
    give_code(page, code_of(user))


def test_staff_are_asked_too(signed_in: Callable[..., Page], sam: Any) -> None:
    page = signed_in(sam)
    page.clock.install(time=timezone.now())
    page.goto(reverse("admin:index"))
    let_pass(page, 241)
    expect(dialog_of(page)).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        assert checks.axe(page) == []
    page.get_by_role("button", name="Sign out now").click()
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
