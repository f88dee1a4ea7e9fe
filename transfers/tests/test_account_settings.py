"""An account's settings: its name, and the obstacles to closing it (R2.3, R2.4)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from accounts.models import AccountStatus, BankAccount
from audit.models import AuditEntry
from tests.tables import in_one_world
from transfers.accounts import closing, opening
from transfers.accounts.renaming import rename_account
from transfers.orders.ownership import NotYourAccount

pytestmark = pytest.mark.django_db


def settings_of(account: BankAccount) -> str:
    return reverse("account_settings", args=[account.public_id])


def main_of(answer: Any) -> str:
    return answer.content.decode().partition("<main")[2].partition("</main")[0]


def now(account: BankAccount) -> BankAccount:
    return BankAccount.objects.get(pk=account.pk)


# --- The name -----------------------------------------------------------------------------------------------


def test_the_page_of_the_account_leads_there(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    # R2.4
    page = browser_of(alice).get(reverse("account", args=[everyday.public_id]))
    assert f'href="{settings_of(everyday)}"' in main_of(page)


@in_one_world("status", AccountStatus)
def test_an_account_gets_another_name(
    alice: Any, browser_of: Callable, everyday: BankAccount, freeze: Callable, books: Callable, status: AccountStatus
) -> None:
    # R2.4, R6.2: audited without the typed text.
    freeze(everyday, status)
    client, before = browser_of(alice), books()
    assert 'value="Everyday"' in main_of(client.get(settings_of(everyday)))
    answer = client.post(settings_of(everyday), {"nickname": "  Rent  &\tfood "})
    assert answer["Location"] == reverse("account", args=[everyday.public_id])
    assert "The account has its new name." in client.get(answer["Location"]).content.decode()
    assert (now(everyday).nickname, now(everyday).status) == ("Rent & food", status)
    entry = AuditEntry.objects.get(action="ACCOUNT_RENAMED")
    assert (entry.actor_id, entry.subject_id) == (alice.pk, str(everyday.public_id))
    assert entry.details == {"number": everyday.masked_number}
    assert books() == before, "nobody is told"


def test_the_same_name_again_changes_nothing(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    # R6.2
    client = browser_of(alice)
    answer = client.post(settings_of(everyday), {"nickname": "Everyday"}, follow=True)
    assert "Nothing was changed." in answer.content.decode()
    assert not AuditEntry.objects.filter(action="ACCOUNT_RENAMED").exists()


def test_without_a_name_an_account_is_called_by_its_kind(
    alice: Any, browser_of: Callable, everyday: BankAccount
) -> None:
    # R2.4
    client = browser_of(alice)
    assert "Leave it empty for “Checking”." in main_of(client.get(settings_of(everyday)))
    client.post(settings_of(everyday), {"nickname": " "})
    assert now(everyday).display_name == "Checking"


@in_one_world("nickname", ["x" * 41, "💰" * 21, "a\x00b", "\u202eevil"])
def test_a_name_that_cannot_be_kept_or_shown_is_refused_at_its_field(
    alice: Any, browser_of: Callable, everyday: BankAccount, nickname: str
) -> None:
    # R2.4
    answer = browser_of(alice).post(settings_of(everyday), {"nickname": nickname})
    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == ["nickname"]
    assert now(everyday).nickname == "Everyday"


def test_a_name_is_shown_as_text(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    # R8.2
    client = browser_of(alice)
    client.post(settings_of(everyday), {"nickname": "<script>alert(1)</script>"})
    for path in (settings_of(everyday), reverse("account_close", args=[everyday.public_id]), reverse("dashboard")):
        assert "<script>alert" not in client.get(path).content.decode()


def test_nobody_renames_what_is_not_theirs(alice: Any, charlie: Any, browser_of: Callable, everyday: Any) -> None:
    # R1.7
    client = browser_of(charlie)
    for answer in (client.get(settings_of(everyday)), client.post(settings_of(everyday), {"nickname": "Mine"})):
        assert answer.status_code == 404
    with pytest.raises(NotYourAccount):
        rename_account(actor=charlie, account=everyday, nickname="Mine")
    assert now(everyday).nickname == "Everyday"


@in_one_world("who", ["sam", "audrey", "ada"])
def test_no_staff_renames_an_account(who: str, request: Any, browser_of: Callable, everyday: BankAccount) -> None:
    # R1.7
    user = request.getfixturevalue(who)
    client = browser_of(user)
    for answer in (client.get(settings_of(everyday)), client.post(settings_of(everyday), {"nickname": "Seen"})):
        assert answer.status_code == 403
    with pytest.raises(PermissionDenied):
        rename_account(actor=user, account=everyday, nickname="Seen")
    assert now(everyday).nickname == "Everyday"


# --- Closing ------------------------------------------------------------------------------------------------


def test_an_empty_account_can_be_closed_from_there(alice: Any, browser_of: Callable, savings: BankAccount) -> None:
    # R2.3
    page = main_of(browser_of(alice).get(settings_of(savings)))
    assert f'href="{reverse("account_close", args=[savings.public_id])}"' in page
    assert "cannot be closed" not in page


REASONS = {
    "balance": "There is money in this account. It can be closed once its balance is zero.",
    "held": "Money of this account is held for a transfer that we are still looking at.",
    "frozen": "This account is frozen. Only the bank can lift the freeze: please contact us.",
    "closed": "This account is closed already.",
}


@in_one_world("case", REASONS)
@in_one_world("page", ["account_settings", "account_close"])
def test_what_stands_in_the_way_is_named_alone(
    alice: Any, browser_of: Callable, everyday: BankAccount, freeze: Callable, page: str, case: str
) -> None:
    # R2.3: the one true reason, the one to remove first.
    if case == "held":
        BankAccount.objects.filter(pk=everyday.pk).update(held=Decimal(5))
    elif case != "balance":
        freeze(everyday, AccountStatus(case))
    text = main_of(browser_of(alice).get(reverse(page, args=[everyday.public_id])))
    assert [name for name, reason in REASONS.items() if reason in text] == [case]
    assert "Close account" not in text
    with pytest.raises(opening.Refusal) as refusal:
        closing.close_account(actor=alice, account=everyday)
    assert str(refusal.value) == REASONS[case]


@in_one_world(
    ("accounts", "cash", "labels"),
    [
        (1, False, ["Send it to somebody"]),
        (1, True, ["Send it to somebody", "Withdraw it"]),
        (2, True, ["Move the money", "Send it to somebody", "Withdraw it"]),
    ],
)
def test_the_ways_out_for_the_money_are_those_there_are(
    alice: Any,
    browser_of: Callable,
    open_account: Callable,
    settings: Any,
    accounts: int,
    cash: bool,
    labels: list[str],
) -> None:
    # R2.3: with the account chosen already, and each leads somewhere.
    first, *_ = [open_account(alice, "5.00") for _ in range(accounts)]
    settings.SELF_SERVICE_CASH = cash
    client = browser_of(alice)
    links = client.get(settings_of(first)).context["links"]
    assert [link["label"] for link in links] == labels
    for link in links:
        assert str(first.public_id) in link["url"]
        assert "<form" in main_of(client.get(link["url"]))


def test_the_other_reasons_lead_to_where_more_is_known(
    alice: Any, browser_of: Callable, everyday: BankAccount, freeze: Callable
) -> None:
    # R2.3
    client = browser_of(alice)
    BankAccount.objects.filter(pk=everyday.pk).update(held=Decimal(5))
    assert [link["label"] for link in client.get(settings_of(everyday)).context["links"]] == ["See the account"]
    for status, label in (
        (AccountStatus.FROZEN, "Ask us to lift the freeze"),
        (AccountStatus.CLOSED, "See its history"),
    ):
        freeze(everyday, status)
        [link] = client.get(settings_of(everyday)).context["links"]
        assert link["label"] == label
        assert client.get(link["url"]).status_code == 200


# --- Cash on an account that takes none ---------------------------------------------------------------------


@in_one_world(
    ("case", "words"),
    [("frozen", "This account is frozen."), ("closed", "This account is closed."), ("counter", "at the counter")],
)
@in_one_world("page", ["deposit", "withdraw"])
def test_no_cash_form_is_filled_in_for_nothing(
    alice: Any,
    browser_of: Callable,
    everyday: BankAccount,
    freeze: Callable,
    settings: Any,
    page: str,
    case: str,
    words: str,
) -> None:
    # R2.3: a notice with the reason instead; the service refuses a POST anyway.
    url, client = reverse(page, args=[everyday.public_id]), browser_of(alice)
    assert "<form" in main_of(client.get(url))
    if case == "counter":
        settings.SELF_SERVICE_CASH = False
    else:
        freeze(everyday, AccountStatus(case))
    text = main_of(client.get(url))
    assert words in text
    assert "<form" not in text
    key = "5b1f0f0e-0000-4000-8000-000000000001"
    answer = client.post(url, {"key": key, "amount": "1.00"})
    assert (answer.status_code, answer.context["form"].is_valid()) == (200, False)
    assert now(everyday).balance == Decimal(100)


def test_the_way_to_empty_an_account_opens_with_all_that_is_in_it(
    alice: Any, charlie: Any, browser_of: Any, open_account: Any, hold: Any
) -> None:
    account = open_account(alice, "1234.56")
    other = open_account(alice)
    url = f"/transfer/own/?from={account.public_id}&amount=all"
    page = browser_of(alice).get(f"/accounts/{account.public_id}/close/").content.decode()
    assert f'href="{url.replace("&", "&amp;")}"' in page
    hold(account, "34.56")
    initial = browser_of(alice).get(url).context["form"].initial
    assert (str(initial["source"]), initial["amount"], initial["target"]) == (
        str(account.public_id), "1200.00", str(other.public_id),
    )  # fmt: skip
    open_account(charlie)
    open_account(charlie)
    for client, address in (
        (browser_of(charlie), url),
        (browser_of(alice), f"/transfer/own/?from={other.public_id}&amount=all"),
        (browser_of(alice), f"/transfer/own/?from={account.public_id}&amount=9"),
        (browser_of(alice), "/transfer/own/?from=nonsense&amount=all"),
    ):
        assert "amount" not in client.get(address).context["form"].initial
