"""A person with an account number and a few cents wants to know its holder (R2.6, R3.6)."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.test import Client
from django.urls import reverse

from accounts.models import BankAccount
from tests import acts
from tests.api_client import ApiClient
from tests.asvs import proves
from transfers.models import Payee, TransferOrder
from transfers.orders import reversals
from transfers.statements.page import DocumentPage

NOBODY = "Nobody Inparticular"
SECRETS = ("Bob", "Brandt")


def text_of(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode(errors="replace")


def give_away(text: str) -> list[str]:
    return [secret for secret in SECRETS if re.search(rf"\b{secret}\b", text)]


def buy(browser: Client, source: BankAccount, number: str, code: str) -> TransferOrder:
    """Send a cent by the pages: a made-up name, the tick, a code."""
    form = {"source": source.public_id, "number": number, "name": NOBODY, "amount": "0.01"}
    review = browser.post("/transfer/send/", form)["Location"]
    page = browser.get(review)
    assert not give_away(text_of(page))
    challenge = page.context["form"].initial["challenge"]
    answer = browser.post(review, {"challenge": challenge, "code": code, "all_the_same": "on"})
    assert answer.status_code == 302
    return TransferOrder.objects.get(kind="payment")


@proves("V14.2.6")
def test_a_cent_buys_no_name(
    charlie: Any,
    bob: Any,
    ada: Any,
    open_account: Callable,
    browser_of: Callable,
    api_of: Callable,
    code_of: Callable,
    monkeypatch: Any,
) -> None:
    """Not on the receipt, nor anywhere else: pages, papers, mails, API, search, list, later payments, a reversal."""
    his, bobs = open_account(charlie, "10.00"), open_account(bob)
    browser, api = browser_of(charlie), api_of(charlie)
    printed: list[str] = []
    as_it_was = DocumentPage.text_of

    def noted(page: DocumentPage, text: str) -> str:
        printed.append(text)
        return as_it_was(page, text)

    monkeypatch.setattr(DocumentPage, "text_of", noted)

    order = buy(browser, his, bobs.number, code_of(charlie))
    assert order.transaction is not None
    reversals.reverse_transaction(actor=ada, transaction=order.transaction, reason="A test.")
    browser.post("/transfer/send/", {"source": his.public_id, "number": bobs.number, "amount": "0.02"})
    pay_again(api, his, bobs)

    payee = Payee.objects.get(customer=charlie)
    today = datetime.now(UTC)
    pages = look_at_everything(browser, his, order, payee, today)
    assert printed, "the papers were made"
    pages["papers"] = " ".join(printed)
    pages |= ask_the_api(api, his, bobs, order, payee, today)
    pages |= {f"mail {mail.subject}": mail.message + mail.html_message for mail in acts.mails(charlie.email)}
    assert len(pages) > 25
    assert {name: give_away(text) for name, text in pages.items() if give_away(text)} == {}
    for name in ("dashboard", "account", "history", "receipt", "payees", "papers", "csv"):
        assert "name not confirmed" in pages[name], name
    assert any("name not confirmed" in text for name, text in pages.items() if name.startswith("mail You sent"))
    order_told = api.get(f"orders/{order.public_id}").json()
    assert (order_told["target_name"], order_told["target_name_confirmed"]) == (NOBODY, False)


def pay_again(api: ApiClient, source: BankAccount, target: BankAccount) -> None:
    body = {"amount": "0.02", "to": target.number}
    answer = api.post(f"accounts/{source.number}/transfer", body, Idempotency_Key="a-second-payment")
    assert (answer.status_code, answer.json()["target_name"]) == (201, NOBODY)


def look_at_everything(
    browser: Client, his: BankAccount, order: TransferOrder, payee: Payee, today: datetime
) -> dict[str, str]:
    last = BankAccount.objects.get(pk=his.pk).last_sequence
    urls = {
        "dashboard": reverse("dashboard"),
        "account": reverse("account", args=[his.public_id]),
        "history": reverse("history"),
        "csv": reverse("history_export"),
        "payees": reverse("payees"),
        "payee": reverse("payee", args=[payee.public_id]),
        "remove payee": reverse("payee_remove", args=[payee.public_id]),
        "receipt": reverse("receipt", args=[order.public_id]),
        "receipt as PDF": reverse("receipt_pdf", args=[order.public_id]),
        "statement": reverse("statement", args=[his.public_id, today.year, today.month]),
        "send": reverse("transfer_send"),
        "send again": f"{reverse('transfer_send')}?again={order.public_id}",
        "send to payee": f"{reverse('transfer_send')}?payee={payee.public_id}",
        "insights": reverse("pictures"),
    }
    pages = {name: text_of(browser.get(url)) for name, url in urls.items()}
    pages |= {f"entry {n}": text_of(browser.get(reverse("entry", args=[his.public_id, n]))) for n in range(1, last + 1)}
    for secret in SECRETS:
        # The search text is in the field; it finds nothing.
        assert not browser.get(reverse("history"), {"text": secret}).context.get("entries"), secret
    assert len(browser.get(reverse("history"), {"text": "inparticular"}).context["entries"]) == 3
    return pages


def ask_the_api(
    api: ApiClient, his: BankAccount, bobs: BankAccount, order: TransferOrder, payee: Payee, today: datetime
) -> dict[str, str]:
    paths = [
        "accounts", f"accounts/{his.number}", "transactions", f"accounts/{his.number}/transactions", "payees",
        f"payees/{payee.public_id}", f"orders/{order.public_id}",
        f"accounts/{his.number}/statements/{today.year}/{today.month}",
    ]  # fmt: skip
    told = {f"GET {path}": text_of(api.get(path)) for path in paths}
    for secret in SECRETS:
        assert api.get(f"transactions?text={secret}").json()["items"] == []
    told["POST payees/lookup"] = text_of(api.post("payees/lookup", {"number": bobs.number}))
    return told


def test_taking_them_off_the_list_and_paying_again_buys_nothing_either(
    charlie: Any, bob: Any, open_account: Callable, browser_of: Callable, code_of: Callable
) -> None:
    his, bobs = open_account(charlie, "10.00"), open_account(bob)
    browser = browser_of(charlie)
    order = buy(browser, his, bobs.number, code_of(charlie))
    browser.post(reverse("payee_remove", args=[Payee.objects.get().public_id]))
    for page in (reverse("history"), reverse("receipt", args=[order.public_id])):
        text = text_of(browser.get(page))
        assert not give_away(text)
        assert NOBODY in text
