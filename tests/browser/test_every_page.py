"""Every page of the site, checked as a browser shows it: in light and in dark, wide and narrow (R10.1–R10.3).

`SCREENSHOTS=<folder> pytest tests/browser/test_every_page.py` keeps a picture of each page for people to look at.
"""

import json
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
from django.db import OperationalError
from django.test.signals import template_rendered
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from post_office.models import Email

from accounts import people
from accounts.models import (
    AccountKind,
    AccountStatus,
    BankAccount,
    EmailChange,
    EnrolmentLink,
    PasswordReset,
    User,
    UserSession,
)
from accounts.people import on_request
from accounts.roles import Role, may
from audit.models import AuditEntry
from audit.sealing import seal
from foundation import mail_links
from support import tickets
from support.models import RequestKind
from support.requests import services as requests
from tests import acts
from tests.browser import checks
from tests.browser.steps import field, give_code, give_password
from tests.plugin import PASSWORD
from tests.staff_acts import an_origin, approved, fresh_code, set_status
from transfers.accounts import freezing
from transfers.models import Entry, Payee, SavingsInterest, TransferOrder
from transfers.orders import cash, holds, reversals

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
WIDE, TABLET, PHONE, NARROWEST = 1280, 768, 390, 320
HEIGHT = 900
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")

# Which test sees which page template; the last test says if none does.
SEEN_BY = {
    "programmers": {"api_docs.html"},
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
        "accounts/pin.html",
        "accounts/link_for_another.html",
        "accounts/pin_remove.html",
        "accounts/recovery_codes.html",
        "accounts/recovery_codes_renew.html",
        "accounts/session_end.html",
        "accounts/two_factor_enrol.html",
    },
    "developers": {
        "component_page.html",
    },
    "customers": {
        "transfers/account.html",
        "transfers/dashboard.html",
        "transfers/deposit.html",
        "transfers/entry.html",
        "transfers/history.html",
        "transfers/money_over_time.html",
        "transfers/order_cancel.html",
        "transfers/overview.html",
        "transfers/receipt.html",
        "transfers/statements.html",
        "transfers/withdraw.html",
        "transfers/cash_review.html",
    },
    "customers who set up their accounts": {
        "transfers/account_close.html",
        "transfers/account_freeze.html",
        "transfers/account_settings.html",
        "transfers/deposit.html",
        "transfers/withdraw.html",
    },
    "customers who send money": {
        "transfers/daily_limit.html",
        "transfers/payee.html",
        "transfers/payee_remove.html",
        "transfers/payees.html",
        "transfers/transfer_form.html",
        "transfers/transfer_review.html",
    },
    "new customers": {
        "accounts/password_change.html",
        "accounts/profile.html",
        "accounts/profile_details.html",
        "transfers/account_open.html",
        "transfers/dashboard.html",
        "transfers/history.html",
        "transfers/money_over_time.html",
        "transfers/payees.html",
        "transfers/transfer_form.html",
    },
    "customers who ask for help": {
        "support/help.html",
        "support/request.html",
        "support/request_choose.html",
        "support/request_new.html",
        "support/requests.html",
        "support/ticket.html",
        "support/ticket_open.html",
        "support/tickets.html",
    },
    "whom an administrator's act concerns": {
        "accounts/sign_in.html",
        "accounts/stop_act.html",
    },
    "people who lost their phone": {
        "accounts/check_your_email.html",
        "accounts/enrolment_link.html",
        "accounts/enrolment_link_needed.html",
        "accounts/sign_in_code.html",
        "support/lost_factor.html",
        "support/lost_factor_confirm.html",
    },
    "the unlucky": {
        "400.html",
        "403.html",
        "404.html",
        "500.html",
        "503.html",
        "accounts/locked_out.html",
        "accounts/too_many_codes.html",
        "csrf_failure.html",
        "too_many.html",
        "turned_away.html",
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
<form><button style="width: 9px; height: 9px"></button><button style="width: 9px; height: 9px"></button></form>
<form aria-label="Choices"><fieldset><input type="radio" name="colour"><input type="radio" name="colour">
<input type="checkbox" name="alone"></fieldset></form>
<div style="overflow: hidden; width: 9em"><b class="money" style="position: relative; left: 2000px">€5.00</b></div>
</main>
<script>console.log("never")</script>
<script nonce="good">console.error("said aloud"); throw new Error("thrown")</script></body></html>"""


def page_templates() -> set[str]:
    """Return every template that is a page, not a part of one, a frame or a mail."""
    names = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")}
    return {name for name in names if not re.match("(components(_shown)?|emails|admin)/|base", name)}


class Inspection:
    """Looks at one page after the other and keeps what is wrong with them."""

    def __init__(self, folder: Path | None) -> None:
        self.rendered: set[str] = set()
        self._folder = folder
        self._faults: list[str] = []

    def of(self, page: Page) -> "Inspection":
        """Continue with this page. Each document that it loads has a saved colour scheme, which differs from the
        system's."""
        self.page = page
        page.add_init_script(checks.SAVE_OTHER_SCHEME)
        return self

    def visit(self, name: str, url: str) -> None:
        self.page.goto(url)
        self.look(name)

    def look(self, name: str) -> None:
        """Check the page in its present state: first as it was loaded, then without a saved scheme in both of the
        system's.

        Colours move nothing and change no word: the layout and axe's other rules are checked in one scheme.
        """
        page = self.page
        page.wait_for_load_state("load")
        found = checks.names(page)
        loaded, background = page.evaluate(checks.BACKGROUND), dict[str, str]()
        system, saved = page.evaluate(checks.FORGET_SAVED_SCHEME)
        for scheme in reversed(SCHEMES) if system == "light" else SCHEMES:  # only a change tells the page
            page.emulate_media(color_scheme=scheme)
            rules = [] if scheme == "light" else checks.RULES_OF_COLOUR
            found += [f"{scheme}: {fault}" for fault in checks.axe(page, rules=rules)]
            background[scheme] = page.evaluate(checks.BACKGROUND)
            found += self._at_all_widths(name, scheme)
        if background["light"] == background["dark"]:
            found.append(f"its background is {background['light']} in both schemes")
        if saved and loaded != background[saved]:
            found.append(f"the saved choice “{saved}” is lost where the system is {system}")
        self._faults += [f"{name}: {fault}" for fault in found]

    def done(self, templates: set[str]) -> None:
        assert not self._faults, "\n".join(["", *self._faults])
        assert templates <= self.rendered

    def _at_all_widths(self, name: str, scheme: str) -> list[str]:
        found: list[str] = []
        if scheme != "light" and not self._folder:
            return found
        for width in (NARROWEST, PHONE, TABLET, WIDE):  # ends at the width that axe uses
            self.page.set_viewport_size({"width": width, "height": HEIGHT})
            if scheme == "light":
                found += [f"{width} px: {fault}" for fault in checks.layout(self.page)]
            if scheme == "light" and width == PHONE:
                found += [f"{width} px: {fault}" for fault in checks.axe(self.page, rules=checks.RULES_OF_SIZE)]
            if self._folder:
                self.page.screenshot(path=self._folder / f"{name}-{width}-{scheme}.png", full_page=True)
        return found


@pytest.fixture
def inspection(screenshot_folder: Path | None) -> Iterator[Inspection]:
    """An inspection that notes which templates are rendered meanwhile."""
    inspection = Inspection(screenshot_folder)

    def note(template: Any, **_: Any) -> None:
        inspection.rendered.add(template.name)

    template_rendered.connect(note)
    yield inspection
    template_rendered.disconnect(note)


def rich_payee(customer: Any, owner: Any, open_account: Callable[..., Any], label: str) -> Payee:
    now = timezone.now()
    return Payee.objects.create(
        customer=customer, account=open_account(owner), label=label, first_paid_at=now, last_paid_at=now
    )


@pytest.fixture
def rich(
    alice: Any,
    bob: Any,
    sam: Any,
    ada: Any,
    open_account: Callable[..., Any],
    new_key: Callable[[], str],
    settings: Any,
) -> Any:
    """Return Alice with every kind of account and movement, with amounts and names as long as the bank takes them."""
    settings.DEPOSITS_PER_MINUTE = settings.TRANSFERS_PER_MINUTE = settings.WITHDRAWALS_PER_MINUTE = 1000
    household = open_account(alice, "4321.09", nickname="Household")
    longest = open_account(
        alice, "999999999998.99", kind=AccountKind.SAVINGS, nickname="Donaudampfschifffahrtskapitänswitwenkas"
    )
    frozen = open_account(alice, "12.00", nickname="Frozen")
    closed = open_account(alice, nickname="Closed")
    empty = open_account(alice, nickname="Empty")
    bobs = open_account(bob, "100.00")
    order = acts.transfer(
        actor=alice, source=household, target=bobs, amount=Decimal("1234.56"), idempotency_key=new_key(),
        description="Rechtsschutzversicherungsgesellschaften" * 3,
    )  # fmt: skip
    own = acts.transfer(
        actor=alice, source=household, target=longest, amount=Decimal("1.00"), idempotency_key=new_key()
    )
    undone = acts.transfer(actor=bob, source=bobs, target=household, amount=Decimal("9.99"), idempotency_key=new_key())
    reversals.reverse_transaction(actor=ada, transaction=undone.transaction, reason="A mistake.")
    rejected, held = (
        acts.transfer(actor=alice, source=longest, target=bobs, amount=Decimal(amount), idempotency_key=new_key())
        for amount in ("10000.01", "12345.67")
    )
    holds.reject_order(actor=sam, order=rejected, reason="Rechtsschutzversicherungsgesellschaft. " * 7)
    for number in range(26):
        paid_in = cash.deposit(
            actor=alice, account=household, amount=Decimal(number + 1), idempotency_key=new_key(), description="Coins"
        )
    brought = cash.deposit_at_counter(
        actor=sam, account=household, amount=Decimal("1000.01"), idempotency_key=new_key(), description="Coins"
    )
    payees = [rich_payee(alice, bob, open_account, label) for label in ("Landlord", "W" * 60, "Zoë", "Mum and Dad")]
    unconfirmed = {"label": "", "typed_name": "Zoë von Zimmermann-Undsoweiter", "name_check": "no_match"}
    Payee.objects.filter(label="Zoë").update(**unconfirmed)
    BankAccount.objects.filter(pk=payees[2].account_id).update(status=AccountStatus.CLOSED)
    set_status(frozen, AccountStatus.FROZEN)
    freezing.freeze_own_account(actor=alice, account=frozen, reason="Rechtsschutzversicherungsgesellschaft. " * 7)
    BankAccount.objects.filter(pk=closed.pk).update(status=AccountStatus.CLOSED)
    BankAccount.objects.filter(pk=household.pk).update(held=Decimal("50.00"))
    return SimpleNamespace(
        user=alice, household=household, longest=longest, frozen=frozen, closed=closed, empty=empty, bobs=bobs,
        payee=payees[0],
        orders={
            "payment": order, "own": own, "deposit": paid_in, "held": held, "rejected": rejected, "brought": brought,
            "reversed": undone,
        },
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


def test_what_programmers_see(visitor: Callable[..., Page], inspection: Inspection, api_of: Any, alice: Any) -> None:
    """R7: the API's document, drawn by Swagger under the same policy as every page, and a request made from it."""
    page = visitor()
    at = inspection.of(page)
    page.goto(reverse("api_docs"))
    expect(page.get_by_text("/api/v1/auth/sessions", exact=True)).to_be_visible()
    at.look("api")
    page.get_by_role("button", name="Authorize", exact=True).click()
    page.get_by_label("Value").fill(api_of(alice).tokens.access_token)
    page.locator(".modal-ux .auth-btn-wrapper .authorize").click()
    page.locator(".modal-ux .btn-done").click()
    page.get_by_role("button", name="GET /api/v1/auth/sessions", exact=False).first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    at.look("api-tried")
    at.done(SEEN_BY["programmers"])


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
    reset = PasswordReset(user=alice).issue(lasts=timedelta(hours=1))
    at.visit("link-for-another", reverse("password_reset", args=[reset]))
    at.visit("sessions-end-others", reverse("sessions_end_others"))
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    at.look("sessions-end-others-errors")
    settings.DEMO = True
    other = UserSession.objects.create(
        user=alice, user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
    )
    at.visit("session-end", reverse("session_end", args=[other.public_id]))
    at.visit("profile-sessions", reverse("profile"))
    at.visit("authenticator-replace", reverse("authenticator_replace"))
    give_code(page, code_of(alice), button="Continue")
    at.look("authenticator-new")
    at.visit("recovery-codes-renew", reverse("recovery_codes_renew"))
    give_code(page, page.get_by_role("complementary").locator(".code").inner_text(), button="Make new codes")
    at.look("recovery-codes-new")
    at.visit("pin", reverse("pin"))
    page.get_by_role("button", name="Set PIN").click()
    at.look("pin-errors")
    User.objects.filter(pk=alice.pk).update(pin_hash="a hash")
    at.visit("pin-change", reverse("pin"))
    at.visit("pin-remove", reverse("pin_remove"))
    User.objects.filter(pk=alice.pk).update(pin_locked_at=timezone.now())
    at.visit("pin-locked", reverse("pin"))
    at.visit("profile-pin-locked", reverse("profile"))
    at.done(SEEN_BY["people who change how they sign in"])


def look_at_cash(page: Page, at: Any, rich: Any) -> None:
    """Check the forms and reviews of a deposit and a withdrawal."""
    at.visit("deposit", reverse("deposit", args=[rich.household.public_id]))
    page.get_by_label("Amount").fill("NaN")
    page.get_by_role("button", name="Continue").click()
    at.look("deposit-errors")
    page.get_by_label("Amount").fill("1234.00")
    page.get_by_role("button", name="Continue").click()
    at.look("deposit-confirm")
    at.visit("withdraw", reverse("withdraw", args=[rich.longest.public_id]))
    page.get_by_label("Amount").fill("11000.00")
    page.get_by_label("Description").fill("For the roof")
    page.get_by_role("button", name="Continue").click()
    at.look("withdraw-confirm")


def look_at_history(at: Any, page: Page, rich: Any) -> None:
    at.visit("history", history := reverse("history"))
    page.get_by_text("Filter", exact=True).click()
    at.look("history-open")
    narrow = {"account": rich.longest.public_id, "date_from": "2020-01-01", "min_amount": "0.5", "text": "W" * 140}
    at.visit("history-nothing", f"{history}?{urlencode(narrow)}")
    at.visit("history-filtered", f"{history}?{urlencode({'account': rich.household.public_id, 'type': 'transfer'})}")
    page.get_by_role("link", name="Transfer to Bob Brandt").click()
    at.look("entry")
    at.visit("entry-longest", reverse("entry", args=[rich.longest.public_id, 1]))
    reversal = Entry.objects.get(account=rich.household, transaction__kind="reversal")
    at.visit("entry-reversal", reverse("entry", args=[rich.household.public_id, reversal.sequence]))
    page.get_by_role("link", name="See that movement").click()
    at.look("entry-reversed")
    at.visit("history-errors", f"{history}?date_from=2026-02-30&min_amount=NaN&type=heist")


def test_what_customers_see(signed_in: Callable[..., Page], inspection: Inspection, rich: Any, settings: Any) -> None:
    page = signed_in(rich.user)
    at = inspection.of(page)
    at.visit("dashboard", reverse("dashboard"))
    page.locator("details.menu summary").click()
    at.look("dashboard-menu")
    settings.SAVINGS_RATE = "0.0125"
    yesterday = timezone.localdate() - timedelta(days=1)
    SavingsInterest.objects.create(account=rich.longest, accrued_through=yesterday, accrued=Decimal("1234567890.12"))
    for name in ("household", "longest", "frozen", "closed", "empty"):
        at.visit(f"account-{name}", reverse("account", args=[getattr(rich, name).public_id]))
    page.goto(reverse("account", args=[rich.household.public_id]))
    page.get_by_role("link", name="Older").click()
    at.look("account-older")
    at.visit("statements", reverse("statements", args=[rich.longest.public_id]))
    look_at_pictures(at, rich)
    look_at_history(at, page, rich)
    for name, order in rich.orders.items():
        at.visit(f"receipt-{name}", reverse("receipt", args=[order.public_id]))
    at.visit("order-cancel", reverse("order_cancel", args=[rich.orders["held"].public_id]))
    page.get_by_role("button", name="Cancel transfer").click()
    at.look("receipt-cancelled")
    look_at_cash(page, at, rich)
    User.objects.filter(pk=rich.user.pk).update(hardened_at=timezone.now())
    at.visit("withdraw-waits", reverse("withdraw", args=[rich.longest.public_id]))
    at.done(SEEN_BY["customers"])


def test_what_customers_who_send_money_see(signed_in: Callable[..., Page], inspection: Inspection, rich: Any) -> None:
    page = signed_in(rich.user)
    at = inspection.of(page)
    at.visit("move", reverse("transfer_own"))
    at.visit("move-again", f"{reverse('transfer_own')}?again={rich.orders['own'].public_id}")
    at.visit("payees", reverse("payees"))
    at.visit("payee", url := reverse("payee", args=[rich.payee.public_id]))
    field(page, "Name").fill("\u202eunprintable")
    page.get_by_role("button", name="Save").click()
    at.look("payee-errors")
    at.visit("payee-remove", f"{url}remove/")
    at.visit("send-again", f"{reverse('transfer_send')}?again={rich.orders['payment'].public_id}")
    at.visit("send-payee", f"{reverse('transfer_send')}?payee={rich.payee.public_id}")
    look_at_reviews(at, rich)
    at.visit("daily-limit", reverse("daily_limit"))
    page.get_by_label("New daily limit").fill("25000")
    page.get_by_role("button", name="Lower the limit").click()
    at.look("daily-limit-errors")
    page.get_by_label("New daily limit").fill("0")
    page.get_by_role("button", name="Lower the limit").click()
    at.look("daily-limit-nothing")
    at.done(SEEN_BY["customers who send money"])


def look_at_reviews(at: Inspection, rich: Any) -> None:
    """Go from the form to the review: to a payee, and to a new one with a wrong, a nearly right and no name."""
    page = at.page
    at.visit("send", reverse("transfer_send"))
    page.get_by_label("Account number").fill("1234")
    page.get_by_role("button", name="Review").click()
    at.look("send-errors")
    page.get_by_label("Account number").fill(rich.bobs.number_grouped)
    page.get_by_label("Amount").fill("1000.00")
    page.get_by_label("Description").fill("For the roof")
    page.get_by_role("button", name="Review").click()
    at.look("review")
    page.get_by_role("link", name="Edit").first.click()
    page.get_by_label("Name of the person").fill("Carla Cole-Undsoweiter")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_label("Send all the same")).to_be_visible()
    at.look("review-known-by-another-name")
    Payee.objects.all().delete()
    page.goto(reverse("transfer_send"))
    page.get_by_label("Account number").fill(rich.bobs.number_grouped)
    page.get_by_label("Amount").fill("3000.00")
    page.get_by_role("button", name="Review").click()
    at.look("send-without-name")
    page.get_by_label("Name of the person").fill("Carla Cole-Undsoweiter")
    page.get_by_role("button", name="Review").click()
    at.look("review-no-match")
    page.get_by_role("link", name="Edit").first.click()
    page.get_by_label("Name of the person").fill("Bob Brant")
    page.get_by_role("button", name="Review").click()
    at.look("review-by-code")
    page.get_by_label("Code from your authenticator app").fill("12")
    page.get_by_role("button", name="Send").click()
    at.look("review-wrong-code")


def look_at_pictures(at: Inspection, rich: Any) -> None:
    at.visit("pictures", reverse("pictures"))
    for summary in at.page.get_by_text("Show as table").all():
        summary.click()
    at.look("pictures-tables")
    for name in ("household", "longest", "empty"):
        at.visit(f"pictures-{name}", f"{reverse('pictures')}?account={getattr(rich, name).public_id}")


def test_what_customers_see_who_set_up_their_accounts(
    signed_in: Callable[..., Page], inspection: Inspection, rich: Any
) -> None:
    page = signed_in(rich.user)
    at = inspection.of(page)
    for name in ("household", "longest", "frozen", "closed", "empty"):
        at.visit(f"settings-{name}", reverse("account_settings", args=[getattr(rich, name).public_id]))
    page.get_by_label("Name", exact=True).fill("x" * 20 + "\u202e")
    page.get_by_role("button", name="Save").click()
    at.look("settings-errors")
    for name in ("household", "frozen", "closed"):
        at.visit(f"freeze-{name}", reverse("account_freeze", args=[getattr(rich, name).public_id]))
    at.visit("freeze", reverse("account_freeze", args=[rich.household.public_id]))
    page.get_by_label("What happened?").fill("x" * 20 + "\u202e")
    page.get_by_role("button", name="Freeze account").click()
    at.look("freeze-errors")
    at.visit("close", reverse("account_close", args=[rich.empty.public_id]))
    BankAccount.objects.filter(pk=rich.empty.pk).update(kind=AccountKind.SAVINGS)
    SavingsInterest.objects.create(
        account=rich.empty, accrued_through=timezone.localdate(), accrued=Decimal("12345.67")
    )
    at.visit("close-interest", reverse("account_close", args=[rich.empty.public_id]))
    at.visit("close-refused", reverse("account_close", args=[rich.household.public_id]))
    at.visit("deposit-frozen", reverse("deposit", args=[rich.frozen.public_id]))
    at.visit("withdraw-closed", reverse("withdraw", args=[rich.closed.public_id]))
    at.done(SEEN_BY["customers who set up their accounts"])


def test_what_a_new_customer_sees(signed_in: Callable[..., Page], inspection: Inspection, charlie: Any) -> None:
    UserSession.objects.create(user=charlie, user_agent="x" * 200, ip="2001:db8:1234:5678:9abc:def0:1234:5678")
    AuditEntry.objects.create(action="LOGIN_FAILURE", actor_label="x", concerns_id=charlie.pk, ip="2001:db8::1")
    page = signed_in(charlie)
    at = inspection.of(page)
    at.visit("dashboard-empty", reverse("dashboard"))
    at.visit("history-empty", reverse("history"))
    at.visit("pictures-none", reverse("pictures"))
    at.visit("move-empty", reverse("transfer_own"))
    at.visit("send-empty", reverse("transfer_send"))
    at.visit("payees-empty", reverse("payees"))
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
    page.get_by_label("Current password").fill(PASSWORD)
    field(page, "New password").fill("a longer one than before")
    page.get_by_label("New password again").fill("a longer one than before")
    page.get_by_role("button", name="Change password").click()
    at.look("dashboard-message")
    at.done(SEEN_BY["new customers"])


@pytest.fixture
def asked(rich: Any, sam: Any, settings: Any, make_user: Callable[..., Any]) -> Any:
    """Return Alice's tickets and requests in every state, with texts as long as the bank takes them, and acts about her
    that wait for a second administrator."""
    settings.REQUESTS_PER_HOUR = settings.TICKETS_PER_HOUR = 1000
    alice = rich.user
    ticket = tickets.open_ticket(
        actor=alice, subject="W" * 120, text="Rechtsschutzversicherung" * 20 + "\n\nReally?", idempotency_key="1",
        reference=rich.orders["payment"].transaction.reference,
    )  # fmt: skip
    tickets.answer_ticket(actor=sam, public_id=ticket.public_id, text="Yes.\n" + "https://" + "x" * 300)
    done = tickets.open_ticket(actor=alice, subject="A new card", text="Mine is broken.", idempotency_key="2")
    tickets.answer_ticket(actor=sam, public_id=done.public_id, text="It is in the post.")
    tickets.resolve_ticket(actor=sam, public_id=done.public_id)
    for number in range(20):
        tickets.open_ticket(actor=alice, subject=f"Question {number}", text="Hm?", idempotency_key=f"more-{number}")
    identity = {"first_name": "M" * 100, "last_name": "W" * 100, "address": "Lindenallee 4\nBerlin"}
    asked = {
        "pending": requests.file_request(
            actor=alice, kind=RequestKind.UPDATE_IDENTITY, payload=identity, reason="W" * 500
        ),
        "completed": requests.file_request(actor=alice, kind=RequestKind.FREEZE_ACCOUNT, account=rich.empty),
        "rejected": requests.file_request(
            actor=alice, kind=RequestKind.RAISE_DAILY_LIMIT, payload={"amount": "249999.99"}, reason="A car"
        ),
        "cancelled": requests.file_request(actor=alice, kind=RequestKind.CLOSE_ACCOUNT, account=rich.empty),
    }
    requests.approve_request(actor=sam, public_id=asked["completed"].public_id, reason="Called you back")
    requests.reject_request(actor=sam, public_id=asked["rejected"].public_id, reason="Not " + "now" * 90)
    requests.cancel_request(actor=alice, public_id=asked["cancelled"].public_id)
    another_address(make_user("Archibald", Role.ADMIN, last_name="W" * 60), alice, reason="W" * 300)
    return SimpleNamespace(ticket=ticket, done=done, requests=asked)


def another_address(actor: Any, user: Any, *, reason: str = "She has called from home.") -> None:
    """Let an administrator ask for another address for a person: a second one has to agree, or a day to pass."""
    row = User.objects.get(pk=user.pk)
    details = {name: getattr(row, name) for name in ("first_name", "last_name", "phone", "is_active")}
    people.edit_user(
        actor=actor, user=row, email="a.new.address@elsewhere.example", reason=reason, code=fresh_code(actor),
        seen=people.version_of(row), origin=an_origin(), **details,
    )  # fmt: skip


def test_what_customers_who_ask_for_help_see(
    signed_in: Callable[..., Page], inspection: Inspection, rich: Any, asked: Any, charlie: Any
) -> None:
    at = inspection.of(signed_in(charlie))
    at.visit("help-empty", reverse("help"))
    at.visit("tickets-empty", reverse("tickets"))
    at.visit("requests-empty", reverse("service_requests"))
    at.visit("request-nothing-fits", f"{reverse('request_new')}?kind=freeze_account")
    page = signed_in(rich.user)
    at.of(page)
    at.visit("help", reverse("help"))
    at.visit("tickets", reverse("tickets"))
    page.get_by_role("link", name="Older").click()
    at.look("tickets-older")
    at.visit("ticket", reverse("ticket", args=[asked.ticket.public_id]))
    at.visit("ticket-resolved", reverse("ticket", args=[asked.done.public_id]))
    page.get_by_role("button", name="Send reply").click()
    at.look("ticket-errors")
    at.visit("ticket-open", f"{reverse('ticket_open')}?payment=K7QP-9XDM-2FRT")
    page.get_by_role("button", name="Send", exact=True).click()
    at.look("ticket-open-errors")
    at.visit("requests", reverse("service_requests"))
    for state, row in asked.requests.items():
        at.visit(f"request-{state}", reverse("service_request", args=[row.public_id]))
    at.visit("profile-name-waits", reverse("profile"))
    at.visit("profile-details-name-waits", reverse("profile_details"))
    at.visit("request-choose", new := reverse("request_new"))
    for kind in ("freeze_account", "raise_daily_limit", "update_identity", "reset_pin"):
        at.visit(f"request-{kind}", f"{new}?kind={kind}")
    at.visit("request-limit", f"{new}?kind=raise_daily_limit")
    page.get_by_role("button", name="Send request").click()
    at.look("request-errors")
    page = at.page
    page.goto(reverse("request_new") + f"?kind=close_account&account={rich.household.public_id}")
    page.get_by_role("button", name="Send request").click()
    at.look("request-close-refused")
    at.done(SEEN_BY["customers who ask for help"])


def test_what_whom_an_administrators_act_concerns_sees(
    visitor: Callable[..., Page], inspection: Inspection, alice: Any, ada: Any, link_to: Callable[[str], str]
) -> None:
    another_address(ada, alice)
    at = inspection.of(page := visitor())
    at.visit("stop-act", link_to(alice.email))
    page.get_by_role("button", name="Stop it").click()
    expect(page.get_by_text("Stopped: nothing was changed.")).to_be_visible()
    at.look("stop-act-done")
    at.done(SEEN_BY["whom an administrator's act concerns"])


def test_what_people_who_lost_their_phone_see(
    visitor: Callable[..., Page], inspection: Inspection, alice: Any, sam: Any, link_to: Callable[[str], str]
) -> None:
    page = visitor()
    at = inspection.of(page)
    page.goto(reverse("sign_in"))
    give_password(page, alice)
    at.look("code-lost")
    page.get_by_role("link", name="I have lost my phone and my recovery codes").click()
    at.look("lost-factor")
    page.get_by_role("button", name="Send the link").click()
    at.look("lost-factor-sent")
    at.visit("lost-factor-confirm", link_to(alice.email))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("We have your request.")).to_be_visible()
    authority = approved("reset_two_factor", alice)
    on_request.reset_two_factor(actor=sam, user=alice, reason="Proved who she is", authority=authority)
    link = link_to(alice.email)
    give_password(page, alice)
    at.look("enrolment-link-needed")
    page.get_by_role("button", name="Send another link").click()
    at.look("enrolment-link-sent-again")
    EnrolmentLink.objects.all().delete()  # as after a reset that is older than links are
    at.visit("enrolment-link-unsent", reverse("enrolment_link_needed"))
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("We have sent you the link.")).to_be_visible()
    at.visit("enrolment-link-replaced", link)
    at.visit("enrolment-link", link_to(alice.email))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up two-factor sign-in")
    at.done(SEEN_BY["people who lost their phone"])


def see_faults_of_ours(at: Inspection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Show our own faults: a mistake in the program, and a database that is away."""

    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("connection failed")

    for name, overview in (("500", None), ("503", away)):
        with monkeypatch.context() as patch:
            patch.setattr("transfers.history.overview_of", overview)
            at.visit(name, reverse("dashboard"))


def test_what_the_unlucky_see(
    visitor: Callable[..., Page],
    signed_in: Callable[..., Page],
    inspection: Inspection,
    rich: Any,
    sam: Any,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = inspection.of(page := signed_in(rich.user))
    at.visit("404", "/nowhere/")
    page.goto(reverse("deposit", args=[rich.household.public_id]))
    page.get_by_label("Amount").fill("5")
    page.get_by_role("button", name="Continue").click()
    page.context.clear_cookies(name="csrftoken")
    page.get_by_role("button", name="Deposit €5.00").click()
    expect(page.get_by_role("button", name="Send it again")).to_be_visible()
    at.look("csrf")
    settings.DEPOSITS_PER_MINUTE = 1
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("One moment, please")
    at.look("429")
    see_faults_of_ours(at, monkeypatch)

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
    page = signed_in(rich.user)
    at.of(page)
    page.goto(reverse("recovery_codes_renew"))
    page.locator("[name=code]").fill("000000")
    page.locator("main form button[type=submit]").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Too many wrong codes or passwords")
    at.look("too-many-codes")
    read, settings.DATA_UPLOAD_MAX_MEMORY_SIZE = settings.DATA_UPLOAD_MAX_MEMORY_SIZE, -1
    at.visit("turned-away", "/")
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = read
    settings.ALLOWED_HOSTS = ["bank.example"]
    at.visit("400", "/")
    at.done(SEEN_BY["the unlucky"])


def test_what_developers_see(visitor: Callable[..., Page], inspection: Inspection, settings: Any) -> None:
    settings.DEBUG = True
    page = visitor()
    at = inspection.of(page)
    at.visit("components", reverse("components"))
    page.locator("main details.menu summary").click()
    at.look("components-menu")
    at.done(SEEN_BY["developers"])


@pytest.mark.parametrize("person", ["sam", "audrey", "ada"])
def test_what_staff_see(
    person: str,
    signed_in: Callable[..., Page],
    inspection: Inspection,
    asked: Any,
    request: pytest.FixtureRequest,
) -> None:
    """Django's own pages with the bank's name on them."""
    user = request.getfixturevalue(person)
    seal()
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


def test_what_staff_see_who_act(
    signed_in: Callable[..., Page], inspection: Inspection, asked: Any, bob: Any, ada: Any, sam: Any
) -> None:
    """The page of each act, on a row that it is offered on, and its answer to an empty form."""
    User.objects.filter(pk=bob.pk).update(locked_at=timezone.now())
    tickets.note_on_ticket(actor=sam, public_id=asked.ticket.public_id, text="Called twice.\n" + "W" * 200)
    page = signed_in(ada)
    at = inspection.of(page)
    at.visit("act-conversation", reverse("admin:support_ticket_change", args=[asked.ticket.pk]))
    at.visit("act-asked-for", reverse("admin:support_servicerequest_change", args=[asked.requests["pending"].pk]))
    at.visit("act-person", reverse("admin:accounts_user_change", args=[asked.ticket.customer.pk]))
    at.visit("act-held", reverse("admin:transfers_transferorder_change", args=[rich_order(asked).pk]))
    for model, model_admin in admin.site._registry.items():
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        for act in getattr(model_admin, "acts", ()):
            row = next(row for row in model._default_manager.order_by("-pk") if act.is_offered(row))
            at.visit(f"act-{name}-{act.name}", reverse(f"admin:{name}_act", args=[row.pk, act.name]))
            if act.form.base_fields:
                page.get_by_role("main").locator("form [type=submit]").click()
                expect(page.locator("[data-error-summary]")).to_be_focused()
                at.look(f"act-{name}-{act.name}-errors")
    look_at_a_late_freeze(at, asked, ada)
    at.done(set())


def look_at_a_late_freeze(at: Inspection, asked: Any, ada: Any) -> None:
    """Show an approval that is refused since the account was frozen once more."""
    account = BankAccount.objects.get(pk=asked.requests["completed"].account_id)
    filed = requests.file_request(
        actor=asked.ticket.customer, kind=RequestKind.UNFREEZE_ACCOUNT, account=account, reason="I found it again"
    )
    at.visit("act-unfreeze-asked", reverse("admin:support_servicerequest_act", args=[filed.pk, "approve"]))
    freezing.freeze_account(actor=ada, account=account, reason="Account takeover reported by phone")
    at.page.get_by_label("Reason").fill("Called her back")
    at.page.get_by_role("main").locator("form [type=submit]").click()
    expect(at.page.get_by_text("Account takeover reported by phone")).to_be_visible()
    at.look("act-frozen-since")


def rich_order(asked: Any) -> Any:
    return TransferOrder.objects.get(state="held", source__owner=asked.ticket.customer)


def test_no_page_is_forgotten() -> None:
    assert set().union(*SEEN_BY.values()) == page_templates()


def test_axe_is_the_version_that_is_pinned(repository: Path) -> None:
    """A newer lock file without `make browser` would look with the old rules."""
    lock = json.loads((repository / "tests/browser/package-lock.json").read_text(encoding="utf-8"))
    pinned = lock["packages"]["node_modules/axe-core"]["version"]
    assert checks.axe_script().startswith(f"/*! axe v{pinned}\n")


def test_the_checks_see_what_they_look_for(chromium: Browser) -> None:
    """A page with every fault at once: a check that finds nothing on it would find nothing anywhere."""
    context = chromium.new_context(viewport={"width": PHONE, "height": HEIGHT})
    watch = checks.Watch(context, "http://bank.example")
    page = context.new_page()
    page.route("**/*", lambda route: route.fulfill(status=404))
    page.route("**/faulty", lambda route: route.fulfill(body=FAULTY, headers=FAULTY_HEADERS))
    page.goto("http://bank.example/faulty")

    found = checks.axe(page)
    for rule in ("image-alt", "html-has-lang", "color-contrast", "target-size"):
        assert any(fault.startswith(f"axe {rule}:") for fault in found), rule
    assert {fault.partition(":")[0] for fault in checks.axe(page, rules=checks.RULES_OF_SIZE)} == {"axe target-size"}

    names = checks.names(page)
    assert [fault.partition(":")[0] for fault in names] == ["no name"] + ["no fieldset with a legend"] * 2
    assert not any("alone" in fault for fault in names)

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
