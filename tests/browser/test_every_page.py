"""Every page of the site, looked at as a browser shows it: in light and in dark, wide and narrow (R10.1–R10.3).

`SCREENSHOTS=<folder> pytest tests/browser/test_every_page.py` keeps a picture of each page for people to look at.
"""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.test.signals import template_rendered
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, Request, expect
from post_office.models import Email

from accounts import mail_links
from accounts.models import AccountKind, AccountStatus, BankAccount, EmailChange, UserSession
from accounts.roles import may
from audit.models import AuditEntry
from tests.browser import checks
from tests.browser.steps import field, give_code, give_password
from tests.plugin import PASSWORD
from transfers.services import cash, sending

pytestmark = pytest.mark.browser

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
WIDE, PHONE, NARROWEST = 1280, 390, 320
HEIGHT = 900
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")

# Who sees which page template; the last test says when one is nobody's.
SEEN_BY = {
    "strangers": {
        "accounts/link_expired.html",
        "accounts/mail.html",
        "accounts/mailbox.html",
        "accounts/recovery_codes.html",
        "accounts/register.html",
        "accounts/register_confirm.html",
        "accounts/check_your_email.html",
        "accounts/sign_in.html",
        "accounts/sign_in_code.html",
        "accounts/two_factor_enrol.html",
    },
    "the forgetful": {
        "accounts/password_forgot.html",
        "accounts/password_reset.html",
    },
    "people who change how they sign in": {
        "accounts/authenticator_replace.html",
        "accounts/email_change.html",
        "accounts/email_change_confirm.html",
        "accounts/recovery_codes.html",
        "accounts/recovery_codes_renew.html",
        "accounts/two_factor_enrol.html",
    },
    "customers": {
        "transfers/account.html",
        "transfers/account_close.html",
        "transfers/dashboard.html",
        "transfers/deposit.html",
        "transfers/entry.html",
        "transfers/history.html",
        "transfers/receipt.html",
        "transfers/statements.html",
        "transfers/transfer_form.html",
        "transfers/transfer_review.html",
        "transfers/withdraw.html",
    },
    "new customers": {
        "accounts/password_change.html",
        "accounts/profile.html",
        "accounts/profile_details.html",
        "transfers/account_open.html",
        "transfers/dashboard.html",
        "transfers/history.html",
        "transfers/transfer_form.html",
    },
    "the unlucky": {
        "400.html",
        "403.html",
        "404.html",
        "500.html",
        "accounts/locked_out.html",
        "csrf_failure.html",
        "too_many.html",
    },
}


FAULTY_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "script-src 'self' 'nonce-good'",
}
FAULTY = """<!doctype html><html><head><title>Faulty</title><link rel="stylesheet" href="/missing.css"></head><body>
<main><h1>Faulty</h1><img src="https://elsewhere.example/spy.png"><p style="color: #eee; background: #fff">Pale</p>
<p class="money" style="width: 3em">−€1 234.00</p><p class="money">€6.00</p>
<div class="broad" style="width: 3000px">Broad</div>
<div style="overflow: hidden; width: 9em"><b class="money" style="position: relative; left: 2000px">€5.00</b></div>
</main>
<script>console.log("never")</script>
<script nonce="good">console.error("said aloud"); throw new Error("thrown")</script></body></html>"""


def page_templates() -> set[str]:
    """Every template that is a page, not a part of one, a frame or a mail."""
    names = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")}
    return {name for name in names if not re.match("(components|emails|admin)/|base", name)}


class Inspection:
    """Looks at one page after the other and keeps what is wrong with them."""

    def __init__(self, folder: Path | None) -> None:
        self.rendered: set[str] = set()
        self._folder = folder
        self._faults: list[str] = []
        self._by_get = True

    def of(self, page: Page) -> "Inspection":
        """Go on with this page."""
        self.page = page
        page.on("request", self._remember_method)
        return self

    def visit(self, name: str, url: str) -> None:
        self.page.goto(url)
        self.look(name)

    def look(self, name: str) -> None:
        """The page as it stands now; one that came by GET is also loaded again with a saved colour scheme."""
        page = self.page
        page.wait_for_load_state("load")
        found: list[str] = []
        background: dict[str, str] = {}
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            found += [f"{scheme}: {fault}" for fault in checks.axe(page)]
            background[scheme] = page.evaluate(checks.BACKGROUND)
            found += self._at_all_widths(name, scheme)
        if background["light"] == background["dark"]:
            found.append(f"its background is {background['light']} in both schemes")
        if self._by_get:
            found += self._with_saved_scheme(background)
        self._faults += [f"{name}: {fault}" for fault in found]

    def done(self, templates: set[str]) -> None:
        assert not self._faults, "\n".join(["", *self._faults])
        assert templates <= self.rendered

    def _at_all_widths(self, name: str, scheme: str) -> list[str]:
        found = []
        for width in (NARROWEST, PHONE, WIDE):  # ends at the width that axe looks at
            self.page.set_viewport_size({"width": width, "height": HEIGHT})
            if scheme == "light":  # colours move nothing
                found += [f"{width} px: {fault}" for fault in checks.layout(self.page)]
            if self._folder:
                self.page.screenshot(path=self._folder / f"{name}-{width}-{scheme}.png", full_page=True)
        return found

    def _with_saved_scheme(self, background: dict[str, str]) -> list[str]:
        found = []
        for saved, system in (("dark", "light"), ("light", "dark")):
            self.page.evaluate("saved => localStorage.setItem('theme', saved)", saved)
            self.page.emulate_media(color_scheme="light" if system == "light" else "dark")
            self.page.reload()
            if self.page.evaluate(checks.BACKGROUND) != background[saved]:
                found.append(f"the saved choice “{saved}” is lost where the system is {system}")
        self.page.evaluate("localStorage.removeItem('theme')")
        return found

    def _remember_method(self, request: Request) -> None:
        if request.is_navigation_request():
            self._by_get = request.method == "GET"


@pytest.fixture
def inspection(screenshot_folder: Path | None) -> Iterator[Inspection]:
    """An inspection that notes which templates are rendered meanwhile."""
    inspection = Inspection(screenshot_folder)

    def note(template: Any, **_: Any) -> None:
        inspection.rendered.add(template.name)

    template_rendered.connect(note)
    yield inspection
    template_rendered.disconnect(note)


@pytest.fixture
def rich(alice: Any, bob: Any, open_account: Callable[..., Any], new_key: Callable[[], str], settings: Any) -> Any:
    """Alice with every kind of account and movement, with amounts and names as long as the bank takes them."""
    settings.DEPOSITS_PER_MINUTE = settings.TRANSFERS_PER_MINUTE = settings.WITHDRAWALS_PER_MINUTE = 1000
    household = open_account(alice, "4321.09", nickname="Household")
    longest = open_account(
        alice, "999999999998.99", kind=AccountKind.SAVINGS, nickname="Donaudampfschifffahrtskapitänswitwenkas"
    )
    frozen = open_account(alice, "12.00", nickname="Frozen")
    closed = open_account(alice, nickname="Closed")
    empty = open_account(alice, nickname="Empty")
    bobs = open_account(bob, "100.00")
    order = sending.transfer(
        actor=alice, source=household, target=bobs, amount=Decimal("1234.56"), idempotency_key=new_key(),
        description="Rechtsschutzversicherungsgesellschaften" * 3,
    )  # fmt: skip
    own = sending.transfer(
        actor=alice, source=household, target=longest, amount=Decimal("1.00"), idempotency_key=new_key()
    )
    sending.transfer(actor=bob, source=bobs, target=household, amount=Decimal("9.99"), idempotency_key=new_key())
    for number in range(26):
        paid_in = cash.deposit(
            actor=alice, account=household, amount=Decimal(number + 1), idempotency_key=new_key(), description="Coins"
        )
    BankAccount.objects.filter(pk=frozen.pk).update(status=AccountStatus.FROZEN)
    BankAccount.objects.filter(pk=closed.pk).update(status=AccountStatus.CLOSED)
    BankAccount.objects.filter(pk=household.pk).update(held=Decimal("50.00"))
    return SimpleNamespace(
        user=alice, household=household, longest=longest, frozen=frozen, closed=closed, empty=empty, bobs=bobs,
        orders={"payment": order, "own": own, "deposit": paid_in},
    )  # fmt: skip


def test_what_strangers_see(
    visitor: Callable[..., Page], inspection: Inspection, alice: Any, make_user: Any, settings: Any
) -> None:
    settings.DEMO = True
    page = visitor()
    at = inspection.of(page)
    at.visit("mailbox-empty", reverse("mailbox"))
    at.visit("sign-in-demo", reverse("sign_in"))
    give_password(page, alice, "not the password")
    at.look("sign-in-wrong")
    give_password(page, alice)
    at.look("code-demo")
    give_code(page, "000000")
    at.look("code-wrong")

    at.visit("register", reverse("register"))
    field(page, "E-mail").fill("someone@")
    page.get_by_role("button", name="Continue").click()
    at.look("register-errors")
    for label, text in (
        ("First name", "Nora"), ("E-mail", "nora@example.com"), ("Phone", "+44 20 5550100"), ("Address", "London"),
        ("Password", PASSWORD), ("Password again", PASSWORD),
    ):  # fmt: skip
        field(page, label).fill(text)
    page.get_by_role("button", name="Continue").click()
    at.look("register-sent")
    call_command("send_queued_mail")
    at.visit("mailbox", reverse("mailbox"))
    at.visit("mail", reverse("mail", args=[Email.objects.latest("id").pk]))
    page.get_by_role("main").get_by_role("link", name=re.compile("http")).click()
    at.look("register-confirm")
    at.visit("link-expired", reverse("register_confirm", args=["unknown"]))

    page.context.clear_cookies()
    newcomer = make_user("Newcomer", two_factor=False)
    settings.DEMO = False
    at.visit("sign-in", reverse("sign_in"))
    give_password(page, newcomer)
    at.look("enrol")
    page.get_by_text("I cannot scan it").click()
    settings.DEMO = True
    at.look("enrol-secret")
    give_code(page, "000000", button="Confirm")
    at.look("enrol-wrong-demo")
    code = page.get_by_role("complementary").locator(".code").inner_text()
    newcomer.totpdevice_set.update(throttling_failure_count=0, throttling_failure_timestamp=None)
    give_code(page, code, button="Confirm")
    at.look("recovery-codes")
    at.done(SEEN_BY["strangers"])


def test_what_the_forgetful_see(
    visitor: Callable[..., Page], inspection: Inspection, alice: Any, settings: Any
) -> None:
    settings.DEMO = True
    page = visitor()
    at = inspection.of(page)
    at.visit("password-forgot", reverse("password_forgot"))
    field(page, "E-mail").fill(alice.email)
    page.get_by_role("button", name="Send the link").click()
    at.look("password-forgot-sent")
    call_command("send_queued_mail")
    page.goto(reverse("mail", args=[Email.objects.latest("id").pk]))
    page.get_by_role("main").get_by_role("link", name=re.compile("http")).click()
    at.look("password-reset")
    page.get_by_role("button", name="Change password").click()
    at.look("password-reset-errors")
    at.done(SEEN_BY["the forgetful"])


def test_what_people_who_change_how_they_sign_in_see(
    signed_in: Callable[..., Page], inspection: Inspection, alice: Any, code_of: Callable[[Any], str], settings: Any
) -> None:
    page = signed_in(alice)
    at = inspection.of(page)
    at.visit("email-change", reverse("email_change"))
    page.get_by_role("button", name="Send the link").click()
    at.look("email-change-errors")
    token = mail_links.new_token()
    EmailChange.objects.create(
        user=alice,
        email=f"{'long' * 15}@{'address' * 8}.example.com",
        token_digest=mail_links.digest(token),
        expires_at=timezone.now() + timedelta(hours=1),
    )
    at.visit("email-change-confirm", reverse("email_change_confirm", args=[token]))
    settings.DEMO = True
    at.visit("authenticator-replace", reverse("authenticator_replace"))
    give_code(page, code_of(alice), button="Continue")
    at.look("authenticator-new")
    at.visit("recovery-codes-renew", reverse("recovery_codes_renew"))
    give_code(page, page.get_by_role("complementary").locator(".code").inner_text(), button="Make new codes")
    at.look("recovery-codes-new")
    at.done(SEEN_BY["people who change how they sign in"])


def test_what_customers_see(signed_in: Callable[..., Page], inspection: Inspection, rich: Any, settings: Any) -> None:
    page = signed_in(rich.user)
    at = inspection.of(page)
    at.visit("dashboard", reverse("dashboard"))
    page.locator("details.menu summary").click()
    at.look("dashboard-menu")
    for name in ("household", "longest", "frozen", "closed", "empty"):
        at.visit(f"account-{name}", reverse("account", args=[getattr(rich, name).public_id]))
    page.goto(reverse("account", args=[rich.household.public_id]))
    page.get_by_role("link", name="Older").click()
    at.look("account-older")
    at.visit("statements", reverse("statements", args=[rich.longest.public_id]))
    at.visit("history", history := reverse("history"))
    page.get_by_text("Filter", exact=True).click()
    at.look("history-open")
    narrow = {"account": rich.longest.public_id, "date_from": "2020-01-01", "min_amount": "0.5", "text": "W" * 140}
    at.visit("history-nothing", f"{history}?{urlencode(narrow)}")
    at.visit("history-filtered", f"{history}?{urlencode({'account': rich.household.public_id, 'type': 'transfer'})}")
    page.get_by_role("link", name="Transfer to Bob B.").click()
    at.look("entry")
    at.visit("entry-longest", reverse("entry", args=[rich.longest.public_id, 1]))
    at.visit("history-errors", f"{history}?date_from=2026-02-30&min_amount=NaN&type=heist")
    for name, order in rich.orders.items():
        at.visit(f"receipt-{name}", reverse("receipt", args=[order.public_id]))
    at.visit("close", reverse("account_close", args=[rich.empty.public_id]))
    at.visit("close-refused", reverse("account_close", args=[rich.household.public_id]))
    at.visit("deposit", reverse("deposit", args=[rich.household.public_id]))
    page.get_by_label("Amount").fill("NaN")
    page.get_by_role("button", name="Deposit").click()
    at.look("deposit-errors")
    at.visit("withdraw", reverse("withdraw", args=[rich.longest.public_id]))
    at.visit("move", reverse("transfer_own"))
    at.visit("send", reverse("transfer_send"))
    page.get_by_label("Account number").fill("1234")
    page.get_by_role("button", name="Review").click()
    at.look("send-errors")
    page.get_by_label("Account number").fill(rich.bobs.number_grouped)
    page.get_by_label("Amount").fill("1000.00")
    page.get_by_label("Description").fill("For the roof")
    page.get_by_role("button", name="Review").click()
    at.look("review")
    at.done(SEEN_BY["customers"])


def test_what_a_new_customer_sees(signed_in: Callable[..., Page], inspection: Inspection, charlie: Any) -> None:
    UserSession.objects.create(user=charlie, user_agent="x" * 200, ip="2001:db8:1234:5678:9abc:def0:1234:5678")
    AuditEntry.objects.create(action="LOGIN_FAILURE", actor_label="x", concerns_id=charlie.pk, ip="2001:db8::1")
    page = signed_in(charlie)
    at = inspection.of(page)
    at.visit("dashboard-empty", reverse("dashboard"))
    at.visit("history-empty", reverse("history"))
    at.visit("move-empty", reverse("transfer_own"))
    at.visit("send-empty", reverse("transfer_send"))
    at.visit("open", reverse("account_open"))
    page.get_by_label("Opening deposit").fill("1e3")
    page.get_by_role("button", name="Open account").click()
    at.look("open-errors")
    at.visit("password", reverse("password_change"))
    page.get_by_role("button", name="Change password").click()
    at.look("password-errors")
    at.visit("profile", reverse("profile"))
    at.visit("profile-details", reverse("profile_details"))
    page.get_by_role("button", name="Save").click()
    at.look("profile-details-errors")
    charlie.must_change_password = True
    charlie.save()
    at.visit("password-forced", reverse("dashboard"))
    page.get_by_label("Present password").fill(PASSWORD)
    field(page, "New password").fill("a longer one than before")
    page.get_by_label("New password again").fill("a longer one than before")
    page.get_by_role("button", name="Change password").click()
    at.look("dashboard-message")
    at.done(SEEN_BY["new customers"])


def test_what_the_unlucky_see(
    visitor: Callable[..., Page],
    signed_in: Callable[..., Page],
    inspection: Inspection,
    rich: Any,
    sam: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = signed_in(rich.user)
    at = inspection.of(page)
    at.visit("404", "/nowhere/")
    page.goto(reverse("deposit", args=[rich.household.public_id]))
    page.get_by_label("Amount").fill("5")
    page.context.clear_cookies(name="csrftoken")
    page.get_by_role("button", name="Deposit").click()
    expect(page.get_by_role("button", name="Send it again")).to_be_visible()
    at.look("csrf")
    settings.DEPOSITS_PER_MINUTE = 1
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One moment, please")
    at.look("429")
    with monkeypatch.context() as patch:
        patch.setattr("transfers.selectors.accounts_of", None)
        at.visit("500", reverse("dashboard"))

    at.of(signed_in(sam)).visit("403", reverse("dashboard"))

    page = visitor()
    at.of(page).visit("404-signed-out", "/nowhere/")
    page.goto(reverse("sign_in"))
    page.context.clear_cookies()
    give_password(page, rich.user, "wrong")
    expect(page.get_by_role("heading", level=1)).to_have_text("We could not accept that")
    at.look("csrf-password")
    settings.AXES_FAILURE_LIMIT = 1
    page.goto(reverse("sign_in"))
    give_password(page, rich.user, "wrong")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign-in is paused")
    at.look("locked-out")
    settings.ALLOWED_HOSTS = ["bank.example"]
    at.visit("400", "/")
    at.done(SEEN_BY["the unlucky"])


@pytest.mark.parametrize("person", ["sam", "audrey", "ada"])
def test_what_staff_see(
    person: str, signed_in: Callable[..., Page], inspection: Inspection, rich: Any, request: pytest.FixtureRequest
) -> None:
    """Django's own pages with the bank's name on them."""
    user = request.getfixturevalue(person)
    at = inspection.of(signed_in(user))
    at.visit(f"{person}-index", reverse("admin:index"))
    # The pages of lists and rows are the same for every role that may see them.
    seen = [
        (model, model_admin)
        for model, model_admin in admin.site._registry.items()
        if may(user, f"{model._meta.app_label}.view_{model._meta.model_name}")
    ]
    assert seen
    for model, model_admin in seen if person == "ada" else []:
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        at.visit(f"staff-{name}-list", rows := reverse(f"admin:{name}_changelist"))
        if model_admin.search_fields:
            at.visit(f"staff-{name}-none", f"{rows}?q=nothing+like+this")
        row = model._default_manager.order_by("-pk").first()
        assert row, f"there is no {name} to look at"
        at.visit(f"staff-{name}-row", reverse(f"admin:{name}_change", args=[row.pk]))
    at.done(set())


def test_no_page_is_forgotten() -> None:
    assert set().union(*SEEN_BY.values()) == page_templates()


def test_the_checks_see_what_they_look_for(chromium: Browser) -> None:
    """A page with every fault at once: a check that finds nothing on it would find nothing anywhere."""
    context = chromium.new_context(viewport={"width": PHONE, "height": HEIGHT})
    watch = checks.Watch(context, "http://bank.example")
    page = context.new_page()
    page.route("**/*", lambda route: route.fulfill(status=404))
    page.route("**/faulty", lambda route: route.fulfill(body=FAULTY, headers=FAULTY_HEADERS))
    page.goto("http://bank.example/faulty")

    found = checks.axe(page)
    for rule in ("image-alt", "html-has-lang", "color-contrast"):
        assert any(fault.startswith(f"axe {rule}:") for fault in found), rule

    layout = "\n".join(checks.layout(page))
    for text in ("'−€1 234.00' is wrapped", "px of content: div.broad", "the amount €5.00 is cut off"):
        assert text in layout
    assert "€6.00" not in layout

    heard = "\n".join(watch.faults())
    for text in (
        "CSP: script-src-elem forbids inline",
        "request to another host: https://elsewhere.example/spy.png",
        "exception: thrown",
        "said aloud",
        "404 (Not Found) http://bank.example/missing.css",
    ):
        assert text in heard
    context.close()
