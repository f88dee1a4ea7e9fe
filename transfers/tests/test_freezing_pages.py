"""A customer freezes their own account, and reads who has frozen it (R2.5)."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import AccountFreeze, BankAccount
from tests.acts import mails
from tests.asvs import proves
from tests.staff_acts import REASON
from transfers.accounts.freezing import freeze_account, freeze_own_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(alice: Any, browser_of: Callable) -> Any:
    return browser_of(alice)


def url_of(account: BankAccount, page: str = "account") -> str:
    return reverse(page, args=[account.public_id])


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_two_clicks_from_the_account_and_nobody_else_has_to_act(browser: Any, alice: Any, everyday: Any) -> None:
    page = browser.get(url_of(everyday)).content.decode()
    assert "Suspicious activity? Freeze this account" in page
    assert url_of(everyday, "account_freeze") in page
    assert b"Freeze this account?" in browser.get(url_of(everyday, "account_freeze")).content
    answer = browser.post(
        url_of(everyday, "account_freeze"), {"reason": "I see a payment that is not mine"}, follow=True
    )
    assert f"Your account {everyday.display_name} is frozen." in text_of(answer)
    assert "You froze it on" in text_of(answer)
    assert "Ask us to lift it" in text_of(answer)
    assert BankAccount.objects.get(pk=everyday.pk).status == "frozen"
    assert AccountFreeze.objects.get().reason == "I see a payment that is not mine"
    assert mails(alice.email)[-1].subject == "You have frozen your account"


def test_the_settings_lead_there_too(browser: Any, everyday: Any) -> None:
    page = browser.get(url_of(everyday, "account_settings")).content.decode()
    assert "Suspicious activity?</h2>" in page
    assert "Ask us to freeze it" not in page
    assert f'href="{url_of(everyday, "account_freeze")}"' in page


def test_what_we_cannot_read_is_said_at_the_field_and_nothing_is_frozen(browser: Any, everyday: Any) -> None:
    for reason in ("x" * 301, "\u202eevil"):
        answer = browser.post(url_of(everyday, "account_freeze"), {"reason": reason})
        assert "reason" in answer.context["form"].errors
    assert BankAccount.objects.get(pk=everyday.pk).status == "active"


def test_a_second_click_is_told_that_it_is_frozen(browser: Any, alice: Any, everyday: Any) -> None:
    freeze_own_account(actor=alice, account=everyday)
    assert "You froze it on" in text_of(browser.get(url_of(everyday, "account_freeze")))
    answer = browser.post(url_of(everyday, "account_freeze"), {}, follow=True)
    assert "This account is frozen already." in text_of(answer)
    assert AccountFreeze.objects.count() == 1


def test_the_customer_reads_who_froze_it_and_not_why_the_bank_did(
    browser: Any, alice: Any, ada: Any, everyday: Any
) -> None:
    freeze_account(actor=ada, account=everyday, reason=REASON)
    page = text_of(browser.get(url_of(everyday)))
    assert "The bank froze it on" in page
    assert "You froze it" not in page
    freeze_own_account(actor=alice, account=everyday)
    page = text_of(browser.get(url_of(everyday)))
    assert "The bank froze it on" in page
    assert "You froze it on" in page
    assert REASON not in page
    assert ada.get_full_name() not in page


def test_an_account_that_is_not_hers_is_not_there(browser_of: Callable, charlie: Any, everyday: Any) -> None:
    for ask in (browser_of(charlie).get, browser_of(charlie).post):
        assert ask(url_of(everyday, "account_freeze")).status_code == 404
    assert not AccountFreeze.objects.exists()


@proves("V8.2.1")
def test_a_request_to_freeze_freezes_at_once_too(browser: Any, everyday: Any) -> None:
    """It ended in "Waiting" on commit 11100bd, and the money moved until a clerk came."""
    browser.post(
        f"{reverse('request_new')}?kind=freeze_account",
        {"account_id": str(everyday.public_id), "reason": "x" * 400},
    )
    assert BankAccount.objects.get(pk=everyday.pk).status == "frozen"
    freeze = AccountFreeze.objects.get()
    assert (freeze.kind, freeze.reason) == ("customer", "x" * 300)
