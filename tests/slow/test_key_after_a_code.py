"""A second click on a payment with a code, while the first renews the session's key (R3.5, ASVS V7.2.4)."""

from functools import partial
from typing import Any

import pytest
from django.conf import settings as bank_settings

from tests.acts import at_once, copy_of, is_signed_in
from tests.asvs import proves
from tests.staff_acts import fresh_code
from transfers.models import TransferOrder

pytestmark = pytest.mark.django_db(transaction=True)


@proves("V7.2.4")
def test_clicks_at_once_pay_once_and_sign_nobody_out(alice: Any, bob: Any, open_account: Any, browser_of: Any) -> None:
    source, target = open_account(alice, "50.00"), open_account(bob)
    browser = browser_of(alice)
    form = {"source": str(source.public_id), "number": target.number, "name": "Bob Brandt", "amount": "5.00"}
    review = browser.post("/transfer/send/", form)["Location"]
    sent = {"challenge": browser.get(review).context["form"].initial["challenge"], "code": fresh_code(alice)}
    clicks = [copy_of(browser) for _ in range(4)]
    answers: list[Any] = at_once(*[partial(click.post, review, sent) for click in clicks])
    assert [answer.status_code for answer in answers] == [302] * 4
    led = {answer["Location"] for answer in answers}
    receipts = {path for path in led if path.startswith("/receipts/")}
    assert len(receipts) == 1
    # A click that came when the key was renewed already is sent to sign in, and from there back to the review.
    assert led - receipts <= {f"/sign-in/?next={review}"}
    given = [answer.cookies.get(bank_settings.SESSION_COOKIE_NAME) for answer in answers]
    keys = [cookie.value for cookie in given if cookie is not None]
    assert all(keys), "no answer takes the cookie away"
    browser.cookies[bank_settings.SESSION_COOKIE_NAME] = keys[0]
    assert is_signed_in(browser)
    assert browser.get(review)["Location"] in receipts
    assert TransferOrder.objects.filter(kind="payment").count() == 1
