"""A session in which its owner gives a code goes on under another key: a copy of the cookie opens nothing (V7.2.4)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import RecoveryCode
from accounts.sign_in import two_factor
from accounts.sign_in.sessions.engine import SessionStore
from tests.acts import copy_of, is_signed_in, wrong_code_for
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import REASON, fresh_code

pytestmark = pytest.mark.django_db


def recovery_code_of(user: Any) -> str:
    rows, codes = two_factor.new_recovery_codes(user)
    RecoveryCode.objects.bulk_create(rows)
    return codes[0]


def post(path: str, **form: str) -> Callable[[Client, str], Any]:
    return lambda browser, code: browser.post(path, form | {"code": code})


CODES: dict[str, Callable[[Client, str], Any]] = {
    "details": post("/profile/details/", phone="+49 30 5550777", address="Elsewhere 1"),
    "e-mail": post("/profile/email/", email="new@example.com", password=PASSWORD),
    "PIN": post("/profile/pin/", pin="271828", pin_again="271828"),
    "recovery codes": post("/profile/recovery-codes/"),
    "app": post("/profile/authenticator/"),
    "other sessions": post("/profile/sessions/end-others/"),
}


@proves("V7.2.4")
@pytest.mark.parametrize("name", CODES)
def test_each_code_given_on_the_profile_renews_the_key(name: str, alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    thief, key = copy_of(browser), browser.session.session_key
    assert CODES[name](browser, fresh_code(alice)).status_code == 302
    assert not SessionStore().exists(key)
    assert not is_signed_in(thief)
    assert is_signed_in(browser)


@proves("V7.2.4")
@pytest.mark.parametrize("name", CODES)
def test_a_wrong_one_does_not(name: str, alice: Any, browser_of: Any, code_of: Any) -> None:
    browser = browser_of(alice)
    key = browser.session.session_key
    CODES[name](browser, wrong_code_for(code_of(alice)))
    assert browser.session.session_key == key
    assert is_signed_in(browser)


@proves("V7.2.4")
def test_the_code_of_a_payment_renews_the_key(alice: Any, bob: Any, open_account: Any, browser_of: Any) -> None:
    # The other tab's forms stay: the token of forms is the same, and the cookie is everybody's.
    source, target = open_account(alice, "50.00"), open_account(bob)
    browser = browser_of(alice)
    form = {"source": str(source.public_id), "number": target.number, "name": "Bob Brandt", "amount": "5.00"}
    reviews = [browser.post("/transfer/send/", form)["Location"] for _ in range(2)]
    thief, key = copy_of(browser), browser.session.session_key
    challenge = browser.get(reviews[0]).context["form"].initial["challenge"]
    paid = browser.post(reviews[0], {"challenge": challenge, "code": fresh_code(alice)})
    assert paid["Location"].startswith("/receipts/")
    assert not SessionStore().exists(key)
    assert not is_signed_in(thief)
    assert browser.get(paid["Location"]).status_code == 200
    assert browser.get(reviews[1]).status_code == 200, "what another tab reviews is still there"


@proves("V7.2.4")
def test_the_code_of_a_refused_payment_renews_it_too(
    alice: Any, bob: Any, open_account: Any, browser_of: Any, settings: Any
) -> None:
    # It was given all the same.
    source, target = open_account(alice, "50.00"), open_account(bob)
    browser = browser_of(alice)
    form = {"source": str(source.public_id), "number": target.number, "name": "Bob Brandt", "amount": "5.00"}
    review = browser.post("/transfer/send/", form)["Location"]
    challenge, key = browser.get(review).context["form"].initial["challenge"], browser.session.session_key
    settings.DAILY_TRANSFER_LIMIT = 1
    refused = browser.post(review, {"challenge": challenge, "code": fresh_code(alice)})
    assert not refused["Location"].startswith("/receipts/")
    assert browser.session.session_key != key


@proves("V7.2.4")
def test_the_code_of_an_act_of_staff_renews_the_key(ada: Any, alice: Any, browser_of: Any) -> None:
    browser = browser_of(ada)
    thief = copy_of(browser)
    path = f"/admin/accounts/user/{alice.pk}/act/lock/"
    assert browser.post(path, {"reason": REASON, "code": fresh_code(ada)}).status_code == 302
    alice.refresh_from_db()
    assert alice.locked_at is not None
    assert not is_signed_in(thief)
    assert is_signed_in(browser)


@proves("V7.2.4")
def test_a_recovery_code_renews_the_key(alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    thief = copy_of(browser)
    assert CODES["details"](browser, recovery_code_of(alice)).status_code == 302
    assert not is_signed_in(thief)
    assert is_signed_in(browser)


def test_the_token_of_forms_stays(alice: Any, browser_of: Any) -> None:
    # Another tab's form is sent later, and is not refused.
    browser = browser_of(alice)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    page = strict.get("/profile/details/")
    token = page.context["csrf_token"]
    form = {"code": fresh_code(alice), "csrfmiddlewaretoken": str(token)}
    assert strict.post("/profile/recovery-codes/", form).status_code == 302
    later = {"phone": "+49 30 5550777", "address": "Elsewhere 1", "code": fresh_code(alice)}
    assert strict.post("/profile/details/", later | {"csrfmiddlewaretoken": str(token)}).status_code == 302
