"""A customer on a telephone: numbers come from a PDF, codes from a chat, amounts from a keyboard with a comma."""

import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import BankAccount, RecoveryCode, TotpDevice
from accounts.sign_in import two_factor
from tests import acts
from tests.acts import PASSWORD, give_code, give_password, is_signed_in
from tests.api_client import ApiClient, told
from tests.staff_acts import fresh_code
from tests.tables import in_one_world
from transfers.models import TransferOrder

pytestmark = pytest.mark.django_db

# How a code of six digits arrives: as the app shows it, with characters from a chat, from a telephone in Arabic.
DRESSED: dict[str, Callable[[str], str]] = {
    "plain": str,
    "as the app shows it": lambda code: f"{code[:3]} {code[3:]}",
    "NBSP": lambda code: f"{code[:3]}\u00a0{code[3:]}",
    "thin space": lambda code: f"{code[:3]}\u2009{code[3:]}",
    "LRM": lambda code: f"\u200e{code}\u200e",
    "zero-width": lambda code: f"{code[:3]}\u200b{code[3:]}",
    "en dash": lambda code: f"{code[:3]}–{code[3:]}",
    "full width": lambda code: code.translate({48 + digit: 0xFF10 + digit for digit in range(10)}),
    "Arabic digits": lambda code: code.translate({48 + digit: 0x660 + digit for digit in range(10)}),
}
BAD = "A code has digits and letters only."


@pytest.fixture
def household(alice: Any, open_account: Callable) -> BankAccount:
    return open_account(alice, "20000.00", nickname="Household")


@pytest.fixture
def bobs(bob: Any, open_account: Callable) -> BankAccount:
    return open_account(bob)


@pytest.fixture
def recovery_codes(alice: Any) -> list[str]:
    rows, codes = two_factor.new_recovery_codes(alice)
    RecoveryCode.objects.filter(user=alice).delete()
    RecoveryCode.objects.bulk_create(rows)
    return codes


@in_one_world("dress", DRESSED)
def test_every_spelling_of_a_code_signs_in_on_pages_and_by_program(dress: str, alice: Any) -> None:
    """R1.2, F8, F9: one spelling rule for codes."""
    browser = Client()
    give_password(browser, alice.email)
    give_code(browser, DRESSED[dress](fresh_code(alice)))
    assert is_signed_in(browser)
    body = {"email": alice.email, "password": PASSWORD, "code": DRESSED[dress](fresh_code(alice))}
    assert ApiClient().post("auth/login", body).status_code == 200


@in_one_world("mark", ["-", "–", "\u2011", "\u00a0", "\u200b", "", "−", " \u200e"])
def test_every_spelling_of_a_recovery_code_signs_in(mark: str, alice: Any, recovery_codes: list[str]) -> None:
    """F9: it is copied from a file, by a person who has lost their telephone."""
    by_page, by_program = (code.lower().replace("-", mark) for code in recovery_codes[:2])
    browser = Client()
    give_password(browser, alice.email)
    give_code(browser, by_page)
    assert is_signed_in(browser)
    body = {"email": alice.email, "password": PASSWORD, "code": by_program}
    assert ApiClient().post("auth/login", body).status_code == 200


@in_one_world("dress", DRESSED)
def test_every_spelling_of_a_code_confirms_a_payment(
    dress: str, alice: Any, household: BankAccount, bobs: BankAccount, api_of: Callable, browser_of: Callable
) -> None:
    """R3.6, F8: the step-up code takes what sign-in takes."""
    browser, program = browser_of(alice), api_of(alice)
    form = {"source": household.public_id, "number": bobs.number, "name": "Bob Brandt", "amount": "12,50"}
    review = browser.post("/transfer/send/", form)["Location"]
    challenge = browser.get(review).context["form"]["challenge"].value()
    answer = browser.post(review, {"challenge": challenge, "code": DRESSED[dress](fresh_code(alice))})
    assert answer.status_code == 302
    assert TransferOrder.objects.get(target=bobs).amount == Decimal("12.50")

    path, key = f"accounts/{household.number}/transfer", str(uuid.uuid4())
    body = {"to": bobs.number, "amount": "2000.00"}
    challenge = program.post(path, body, Idempotency_Key=key).json()["challenge"]["id"]
    code = DRESSED[dress](fresh_code(alice))
    answer = program.post(path, body | {"challenge": challenge, "code": code}, Idempotency_Key=key)
    assert answer.status_code == 201, answer.content


@in_one_world("dress", DRESSED)
def test_every_spelling_of_a_code_vouches_for_a_change(dress: str, alice: Any, browser_of: Callable) -> None:
    """R1.8: a fresh code on the profile."""
    answer = browser_of(alice).post(reverse("recovery_codes_renew"), {"code": DRESSED[dress](fresh_code(alice))})
    assert answer.status_code == 302, answer.context["form"].errors


@in_one_world("dress", DRESSED)
def test_every_spelling_of_a_code_turns_two_factor_on(dress: str, alice: Any) -> None:
    """R1.3: the first code."""
    TotpDevice.objects.filter(user=alice).delete()
    RecoveryCode.objects.filter(user=alice).delete()
    browser = Client()
    give_password(browser, alice.email)
    browser.get(reverse("two_factor_enrol"))
    give = DRESSED[dress](fresh_code(alice))
    assert browser.post(reverse("two_factor_enrol"), {"code": give}).status_code == 302
    assert TotpDevice.objects.get(user=alice).confirmed


@in_one_world("dress", DRESSED)
def test_every_spelling_of_the_customers_code_counts_at_the_counter(
    dress: str, alice: Any, sam: Any, household: BankAccount, browser_of: Callable
) -> None:
    """R3.2: the clerk types what the customer reads out, or pastes it."""
    act = reverse("admin:accounts_bankaccount_act", args=[household.pk, "withdraw"])
    key = browser_of(sam).get(act).context["form"].initial["key"]
    form = {"key": key, "amount": "123,50", "customer_code": DRESSED[dress](fresh_code(alice))}
    answer = browser_of(sam).post(act, form)
    assert answer.status_code == 302, answer.context["form"].errors
    household.refresh_from_db()
    assert household.balance == Decimal("20000.00") - Decimal("123.50")


@in_one_world("code", ["12.34.56", "АBCD-EFGH-JKMN", "👍", "--", "1234567890" * 5])
def test_anything_except_a_code_is_refused_in_words_and_is_not_a_guess(
    code: str, alice: Any, household: BankAccount, bobs: BankAccount, api_of: Callable, browser_of: Callable
) -> None:
    """R1.4, F8: words instead of a regular expression, and nothing is counted."""
    browser = Client()
    give_password(browser, alice.email)
    form = give_code(browser, code).context["form"]
    assert form.errors["code"] in ([BAD], ["Ensure this value has at most 40 characters (it has 50)."])
    body = {"to": bobs.number, "amount": "5.00", "challenge": str(uuid.uuid4()), "code": code}
    answer = api_of(alice).post(f"accounts/{household.number}/transfer", body, Idempotency_Key=str(uuid.uuid4()))
    assert told(answer) == (422, "invalid")
    assert answer.json()["errors"] == [{"field": "code", "code": "invalid_code", "message": BAD}]
    give_code(browser, fresh_code(alice))
    assert is_signed_in(browser)


def test_a_recovery_code_is_told_apart_for_a_payment(
    alice: Any, household: BankAccount, bobs: BankAccount, api_of: Callable, recovery_codes: list[str]
) -> None:
    """R3.6: no payment with a recovery code, and it is not used up."""
    body = {"to": bobs.number, "amount": "5.00", "challenge": str(uuid.uuid4()), "code": recovery_codes[0]}
    answer = api_of(alice).post(f"accounts/{household.number}/transfer", body, Idempotency_Key=str(uuid.uuid4()))
    assert told(answer) == (422, "invalid")
    assert [error["message"] for error in answer.json()["errors"]] == ["Send the six digits of the authenticator app."]
    assert RecoveryCode.objects.filter(user=alice, used_at__isnull=True).count() == 10


@in_one_world(
    ("number", "amount", "moved"),
    [
        ("\u200e{0} {1} {2}", "12,50", "12.50"),
        ("{0}\u00a0{1}\u00a0{2}", "1234,5", "1234.50"),
        ("{0}–{1}–{2}", "1\u202f234,56", "1234.56"),
        ("{0}\u200b{1}\u200b{2}", "1.234,56", "1234.56"),
        ("{0}−{1}−{2}", "\u200e€\u00a01,234.50\u200e", "1234.50"),
    ],
)
def test_what_was_copied_from_an_invoice_is_paid(
    number: str, amount: str, moved: str, alice: Any, household: BankAccount, bobs: BankAccount, browser_of: Callable
) -> None:
    """R3.2: the number with its spaces, the amount as copied; the review shows both before anything moves."""
    acts.know(alice, bobs)
    browser, digits = browser_of(alice), str(bobs.number)
    written = number.format(digits[:4], digits[4:8], digits[8:])
    answer = browser.post("/transfer/send/", {"source": household.public_id, "number": written, "amount": amount})
    assert answer.status_code == 302, answer.context["form"].errors
    assert f"€{Decimal(moved):,}" in browser.get(answer["Location"]).content.decode()


def test_an_amount_that_could_be_another_is_asked_back_and_kept(
    alice: Any, household: BankAccount, bobs: BankAccount, browser_of: Callable, settings: Any
) -> None:
    """R3.2: nothing moves, both readings are offered, and the typed text is still there."""
    browser = browser_of(alice)
    for currency, typed, said in (
        ("EUR", "3.333", "Write at most two decimals. If you mean a whole amount, write 3,333."),
        ("BHD", "1,234", "This can be read as 1,234.000 or as 1.234."),
    ):
        settings.CURRENCY = currency
        form = {"source": household.public_id, "number": bobs.number, "name": "Bob Brandt", "amount": typed}
        page = browser.post("/transfer/send/", form)
        assert said in page.context["form"].errors["amount"][0]
        assert f'value="{typed}"' in page.content.decode()
    assert not TransferOrder.objects.filter(target=bobs).exists()


def test_the_initial_value_of_a_field_is_accepted_unchanged(
    alice: Any, household: BankAccount, bobs: BankAccount, browser_of: Callable, settings: Any
) -> None:
    """R10.3: going back from the review, on a page in another language and in a bank with three decimals."""
    browser = browser_of(alice)
    for language, currency, typed in (("de", "EUR", "1.234,5"), ("fr", "BHD", "1,234"), ("en-gb", "BHD", "1.234")):
        settings.LANGUAGE_CODE, settings.CURRENCY = language, currency
        form = {"source": household.public_id, "number": bobs.number, "name": "Bob Brandt", "amount": typed}
        review = browser.post("/transfer/send/", form)["Location"]
        page = browser.get("/transfer/send/", {"draft": review.rstrip("/").rpartition("/")[2]})
        begun = page.context["form"]["amount"].value()
        assert browser.post("/transfer/send/", form | {"amount": begun}).status_code == 302, (language, begun)
        page = browser.get("/history/", {"min_amount": typed})
        assert page.context["form"].errors == {}
        [chip] = page.context["chips"]
        assert browser.get(page.context["form"].filters.url("/history/")).context["form"].errors == {}, chip
