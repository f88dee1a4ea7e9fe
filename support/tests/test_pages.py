"""The help pages of customers: what they show, refuse and escape (R4.1, R4.2, R1.7)."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import AccountStatus, BankAccount
from support import tickets
from support.models import ServiceRequest, Ticket
from support.requests import services as requests
from support.selectors import PAGE_ROWS
from tests.tables import in_one_world
from transfers.models import Transaction

NASTY = "<script>alert(1)</script>{{ 7|add:7 }}{% now 'Y' %}<img src=x onerror=alert(1)>"


def new_ticket(browser: Any, **changes: str) -> Any:
    form = {"key": str(uuid4()), "subject": "Card", "text": "Where is it?", "reference": ""}
    return browser.post("/help/messages/new/", form | changes)


def new_request(browser: Any, kind: str, **data: str) -> Any:
    return browser.post(f"/help/requests/new/?kind={kind}", {"reason": "Because"} | data)


def errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return answer.context["form"].errors


def test_a_customer_writes_and_replies(alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    answer = new_ticket(browser, text="Where is it?\n\nIt was\tposted.")
    ticket = Ticket.objects.get(customer=alice)
    assert answer["Location"] == f"/help/messages/{ticket.public_id}/"
    page = browser.get(answer["Location"]).content.decode()
    assert "Where is it?\n\nIt was posted." in page
    assert browser.post(answer["Location"], {"text": "And?"}).status_code == 302
    assert [message.text for message in ticket.messages.order_by("pk")][1:] == ["And?"]
    assert "Card" in browser.get("/help/").content.decode()


def test_a_ticket_can_begin_at_a_receipt(alice: Any, bob: Any, open_account: Any, browser_of: Any) -> None:
    open_account(alice, "5.00")
    reference = Transaction.objects.get().reference
    page = browser_of(alice).get(f"/help/messages/new/?payment={reference}").content.decode()
    assert f'value="{reference}"' in page
    answer = new_ticket(browser_of(alice), reference=reference.lower())
    assert reference in browser_of(alice).get(answer["Location"]).content.decode()
    assert "reference" in errors(new_ticket(browser_of(bob), reference=reference))
    assert browser_of(alice).get("/help/messages/new/?payment=%22%3E%3Cscript%3E").status_code == 200


@in_one_world(
    ("field", "text"),
    [
        ("subject", ""),
        ("subject", "x" * 121),
        ("subject", "\u202emirror"),
        ("text", ""),
        ("text", " \n "),
        ("text", "x" * 4001),
        ("text", "😀" * 2001),  # two each for SQL Server
        ("text", "a\x07b"),
        ("key", "no key"),
    ],
)
def test_what_cannot_be_sent_is_said_at_its_field(field: str, text: str, alice: Any, browser_of: Any) -> None:
    assert field in errors(new_ticket(browser_of(alice), **{field: text}))
    assert not Ticket.objects.exists()


def test_a_request_description_rendered_as_html(alice: Any, sam: Any, browser_of: Any, open_account: Any) -> None:
    # A peer's fault.
    browser, account = browser_of(alice), open_account(alice, nickname="<b>Mine</b>")
    ticket_url = new_ticket(browser, subject=NASTY[:120], text=NASTY)["Location"]
    tickets.answer_ticket(actor=sam, public_id=Ticket.objects.get().public_id, text=NASTY)
    frozen = new_request(browser, "freeze_account", account_id=str(account.public_id), reason=NASTY)["Location"]
    identity = new_request(browser, "update_identity", first_name="A<b>", last_name="", address=NASTY, reason=NASTY)
    requests.reject_request(actor=sam, public_id=ServiceRequest.objects.get(account=account).public_id, reason=NASTY)
    for url in (ticket_url, frozen, identity["Location"], "/help/", "/help/messages/", "/help/requests/"):
        page = browser.get(url).content.decode()
        assert not any(tag in page for tag in ("<script>alert", "<img src=x", "<b>Mine", "A<b>")), url
        assert "14" not in page.partition("alert(1)")[2][:40], url
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7|add:7 }}" in browser.get(frozen).content.decode()


def test_every_kind_is_offered_to_whom_it_fits_but_not_the_reset_of_two_factor(
    alice: Any, browser_of: Any, open_account: Any
) -> None:
    def offered() -> set[str]:
        answer = browser_of(alice).get("/help/requests/new/")
        return {item.kind.value for item in answer.context["kinds"]}

    always = {"raise_daily_limit", "update_identity"}
    assert offered() == always, "a new kind: say here to whom it is offered"
    account = open_account(alice)
    assert offered() == always | {"freeze_account", "close_account"}
    BankAccount.objects.filter(pk=account.pk).update(status="frozen")
    assert offered() == always | {"unfreeze_account"}
    alice.pin_hash = "!"
    alice.save()
    assert offered() == always | {"unfreeze_account", "reset_pin"}
    for kind in ("reset_two_factor", "open_the_vault", ""):
        assert "kinds" in browser_of(alice).get(f"/help/requests/new/?kind={kind}").context
        assert "kinds" in new_request(browser_of(alice), kind).context
    assert not ServiceRequest.objects.exists()


@in_one_world(
    ("kind", "data", "shown"),
    [
        ("raise_daily_limit", {"amount": "40000"}, "€40,000.00"),
        ("update_identity", {"first_name": "Alicia", "last_name": "", "address": "Hafenstraße 9"}, "Hafenstraße 9"),
    ],
)
def test_a_request_about_oneself(kind: str, data: dict[str, str], shown: str, alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    form = browser.get(f"/help/requests/new/?kind={kind}").content.decode()
    assert "€25,000.00" in form or "Lindenallee 4" in form
    answer = new_request(browser, kind, **data)
    page = browser.get(answer["Location"]).content.decode()
    assert shown in page
    assert "We are looking at it." in page
    assert "__all__" in errors(new_request(browser, kind, **data))


def test_a_pin_that_is_not_there_is_not_reset(alice: Any, browser_of: Any) -> None:
    assert "You have no PIN" in str(errors(new_request(browser_of(alice), "reset_pin")))


def test_only_accounts_that_fit_can_be_chosen(alice: Any, bob: Any, open_account: Any, browser_of: Any) -> None:
    browser, mine, theirs = browser_of(alice), open_account(alice), open_account(bob)
    assert "No suitable account" in browser.get("/help/requests/new/?kind=unfreeze_account").content.decode()
    for number in (str(theirs.public_id), str(uuid4()), "", "x"):
        assert "account_id" in errors(new_request(browser, "freeze_account", account_id=number))
    assert "account_id" in errors(new_request(browser, "unfreeze_account", account_id=str(mine.public_id)))
    BankAccount.objects.filter(pk=mine.pk).update(status=AccountStatus.FROZEN)
    assert "reason" in errors(new_request(browser, "unfreeze_account", account_id=str(mine.public_id), reason=""))
    assert ServiceRequest.objects.count() == 0


def test_a_customer_cancels_while_nobody_has_decided(alice: Any, sam: Any, request_of: Any, browser_of: Any) -> None:
    browser, request, other = browser_of(alice), request_of(alice), request_of(alice)
    here = f"/help/requests/{request.public_id}/"
    assert "Cancel this request" in browser.get(here).content.decode()
    assert browser.get(here + "cancel/").status_code == 405, "a GET changes nothing"
    page = browser.post(here + "cancel/", follow=True).content.decode()
    assert "You cancelled this request." in page
    assert "Cancel this request" not in page
    requests.approve_request(actor=sam, public_id=other.public_id, reason="Fine")
    page = browser.post(f"/help/requests/{other.public_id}/cancel/", follow=True).content.decode()
    assert "Somebody else has decided this request already: it is done." in page
    assert {row.state for row in ServiceRequest.objects.all()} == {"cancelled", "completed"}


def test_what_is_alices_does_not_exist_for_charlie(
    alice: Any, charlie: Any, ticket_of: Any, request_of: Any, browser_of: Any
) -> None:
    # R1.7
    ticket, request, browser = ticket_of(alice), request_of(alice), browser_of(charlie)
    here = f"/help/messages/{ticket.public_id}/"
    assert browser.get(here).status_code == browser.post(here, {"text": "Hello"}).status_code == 404
    here = f"/help/requests/{request.public_id}/"
    assert browser.get(here).status_code == browser.post(here + "cancel/").status_code == 404
    for page in ("/help/", "/help/messages/", "/help/requests/"):
        assert b"A question" not in browser.get(page).content
        assert b"Freeze an account</a>" not in browser.get(page).content
    older = browser.get(f"/help/messages/?older_than={ticket.public_id}")
    assert list(older.context["tickets"]) == []
    request.refresh_from_db()
    assert request.state == "pending"


@in_one_world("person", ["sam", "audrey", "ada"])
def test_staff_have_no_help_pages(person: str, alice: Any, ticket_of: Any, browser_of: Any, request: Any) -> None:
    # R1.7
    browser = browser_of(request.getfixturevalue(person))
    ticket = ticket_of(alice)
    for page in ("", "messages/", "messages/new/", f"messages/{ticket.public_id}/", "requests/", "requests/new/"):
        assert browser.get(f"/help/{page}").status_code == 403
    assert new_ticket(browser).status_code == new_request(browser, "reset_pin").status_code == 403


def test_lists_go_on_by_the_last_row_shown(
    alice: Any, ticket_of: Any, browser_of: Any, settings: Any, request_of: Any
) -> None:
    settings.TICKETS_PER_HOUR = settings.REQUESTS_PER_HOUR = 1000
    all_of_them = [ticket_of(alice) for _ in range(PAGE_ROWS + 2)]
    browser = browser_of(alice)
    first = browser.get("/help/messages/")
    assert first.context["tickets"] == all_of_them[:1:-1]
    assert first.context["newer_url"] is None
    second = browser.get(first.context["older_url"])
    assert second.context["tickets"] == all_of_them[1::-1]
    assert (second.context["newer_url"], second.context["older_url"]) == ("/help/messages/", None)
    assert browser.get("/help/messages/?older_than=nonsense").context["tickets"] == first.context["tickets"]
    tickets.reply_to_ticket(actor=alice, public_id=all_of_them[0].public_id, text="Still waiting.")
    assert browser.get("/help/").context["tickets"][0] == all_of_them[0], "what has news comes first"
    request_of(alice)
    assert len(browser.get("/help/requests/").context["service_requests"]) == 1


def test_a_list_asks_the_database_no_more_for_more_rows(
    alice: Any, request_of: Any, browser_of: Any, django_assert_max_num_queries: Any
) -> None:
    browser = browser_of(alice)
    for _ in range(3):
        request_of(alice)
    browser.get("/help/requests/")
    with django_assert_max_num_queries(12):
        browser.get("/help/requests/")


def test_a_conversation_that_is_full_says_so(
    alice: Any, ticket_of: Any, browser_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = ticket_of(alice)
    monkeypatch.setattr(tickets, "LONGEST_CONVERSATION", 1)
    answer = browser_of(alice).post(f"/help/messages/{ticket.public_id}/", {"text": "More"})
    assert "Please write to us anew" in str(errors(answer))


def test_too_much_is_answered_with_429(alice: Any, browser_of: Any, settings: Any) -> None:
    settings.TICKETS_PER_HOUR = settings.TICKET_REPLIES_PER_HOUR = settings.REQUESTS_PER_HOUR = 1
    browser = browser_of(alice)
    assert [new_ticket(browser).status_code for _ in range(2)] == [302, 429]
    conversation = f"/help/messages/{Ticket.objects.get(customer=alice).public_id}/"
    assert [browser.post(conversation, {"text": "And?"}).status_code for _ in range(2)] == [302, 429]
    wish = {"first_name": "Alice", "last_name": "Other", "address": "1 Other Street"}
    assert [new_request(browser, "update_identity", **wish).status_code for _ in range(2)] == [302, 429]


def test_an_account_with_money_in_it_is_not_asked_to_be_closed_but_emptied(
    alice: Any, browser_of: Any, open_account: Any
) -> None:
    account = open_account(alice, "5.00")
    open_account(alice)
    answer = new_request(browser_of(alice), "close_account", account_id=str(account.public_id))
    assert errors(answer) == {
        "account_id": ["There is money in this account. It can be closed once its balance is zero."]
    }
    page = answer.content.decode()
    for way in (f"/transfer/own/?from={account.public_id}&amp;amount=all", f"/transfer/send/?from={account.public_id}"):
        assert f'href="{way}"' in page
    assert not ServiceRequest.objects.exists()

    BankAccount.objects.filter(pk=account.pk).update(held=Decimal(5))
    answer = new_request(browser_of(alice), "close_account", account_id=str(account.public_id))
    assert "held for a transfer" in str(errors(answer)["account_id"])
    assert f'href="/accounts/{account.public_id}/"' in answer.content.decode()


def test_a_name_and_address_that_are_the_same_are_not_a_request(alice: Any, browser_of: Any) -> None:
    same = {"first_name": alice.first_name, "last_name": alice.last_name, "address": alice.address}
    assert "what we have already" in str(errors(new_request(browser_of(alice), "update_identity", **same)))
    assert not ServiceRequest.objects.exists()


def test_a_name_that_waits_stands_on_the_profile_and_can_be_taken_back(alice: Any, sam: Any, browser_of: Any) -> None:
    # R1.8
    browser = browser_of(alice)
    new_request(browser, "update_identity", first_name="Alice", last_name="Brandt", address=alice.address)
    asked = ServiceRequest.objects.get()
    for page in ("/profile/", "/profile/details/"):
        text = browser.get(page).content.decode()
        assert "We’re checking your new name:</strong> Alice Brandt" in text
        assert f'action="/help/requests/{asked.public_id}/cancel/"' in text
        assert "?kind=update_identity" not in text, "one at a time"
    assert "We’re checking your new name" not in browser_of(sam).get("/profile/").content.decode()
    assert browser.post(f"/help/requests/{asked.public_id}/cancel/").status_code == 302
    text = browser.get("/profile/").content.decode()
    assert "We’re checking your new name" not in text
    assert "?kind=update_identity" in text


def test_an_address_that_waits_is_not_a_name_that_waits(alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    new_request(browser, "update_identity", first_name="Alice", last_name="Archer", address="Hafenstraße 9")
    assert "We’re checking your new name" not in browser.get("/profile/").content.decode()
    page = browser.get(f"/help/requests/{ServiceRequest.objects.get().public_id}/").content.decode()
    assert "Hafenstraße 9" in page
    assert "New name" not in page


@in_one_world(
    ("first_name", "last_name", "words"),
    [("Alder", "Bank", "bank’s own name"), ("Аlice", "Archer", "two alphabets"), ("Al\u200dice", "", "nobody can see")],
)
def test_a_name_that_nobody_can_have_is_refused_at_its_field(
    first_name: str, last_name: str, words: str, alice: Any, browser_of: Any
) -> None:
    # R1.8, B7
    wish = {"first_name": first_name, "last_name": last_name, "address": alice.address}
    answer = new_request(browser_of(alice), "update_identity", **wish)
    assert words in " ".join(errors(answer)["first_name"])
    assert not ServiceRequest.objects.exists()


def test_a_daily_limit_that_is_no_higher_is_said_at_its_field_with_the_present_one(alice: Any, browser_of: Any) -> None:
    answer = new_request(browser_of(alice), "raise_daily_limit", amount="25000")
    assert errors(answer) == {"amount": ["Your daily limit is €25,000.00 already. Write a higher one."]}


def test_a_cancelled_request_was_not_decided(alice: Any, browser_of: Any, request_of: Any) -> None:
    request, browser = request_of(alice), browser_of(alice)
    browser.post(f"/help/requests/{request.public_id}/cancel/")
    page = browser.get(f"/help/requests/{request.public_id}/").content.decode()
    assert "Cancelled on" in page
    assert "Decided on" not in page
