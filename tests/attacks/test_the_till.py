"""A customer makes money out of nothing, and fills the till that an eighth of all customers share (R3.2).

Seen once: three deposits of 999,999,999,999.99 by one customer were on the balance at once, without an alert. A few
thousand more fill a cash account of the bank's; then everybody on it, and the counter too, were told that *their*
account could not take an amount this large.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import AccountKind, BankAccount
from foundation.money import from_minor
from tests import acts
from tests.asvs import proves
from tests.staff_acts import REASON
from transfers.accounts import opening
from transfers.ledger.posting import MAX_BALANCE_MINOR, MAX_BANK_BALANCE_MINOR, BalanceTooLarge, BankAccountFull
from transfers.models import FraudAlert, TransferOrder
from transfers.orders import cash, holds
from transfers.orders.limits import CashInLimitReached
from transfers.tests.conftest import read_books

pytestmark = pytest.mark.django_db
ALMOST_A_TRILLION = "999999999999.99"


def balance_of(account: BankAccount) -> Decimal:
    return BankAccount.objects.get(pk=account.pk).balance


def fill(till: BankAccount, minor: int) -> None:
    """Let a cash account of the bank hold this much, as years of deposits would."""
    BankAccount.objects.filter(pk=till.pk).update(balance=from_minor(minor))


@proves("V2.3.2")
def test_nobody_makes_money_by_every_door(
    alice: Any, open_account: Callable, browser_of: Callable, api_of: Callable, new_key: Callable, settings: Any
) -> None:
    """R3.2: by page and program, into every account and by opening more, one day brings 10,000.00 at most."""
    settings.DEPOSITS_PER_MINUTE = 1000
    account, savings = open_account(alice), open_account(alice, kind=AccountKind.SAVINGS)
    browser, api = browser_of(alice), api_of(alice)

    def by_page(amount: str) -> bool:
        answer = browser.post(reverse("deposit", args=[account.public_id]), {"amount": amount})
        return answer.status_code == 302 and "/receipts/" in browser.post(answer["Location"])["Location"]

    def by_program(amount: str) -> bool:
        path = f"accounts/{savings.number}/deposit"
        return api.post(path, {"amount": amount}, Idempotency_Key=new_key()).status_code == 201

    def by_opening(amount: str) -> bool:
        body = {"kind": "checking", "opening_deposit": amount}
        return api.post("accounts", body, Idempotency_Key=new_key()).status_code == 201

    for door in (by_page, by_program, by_opening):
        assert not any(door(ALMOST_A_TRILLION) for _ in range(3))
    taken = [door("2500.00") for door in (by_page, by_program, by_opening) * 2]
    assert taken == [True, True, True, True, False, False]
    hers = BankAccount.objects.filter(owner=alice).values_list("balance", flat=True)
    assert sum(hers) == 10_000
    assert FraudAlert.objects.filter(rule="large_amount").count() == 4


@proves("V2.3.2")
def test_a_till_that_one_customer_could_have_filled_still_takes_everybodys_cash(
    alice: Any, bob: Any, sam: Any, open_account: Callable, new_key: Callable
) -> None:
    """The bank's own accounts are not bounded by the largest balance of a customer: deposits, withdrawals and the
    counter go on where they stopped."""
    account = open_account(bob, "50.00")
    till = cash.cash_account_for(account)
    fill(till, MAX_BALANCE_MINOR)
    cash.deposit(actor=bob, account=account, amount=Decimal(20), idempotency_key=new_key())
    cash.deposit_at_counter(actor=sam, account=account, amount=Decimal(30), idempotency_key=new_key())
    assert balance_of(account) == 100
    assert balance_of(till) == from_minor(MAX_BALANCE_MINOR) + 50
    cash.withdraw(actor=bob, account=account, amount=Decimal(10), idempotency_key=new_key())


def test_a_till_is_full_only_where_its_column_ends_and_says_that_it_is_the_banks(
    bob: Any, open_account: Callable, browser_of: Callable, api_of: Callable, new_key: Callable
) -> None:
    account = open_account(bob, "50.00")
    till = cash.cash_account_for(account)
    fill(till, MAX_BANK_BALANCE_MINOR - 100)
    cash.deposit(actor=bob, account=account, amount=Decimal(1), idempotency_key=new_key())
    assert BankAccount.objects.get(pk=till.pk).balance == from_minor(2**63 - 1)
    before = read_books()
    with pytest.raises(BankAccountFull, match=r"One of the bank’s own accounts is full.*Your account is fine"):
        cash.deposit(actor=bob, account=account, amount=Decimal("0.01"), idempotency_key=new_key())
    answer = api_of(bob).post(f"accounts/{account.number}/deposit", {"amount": "0.01"}, Idempotency_Key=new_key())
    assert (answer.status_code, answer.json()["code"]) == (409, "bank_account_full")
    browser = browser_of(bob)
    review = browser.post(reverse("deposit", args=[account.public_id]), {"amount": "0.01"})["Location"]
    page = browser.post(review, follow=True).content.decode()
    assert "One of the bank’s own accounts is full" in page
    assert "this large" not in page
    assert read_books() == before
    cash.withdraw(actor=bob, account=account, amount=Decimal(1), idempotency_key=new_key())


@proves("V2.3.2")
def test_what_is_full_is_said_of_whose_account_it_is(
    alice: Any, bob: Any, sam: Any, ada: Any, open_account: Callable, new_key: Callable
) -> None:
    """Each reader is told what is true for them: their own balance, the customer's, or the payee's account."""
    full, other, bobs = open_account(alice), open_account(alice, "10.00"), open_account(bob, "10.00")
    acts.know(bob, full)
    fill(full, MAX_BALANCE_MINOR)
    most = "€9,000,000,000,000,000.00, the most that one account can hold."
    one: dict[str, Any] = {"amount": Decimal("0.01")}
    brought = Decimal("1000.01")
    told: dict[str, Callable[[], Any]] = {
        f"Your balance would be above {most}": lambda: cash.deposit(
            actor=alice, account=full, idempotency_key=new_key(), **one
        ),
        f"The balance of this account would be above {most}": lambda: cash.deposit_at_counter(
            actor=sam, account=full, idempotency_key=new_key(), **one
        ),
        "The payee’s account cannot take an amount this large.": lambda: acts.transfer(
            actor=bob, source=bobs, target=full, idempotency_key=new_key(), **one
        ),
    }
    before = read_books()
    for words, ask in told.items():
        with pytest.raises(BalanceTooLarge) as refused:
            ask()
        assert str(refused.value) == words
    with pytest.raises(BalanceTooLarge, match="Your balance would be above"):
        acts.transfer(actor=alice, source=other, target=full, idempotency_key=new_key(), **one)
    assert read_books() == before
    fill(full, MAX_BALANCE_MINOR - 100_001)
    waiting = cash.deposit_at_counter(actor=sam, account=full, amount=brought, idempotency_key=new_key())
    fill(full, MAX_BALANCE_MINOR)
    with pytest.raises(BalanceTooLarge, match="The balance of this account would be above"):
        holds.release_order(actor=ada, order=waiting, reason=REASON)


@proves("V2.3.5")
def test_a_clerk_alone_makes_no_money_either(
    alice: Any, sam: Any, ada: Any, open_account: Callable, browser_of: Callable
) -> None:
    """R3.2: 950,000 in one form were on the balance at once. Now they wait, the form says so, and the clerk who noted
    them cannot release them; a second clerk reads what to do with the notes."""
    account = open_account(alice)
    clerk, colleague = browser_of(sam), browser_of(ada)
    act = reverse("admin:accounts_bankaccount_act", args=[account.pk, "deposit"])
    key = clerk.get(act).context["form"].initial["key"]
    page = clerk.post(act, {"key": key, "amount": "950000.00", "description": ""}, follow=True)
    (message,) = page.context["messages"]
    assert (message.level_tag, str(message)) == (
        "warning",
        "Waits for a second clerk: €950,000.00 is not on the account before it is released. Keep it apart.",
    )
    assert balance_of(account) == 0
    order = TransferOrder.objects.get(target=account)
    release = reverse("admin:transfers_transferorder_act", args=[order.pk, "release"])
    refused = clerk.post(release, {"reason": REASON})
    assert "Nobody does this to themselves" in refused.content.decode()
    assert balance_of(account) == 0
    assert "€950,000.00 in cash is on the account at once. Count it first." in colleague.get(release).content.decode()
    page = colleague.post(release, {"reason": REASON}, follow=True)
    (message,) = page.context["messages"]
    assert (message.level_tag, str(message)) == ("success", "Released. €950,000.00 is on the account now.")
    assert balance_of(account) == 950_000


def test_an_administrator_opens_no_account_with_much_cash_alone(
    alice: Any, ada: Any, sam: Any, browser_of: Callable
) -> None:
    act = reverse("admin:accounts_user_act", args=[alice.pk, "open-account"])
    browser = browser_of(ada)
    key = browser.get(act).context["form"].initial["key"]
    fields = {"key": key, "kind": "checking", "nickname": "", "opening_deposit": "1000.01", "reason": REASON}
    (message,) = browser.post(act, fields, follow=True).context["messages"]
    assert (message.level_tag, str(message)) == (
        "warning",
        "The account is open and empty. Its opening deposit waits for a second clerk: keep the cash apart.",
    )
    assert BankAccount.objects.get(owner=alice).balance == 0


def test_openings_do_not_bypass_the_ceiling(alice: Any, settings: Any) -> None:
    settings.CASH_IN_DAILY_LIMIT = Decimal(100)
    for number in range(4):
        given: dict[str, Any] = {"kind": AccountKind.CHECKING, "idempotency_key": f"opening {number}"}
        if number < 2:
            opening.open_account(actor=alice, opening_deposit=Decimal(50), **given)
        else:
            with pytest.raises(CashInLimitReached):
                opening.open_account(actor=alice, opening_deposit=Decimal("0.01"), **given)
    assert BankAccount.objects.filter(owner=alice).count() == 2
