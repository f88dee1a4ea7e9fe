"""Two tabs of one browser, and two people who share it: a form counts for the person it was shown to (R1.1, R8.2)."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as bank_settings
from django.test import Client

from accounts.models import EnrolmentLink, PasswordReset, Registration, User
from audit.models import AuditEntry
from foundation.models import RateWindow
from tests.acts import NEWCOMER, copy_of, give_code, give_password, is_signed_in, link_for, register, wrong_code_for
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.staff_acts import fresh_code
from transfers.models import TransferOrder

pytestmark = pytest.mark.django_db

VISITORS_PAGES = {
    "/sign-in/": {"email": "alice@example.com", "password": PASSWORD},
    "/sign-in/code/": {"code": "123456"},
    "/register/": NEWCOMER,
    "/password/forgot/": {"email": "alice@example.com"},
    "/two-factor/enrol/": {"code": "123456"},
    "/two-factor/link/": {},
    "/sign-in/lost-phone/": {},
}


def hidden_in(page: Any) -> dict[str, str]:
    """Return the hidden fields of the form in the page's middle, as a browser sends them."""
    form = page.content.decode().split("<main", 1)[1]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))


@pytest.mark.parametrize("path", VISITORS_PAGES)
def test_who_is_signed_in_is_sent_home_from_a_page_for_visitors(path: str, alice: Any, browser_of: Any) -> None:
    # S2: opened, or sent, in another tab.
    browser = browser_of(alice)
    before = AuditEntry.objects.count()
    for answer in (browser.get(path), browser.post(path, VISITORS_PAGES[path])):
        assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_signed_in(browser)
    assert AuditEntry.objects.count() == before
    assert not Registration.objects.exists()
    assert not PasswordReset.objects.exists()


@pytest.mark.parametrize("path", ["/sign-in/", "/register/", "/password/forgot/"])
def test_a_form_shown_before_signing_in_elsewhere_sends_one_home_and_not_to_an_error(path: str, alice: Any) -> None:
    # S2: signing in gives forms another token, so the other tab's was answered 403.
    browser = Client(enforce_csrf_checks=True)
    other_tab = hidden_in(browser.get(path))
    form = hidden_in(browser.get("/sign-in/"))
    browser.post("/sign-in/", {"email": alice.email, "password": PASSWORD} | form)
    browser.post("/sign-in/code/", {"code": fresh_code(alice)} | hidden_in(browser.get("/sign-in/code/")))
    assert is_signed_in(browser)
    answer = browser.post(path, VISITORS_PAGES[path] | other_tab, headers={"Origin": "http://testserver"})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_signed_in(browser)
    acts = ["REGISTER_REQUESTED", "PASSWORD_RESET_REQUESTED", "ACCESS_REFUSED"]
    assert not AuditEntry.objects.filter(action__in=acts).exists()


def test_a_visitor_without_the_token_is_still_refused() -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.post("/sign-in/", {"email": "alice@example.com", "password": PASSWORD}).status_code == 403


def test_signing_in_where_one_is_signed_in_goes_on_to_the_page_asked_for(alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    assert browser.get("/sign-in/?next=/history/")["Location"] == "/history/"
    assert browser.get("/sign-in/?next=https://evil.example/")["Location"] == "/"


def test_a_link_to_set_two_factor_up_is_not_opened_by_who_is_signed_in(alice: Any, bob: Any, browser_of: Any) -> None:
    path = f"/two-factor/link/{EnrolmentLink(user=bob).issue(lasts=timedelta(hours=1))}/"
    browser = browser_of(alice)
    assert browser.get(path).status_code == browser.post(path).status_code == 409
    assert Client().post(path)["Location"] == "/sign-in/"


@pytest.mark.parametrize("kind", ["register", "reset"])
def test_a_link_of_another_person_is_not_followed_by_who_is_signed_in(
    kind: str, alice: Any, bob: Any, browser_of: Any
) -> None:
    # Bob follows his link in the browser in which Alice is signed in.
    if kind == "register":
        register(Client())
        link, form = link_for(NEWCOMER["email"]), {"password": PASSWORD}
    else:
        Client().post("/password/forgot/", {"email": bob.email})
        new = "a sentence that nobody has said"
        link, form = link_for(bob.email), {"new_password1": new, "new_password2": new}
    browser = browser_of(alice)
    assert browser.get(link).status_code == browser.post(link, form).status_code == 409
    assert "Sign out, then follow it again" in browser.get(link).content.decode()
    assert is_signed_in(browser)
    assert User.objects.count() == 2
    assert User.objects.get(pk=bob.pk).check_password(PASSWORD)
    assert Client().post(link, form).status_code == 302, "elsewhere it still works"


def test_a_code_is_not_counted_for_the_person_who_began_to_sign_in_later(alice: Any, bob: Any) -> None:
    # S2: Alice's page asks for her code; in another tab Bob gives his password; then she types hers.
    browser = Client()
    give_password(browser, alice.email)
    alices = hidden_in(browser.get("/sign-in/code/"))
    give_password(browser, bob.email)
    for code in (fresh_code(alice), wrong_code_for(fresh_code(bob))):
        answer = browser.post("/sign-in/code/", {"code": code} | alices)
        assert (answer.status_code, answer["Location"]) == (302, "/sign-in/code/")
    page = browser.get("/sign-in/code/").content.decode()
    assert "Someone else has signed in here since we showed that form. Nothing was sent." in page
    assert bob.email in page
    assert not AuditEntry.objects.filter(action="LOGIN_FAILURE").exists()
    assert not [row for row in RateWindow.objects.filter(key__startswith="guess:") if row.stamps]
    assert not is_signed_in(browser)
    bobs = hidden_in(browser.get("/sign-in/code/"))
    assert browser.post("/sign-in/code/", {"code": fresh_code(bob)} | bobs).status_code == 302
    assert is_signed_in(browser)


def test_the_same_person_in_two_tabs_uses_either(alice: Any) -> None:
    browser = Client()
    give_password(browser, alice.email)
    first_tab = hidden_in(browser.get("/sign-in/code/"))
    give_password(browser, alice.email)
    assert browser.post("/sign-in/code/", {"code": fresh_code(alice)} | first_tab).status_code == 302
    assert is_signed_in(browser)


@proves("V3.5.1")
def test_a_payment_is_not_made_by_who_signed_in_later(
    alice: Any, bob: Any, open_account: Any, browser_of: Any, settings: Any
) -> None:
    # S2: Alice reviews a payment; in another tab she signs out and Bob signs in; then she confirms.
    mine, his = open_account(alice, "50.00"), open_account(bob, "70.00")
    browser = Client()
    give_password(browser, alice.email)
    give_code(browser, fresh_code(alice))
    form = {"source": str(mine.public_id), "number": his.number, "name": "Bob Brandt", "amount": "5.00"}
    review = browser.post("/transfer/send/", form | hidden_in(browser.get("/transfer/send/")))["Location"]
    shown = hidden_in(browser.get(review))
    browser.post("/sign-out/")
    give_password(browser, bob.email)
    give_code(browser, fresh_code(bob))
    assert is_signed_in(browser)
    for path, sent in ((review, {"code": fresh_code(bob)} | shown), ("/transfer/send/", form | shown)):
        answer = browser.post(path, sent)
        assert (answer.status_code, answer["Location"]) == (302, "/")
    assert "Nothing was sent." in browser.get("/profile/").content.decode()
    assert not TransferOrder.objects.filter(kind="payment").exists()
    assert not AuditEntry.objects.filter(action="CODE_REFUSED").exists()


def test_a_form_of_another_is_not_offered_to_be_sent_again(alice: Any, bob: Any) -> None:
    browser = Client(enforce_csrf_checks=True)

    def sign_in(user: Any) -> None:
        form = hidden_in(browser.get("/sign-in/"))
        browser.post("/sign-in/", {"email": user.email, "password": PASSWORD} | form)
        browser.post("/sign-in/code/", {"code": fresh_code(user)} | hidden_in(browser.get("/sign-in/code/")))

    sign_in(alice)
    alices = {"subject": "Alice's", "text": "Only for the bank"} | hidden_in(browser.get("/help/messages/new/"))
    token = browser.cookies[bank_settings.CSRF_COOKIE_NAME].value
    browser.post("/sign-out/", {"csrfmiddlewaretoken": token})
    sign_in(bob)
    answer = browser.post("/help/messages/new/", alices, headers={"Origin": "http://testserver"})
    assert answer.status_code == 403
    assert "Only for the bank" not in answer.content.decode()
    assert "Send it again" not in answer.content.decode()


@proves("V7.2.4")
def test_a_request_under_a_former_key_leaves_the_browser_its_new_cookie(alice: Any, browser_of: Any) -> None:
    # A second click, or another tab, while the key is renewed: its answer must sign nobody out.
    browser = browser_of(alice)
    late = copy_of(browser)
    browser.post("/profile/sessions/end-others/", {"code": fresh_code(alice)})
    answer = late.get("/profile/")
    assert answer["Location"] == "/sign-in/?next=/profile/"
    assert bank_settings.SESSION_COOKIE_NAME not in answer.cookies
    assert browser.get(answer["Location"])["Location"] == "/profile/"
    browser.post("/sign-out/")
    assert not browser.cookies[bank_settings.SESSION_COOKIE_NAME].value, "signing out takes it away"
