"""A day at the bank: from a stranger to a customer who has sent money, in one sitting (R1.1, R1.3, R2.1, R3)."""

import base64
import io
import re
from collections.abc import Callable
from decimal import Decimal
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs, urlsplit

import zxingcpp
from django.core.management import call_command
from django.utils import timezone
from django_otp.oath import totp
from PIL import Image
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.steps import field
from tests.mail_server import PostBox

EMAIL = "nora@example.com"
PASSWORD = "seven grey herons at dusk"
FULL_NUMBER = re.compile(r"\d{12}|\d{4}[ -]\d{4}[ -]\d{4}")


def test_a_day_at_the_bank(
    visitor: Callable[..., Page], post_box: PostBox, bob: Any, open_account: Callable[..., Any]
) -> None:
    bobs_account = open_account(bob, "10.00")
    page = visitor()

    register(page)
    page.goto(confirmation_link(post_box))
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    key, recovery_codes = enrol(page)

    page.get_by_role("link", name="I have saved them, continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to Alder Bank")
    open_an_account(page, kind="Checking", name="Household", deposit="1500.00")
    number = account_number(page)
    open_an_account(page, kind="Savings", name="Holidays", deposit="250.50")
    deposit(page, to="Household", amount="99.50", description="Coins from the jar")
    send(page, to=bobs_account.number_grouped, amount="400.25", description="Rent – Zoë’s room", key=key)

    both_are_told(post_box, bob, numbers=[number, bobs_account.number])
    the_figures_are_right(page)
    sign_out_and_look_back(page)
    sign_in_with(page, recovery_codes[0])
    the_figures_are_right(page)

    bobs_account.refresh_from_db()
    assert bobs_account.balance == Decimal("410.25")
    call_command("verify_ledger")


def register(page: Page) -> None:
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Open an account").click()
    page.get_by_label("First name").fill("Nóra-Björk")
    page.get_by_label("Last name").fill("O’Ñandú Šimůnek")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Phone").fill("+36 1 555 0199")
    page.get_by_label("Address").fill("Fő utca 7\nBudapest")
    field(page, "Password").fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check your e-mail")
    expect(page.get_by_text(EMAIL)).to_be_visible()
    assert not User.objects.filter(email=EMAIL).exists(), "a user before the address was confirmed"


def confirmation_link(post_box: PostBox) -> str:
    call_command("send_queued_mail")
    (mail,) = post_box.to(EMAIL)
    found = re.search(r"http\S+/register/confirm/\S+", text_of(mail))
    assert found, "the mail has no link"
    return found.group()


def enrol(page: Page) -> tuple[bytes, list[str]]:
    """Scan the picture as a phone would, type the code, keep the key and the recovery codes."""
    expect(page.get_by_role("heading", level=1)).to_have_text("Set up two-factor sign-in")
    picture = Image.open(io.BytesIO(page.get_by_alt_text("QR code").screenshot()))
    (code,) = zxingcpp.read_barcodes(picture)
    uri = urlsplit(code.text)
    secret = parse_qs(uri.query)["secret"][0]
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    page.get_by_text("I cannot scan it").click()
    expect(page.locator("#secret")).to_have_text(" ".join(re.findall("....", secret)))

    key = base64.b32decode(secret)
    page.get_by_label("Code from the app").fill(f"{totp(key, t0=0, step=30, digits=6):06d}")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Your recovery codes")
    expect(page.get_by_role("link")).to_have_count(2)  # to the content, and on: they are shown this once
    codes = page.locator("#codes li").all_inner_texts()
    assert len(set(codes)) == 10
    return key, codes


def open_an_account(page: Page, *, kind: str, name: str, deposit: str) -> None:
    page.locator(".menu summary").click()
    page.locator(".menu").get_by_role("link", name="Open account").click()
    page.get_by_label(kind).check()
    field(page, "Name").fill(name)
    page.get_by_label("Opening deposit").fill(deposit)
    page.get_by_role("button", name="Open account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def account_number(page: Page) -> str:
    """Return the full number, which only the account's own page shows."""
    text = page.locator("#number").inner_text()
    assert FULL_NUMBER.fullmatch(text)
    return text.replace(" ", "")


def deposit(page: Page, *, to: str, amount: str, description: str) -> None:
    overview(page)
    page.get_by_role("main").get_by_role("link", name=to).click()
    page.locator(".hero").get_by_role("link", name="Deposit").click()
    page.get_by_label("Amount").fill(amount)
    page.get_by_label("Description").fill(description)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check and confirm")
    expect(page.get_by_role("main")).to_contain_text("simulated cash")
    page.get_by_role("button", name="Deposit €99.50").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Deposit")
    expect(page.get_by_role("main")).to_contain_text("€99.50")
    expect(page.get_by_role("main")).to_contain_text(description)


def send(page: Page, *, to: str, amount: str, description: str, key: bytes) -> None:
    overview(page)
    page.get_by_role("main").get_by_role("link", name="Send money").click()
    page.get_by_label("Account number").fill(to)
    page.get_by_label("Name of the person or business").fill("Bob Brandt")
    page.get_by_label("Amount").fill(amount)
    page.get_by_label("Description").fill(description)
    page.get_by_role("button", name="Review").click()

    review = page.get_by_role("main")
    expect(review.get_by_role("heading", level=1)).to_have_text("Check and confirm")
    expect(review).to_contain_text("Bob Brandt")
    expect(review).to_contain_text("The name matches.")
    expect(review).not_to_contain_text(FULL_NUMBER)
    expect(review).to_contain_text("€1,199.25")  # what will be left
    expect(review).to_contain_text("A first transfer to an account needs a code.")
    # The next code: the one of this half minute may be used up.
    review.get_by_label("Code from your authenticator app").fill(f"{totp(key, step=30, digits=6, drift=1):06d}")
    review.get_by_role("button", name="Send €400.25").click()

    receipt = page.get_by_role("main")
    expect(page).to_have_url(re.compile("/receipts/"))
    for text in ("€400.25", "Bob Brandt", "Household", description, "Reference"):
        expect(receipt).to_contain_text(text)
    expect(receipt).not_to_contain_text(FULL_NUMBER)
    expect(receipt.get_by_role("button", name="Print")).to_be_visible()


def both_are_told(post_box: PostBox, bob: Any, *, numbers: list[str]) -> None:
    call_command("send_queued_mail")
    sent, received = post_box.to(EMAIL)[-1], post_box.to(bob.email)[-1]
    assert sent["Subject"] == "You sent €400.25"
    assert received["Subject"] == "You received €400.25"
    assert re.search(r"to Bob\s+Brandt \(", text_of(sent)), text_of(sent)
    assert re.search(r"N\S+ O\S+ .*sent you €400.25", text_of(received)), text_of(received)
    for mail in [*post_box.to(EMAIL), *post_box.to(bob.email)]:
        for form in ("plain", "html"):
            text = text_of(mail, form)
            assert not FULL_NUMBER.search(text), f"a full account number in “{mail['Subject']}”"
            assert not any(number in text for number in numbers)
    for mail in (sent, received):
        assert all(f"•••• {number[-4:]}" in text_of(mail) for number in numbers), text_of(mail)


def the_figures_are_right(page: Page) -> None:
    overview(page)
    main = page.get_by_role("main")
    expect(main).to_contain_text("€1,449.75")  # the total
    household = main.get_by_role("article", name="Household")
    expect(household.locator(".account-balance")).to_have_text("€1,199.25")
    expect(household.get_by_role("listitem").first).to_contain_text("−€400.25")
    expect(main.get_by_role("article", name="Holidays").locator(".account-balance")).to_have_text("€250.50")
    expect(main).not_to_contain_text(FULL_NUMBER)

    household.get_by_role("link", name="Household").click()
    rows = page.get_by_role("table", name="Movements").get_by_role("row")
    for row, amount, balance in (
        (1, "−€400.25", "€1,199.25"),
        (2, "+€99.50", "€1,599.50"),
        (3, "+€1,500.00", "€1,500.00"),
    ):
        expect(rows.nth(row).get_by_role("cell").nth(2)).to_contain_text(amount)
        expect(rows.nth(row).get_by_role("cell").nth(3)).to_contain_text(balance)
    expect(rows).to_have_count(4)


def sign_out_and_look_back(page: Page) -> None:
    """Sign out; the next person at the computer presses Back."""
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    for _ in range(2):
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        assert not re.search("€|Household|Nóra", page.content())


def sign_in_with(page: Page, code: str) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    page.locator("[name=code]").fill(code)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hello, Nóra-Björk")
    user = User.objects.get(email=EMAIL)
    assert user.recovery_codes.filter(used_at__isnull=False, used_at__lte=timezone.now()).count() == 1


def overview(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Overview").click()


def text_of(mail: EmailMessage, form: str = "plain") -> str:
    part = mail.get_body((form,))
    assert part is not None
    return str(part.get_content())
