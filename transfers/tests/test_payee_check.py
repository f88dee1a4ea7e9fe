"""The payee check when money is sent: what is asked, said, refused, recorded and counted (R3.6)."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import BankAccount
from audit.models import AuditEntry
from tests import acts
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.models import NameCheck, Payee, TransferOrder
from transfers.orders import holds, sending
from transfers.orders.payee_names import NameGiven, NameNeeded, NameNotConfirmed
from transfers.payees import services as payees

SEND = "/transfer/send/"
KEY = "the-same-key-all-along"


@pytest.fixture
def browser(alice: Any, browser_of: Callable) -> Client:
    return browser_of(alice)


@pytest.fixture
def fill_in(browser: Client, everyday: BankAccount, bobs: BankAccount) -> Callable[..., Any]:
    """Fill in the form: Alice sends Bob 1.00, by this name; return the answer."""

    def post(name: str, **changes: Any) -> Any:
        form = {"source": everyday.public_id, "number": bobs.number, "amount": "1.00", "name": name}
        return browser.post(SEND, form | changes)

    return post


@pytest.fixture
def alices(alice: Any, api_of: Callable) -> ApiClient:
    return api_of(alice)


@pytest.fixture
def send(alices: ApiClient, everyday: BankAccount, bobs: BankAccount) -> Callable[..., Any]:
    """`send(name="Bob Brandt")`: Alice's program sends Bob 1.00."""

    def post(key: str = KEY, **more: Any) -> Any:
        body = {"amount": "1.00", "to": bobs.number} | more
        return alices.post(f"accounts/{everyday.number}/transfer", body, Idempotency_Key=key)

    return post


@pytest.fixture
def send_with_code(send: Callable, alice: Any) -> Callable[..., Any]:
    """The same, with the code that a first payment needs."""

    def post(key: str = KEY, **more: Any) -> Any:
        asked = send(key, **more)
        assert told(asked) == (403, "step_up_required"), asked.json()
        acts.vouch(alice)
        return send(key, **more, challenge=asked.json()["challenge"]["id"], code="000000")

    return post


# --- On pages ------------------------------------------------------------------------------------------------


def test_the_form_asks_for_the_name_of_somebody_new(fill_in: Callable) -> None:
    assert fill_in("").context["form"].errors == {"name": [NameNeeded.text]}
    for unseen in ("  ", "\u200b\u2060"):
        assert fill_in(unseen).context["form"].errors == {"name": [NameNeeded.text]}
    assert fill_in("\u202eevil").context["form"].errors.keys() == {"name"}


def test_an_account_number_is_not_a_name(fill_in: Callable, send: Callable, bobs: BankAccount) -> None:
    """R6.2: pasted into the wrong field it would be in clear, on receipts and in mails."""
    for name in (bobs.number, bobs.number_grouped, f"Bob, {bobs.number_grouped.replace(' ', '-')}"):
        assert fill_in(name).context["form"].errors.keys() == {"name"}
        refused = send(name=name, name_check="skipped")
        assert refused.status_code == 422
        assert "name" in str(refused.json()["errors"])
    assert told(send(name="\u200b\u2060")) == (422, "name_needed"), "nor is what nobody sees"
    assert not TransferOrder.objects.filter(kind="payment").exists()


def test_neither_a_known_payee_nor_an_own_account_needs_one(
    fill_in: Callable, known: BankAccount, savings: BankAccount
) -> None:
    assert fill_in("").status_code == 302
    assert fill_in("", number=savings.number).status_code == 302


@in_one_world(
    ("typed", "title", "shown", "hidden"),
    [
        ("bob brandt", "The name matches.", "<bdi>Bob Brandt</bdi>", "name not confirmed"),
        ("Bob Brant", "The name nearly matches.", "This account belongs to Bob Brandt.", "name not confirmed"),
        ("Carla Cole", "The name doesn’t match.", "name not confirmed", "Brandt"),
        ("Brandt", "The name doesn’t match.", "name not confirmed", "Bob"),
        ("B. Brandt", "The name doesn’t match.", "name not confirmed", "Bob"),
    ],
)
def test_the_review_says_what_the_check_said(
    browser: Client, fill_in: Callable, typed: str, title: str, shown: str, hidden: str
) -> None:
    text = browser.get(fill_in(typed)["Location"]).content.decode()
    assert title in text
    assert shown in text
    assert hidden not in text
    assert ('name="all_the_same"' in text) == (title == "The name doesn’t match.")


def test_without_a_match_nothing_goes_out_until_that_is_ticked(
    browser: Client, fill_in: Callable, alice: Any, code_of: Callable, books: Callable
) -> None:
    before = books()
    review = fill_in("Carla Cole")["Location"]
    challenge = browser.get(review).context["form"].initial["challenge"]
    given = {"challenge": challenge, "code": code_of(alice)}
    answer = browser.post(review, given)
    assert answer.context["form"].errors.keys() == {"all_the_same"}
    assert books() == before
    assert browser.post(review, given | {"all_the_same": "on"}).status_code == 302
    order = TransferOrder.objects.get(kind="payment")
    assert (order.name_check, order.payee_name_typed, order.payee_name) == ("no_match", "Carla Cole", "Bob Brandt")
    entry = AuditEntry.objects.get(action="TRANSFER_CREATED")
    assert entry.details["name_check"] == "no_match"
    assert "Carla" not in str(entry.details)


def test_a_match_needs_no_tick_and_is_recorded(
    browser: Client, fill_in: Callable, alice: Any, code_of: Callable
) -> None:
    review = fill_in("Bob Brandt")["Location"]
    challenge = browser.get(review).context["form"].initial["challenge"]
    browser.post(review, {"challenge": challenge, "code": code_of(alice)})
    order = TransferOrder.objects.get(kind="payment")
    assert (order.name_check, order.payee_name_typed, order.is_first_payment) == ("match", "", True)
    assert "name_check" not in AuditEntry.objects.get(action="TRANSFER_CREATED").details


@in_one_world(
    ("typed", "title"),
    [
        ("Bob Brandt", ""),
        ("brandt, bob", ""),
        ("Bob Brant", "The name nearly matches."),
        ("Carla Cole", "The name doesn’t match."),
        ("Brandt", "The name doesn’t match."),
    ],
)
def test_a_payee_whom_one_knows_is_named_in_full_whatever_was_typed(
    typed: str, title: str, browser: Client, fill_in: Callable, known: BankAccount
) -> None:
    """And the page says if another name was entered: the number may be the wrong one. Half a name is another, too. Then
    it takes a tick, as for a new payee."""
    text = browser.get(fill_in(typed)["Location"]).content.decode()
    assert "<bdi>Bob Brandt</bdi>" in text
    for said in ("The name nearly matches.", "The name doesn’t match.", "The name matches."):
        assert (said in text) == (said == title)
    assert ('name="all_the_same"' in text) == (title == "The name doesn’t match.")


@proves("V2.2.1")
def test_a_known_payee_by_another_name_is_paid_only_once_that_is_ticked(
    browser: Client, fill_in: Callable, known: BankAccount, books: Callable
) -> None:
    """R3.6: the number may be the wrong one. It is recorded, and hides no name that was confirmed."""
    before = books()
    review = fill_in("Carla Cole")["Location"]
    assert browser.post(review, {}).context["form"].errors.keys() == {"all_the_same"}
    assert books() == before
    assert browser.post(review, {"all_the_same": "on"}).status_code == 302
    order = TransferOrder.objects.get(kind="payment")
    assert (order.name_check, order.payee_name_typed) == ("not_needed", "")
    entry = AuditEntry.objects.get(action="TRANSFER_CREATED")
    assert entry.details["name_check"] == "no_match"
    assert "Carla" not in str(entry.details)
    assert "<bdi>Bob Brandt</bdi>" in browser.get(f"/receipts/{order.public_id}/").content.decode()


def test_a_payee_taken_off_the_list_during_the_review_is_not_confirmed_by_a_wrong_name(
    browser: Client, fill_in: Callable, known: BankAccount, alice: Any
) -> None:
    review = fill_in("Carla Cole")["Location"]
    Payee.objects.all().delete()
    browser.post(review, {"all_the_same": "on"})  # a first payment again: it takes a code
    acts.vouch(alice)
    page = browser.get(review)
    assert "name not confirmed" in page.content.decode()
    challenge = page.context["form"].initial["challenge"]
    browser.post(review, {"all_the_same": "on", "challenge": challenge, "code": "000000"})
    order = TransferOrder.objects.get(kind="payment")
    assert (order.name_check, order.payee_name_typed) == ("no_match", "Carla Cole")


def test_going_back_keeps_the_name(browser: Client, fill_in: Callable) -> None:
    review = fill_in("Carla Cole")["Location"]
    page = browser.get(browser.get(review).context["edit_url"])
    assert page.context["form"].initial["name"] == "Carla Cole"


def test_choosing_a_payee_fills_in_the_name_that_one_knows(browser: Client, known: BankAccount) -> None:
    payee = Payee.objects.get()
    assert browser.get(SEND, {"payee": str(payee.public_id)}).context["form"].initial["name"] == "Bob Brandt"
    Payee.objects.update(typed_name="Carla Cole", name_check=NameCheck.NO_MATCH)
    assert browser.get(SEND, {"payee": str(payee.public_id)}).context["form"].initial["name"] == "Carla Cole"


# --- Below the pages -----------------------------------------------------------------------------------------


@proves("V2.2.1")
def test_no_door_lets_a_first_payment_out_without_a_name(
    alice: Any, everyday: BankAccount, bobs: BankAccount, books: Callable
) -> None:
    """Refused under the lock, and recorded."""
    before = books()
    payment: dict[str, Any] = {"actor": alice, "source": everyday, "target": bobs, "amount": Decimal(1)}
    with pytest.raises(NameNeeded):
        sending.transfer(**payment, idempotency_key="without a name")
    with pytest.raises(NameNotConfirmed):
        sending.transfer(
            **payment, idempotency_key="without a tick", name_given=NameGiven("Carla Cole", NameCheck.NO_MATCH)
        )
    assert books() == before
    reasons = AuditEntry.objects.filter(action="TRANSFER_REFUSED").order_by("pk").values_list("details__reason")
    assert [reason for (reason,) in reasons] == ["name_needed", "name_not_confirmed"]


def test_the_database_keeps_what_was_typed_only_where_it_was_not_confirmed(known: BankAccount) -> None:
    from django.db import IntegrityError, transaction

    with pytest.raises(IntegrityError), transaction.atomic():
        Payee.objects.update(typed_name="Carla Cole")


# --- Through the API -----------------------------------------------------------------------------------------


def test_a_new_payee_needs_a_name_or_that_the_check_is_skipped(send: Callable, books: Callable) -> None:
    before = books()
    assert told(send()) == (422, "name_needed")
    refused = send("no-match-0001", name="Carla Cole")
    assert told(refused) == (422, "name_not_confirmed")
    assert refused.json()["name_check"] == "no_match"
    assert "Bob" not in refused.content.decode()
    assert told(send("not-a-value-1", name="Bob Brandt", name_check="match")) == (422, "invalid")
    assert books() == before


def test_the_demand_for_a_code_tells_whom_it_would_pay(send: Callable) -> None:
    """After a near match the program has a name to show, before the code is given."""
    asked = send(name="Bob Brant").json()
    assert (asked["payee_name"], asked["name_check"]) == ("Bob Brandt", "near")
    asked = send("skipped-00001", name="Carla Cole", name_check="skipped").json()
    assert (asked["payee_name"], asked["name_check"]) == ("Carla Cole", "skipped")


def test_skipping_the_check_is_recorded_and_shows_what_was_sent(send_with_code: Callable, send: Callable) -> None:
    done = send_with_code(name="Bob Brandt", name_check="skipped").json()
    assert (done["target_name"], done["target_name_confirmed"], done["name_check"]) == ("Bob Brandt", False, "skipped")
    order = TransferOrder.objects.get(kind="payment")
    assert order.name_check == NameCheck.SKIPPED
    assert AuditEntry.objects.get(action="TRANSFER_CREATED").details["name_check"] == "skipped"
    # A repeated request gets the same answer; and a later one, without a name, goes to the same name.
    assert send(name="Bob Brandt", name_check="skipped").json() == done
    later = send("a-later-payment").json()
    assert (later["target_name"], later["target_name_confirmed"], later["name_check"]) == (
        "Bob Brandt", False, "skipped",
    )  # fmt: skip
    assert TransferOrder.objects.filter(kind="payment", is_first_payment=True).count() == 1


def test_a_known_payee_needs_no_name_and_another_one_than_theirs_is_refused(
    send: Callable, alices: ApiClient, known: BankAccount, books: Callable, no_minute_limits: None
) -> None:
    """R3.6: with the code of a new one, unless they agree again."""
    for number, more in enumerate(({}, {"name": "Bob Brandt"}, {"name": "brandt, bob"}, {"name": "Bob Brant"})):
        assert send(f"not-refused-{number}", **more).status_code == 201
    before = books()
    for number, name in enumerate(("Carla Cole", "Brandt", "B. Brandt")):
        refused = send(f"refused-000{number}", name=name)
        assert told(refused) == (422, "name_not_confirmed")
        assert refused.json()["name_check"] == "no_match"
    assert books() == before
    found = alices.post("payees/lookup", {"number": known.number, "name": "Carla Cole"}).json()
    assert (found["name_check"], found["name"], found["name_confirmed"]) == ("no_match", "Bob Brandt", True)
    done = send("refused-0000", name="Carla Cole", name_check="skipped")
    assert (done.status_code, done.json()["target_name"], done.json()["target_name_confirmed"]) == (
        201, "Bob Brandt", True,
    )  # fmt: skip
    kept = [entry.details for entry in AuditEntry.objects.filter(action="TRANSFER_CREATED").order_by("pk")]
    assert [details.get("name_check") for details in kept] == [None] * 4 + ["no_match"]
    assert "Carla" not in str(kept)


def test_by_whichever_name_a_known_payee_is_named_in_full_where_a_code_is_asked_for(
    send: Callable, known: BankAccount, settings: Any
) -> None:
    settings.STEP_UP_AMOUNT = Decimal(0)
    assert told(send(name="Carla Cole")) == (422, "name_not_confirmed"), "before any code"
    asked = send("all-the-same-1", name="Carla Cole", name_check="skipped").json()
    assert (asked["code"], asked["payee_name"], asked["name_check"]) == ("step_up_required", "Bob Brandt", "no_match")


def test_what_is_held_by_another_name_says_so_in_the_log(
    send: Callable, known: BankAccount, alice: Any, household: BankAccount, settings: Any
) -> None:
    settings.SUSPICIOUS_AMOUNT = Decimal(0)
    assert send(name="Carla Cole", name_check="skipped").status_code == 202
    assert AuditEntry.objects.get(action="TRANSFER_HELD").details["name_check"] == "no_match"


def test_a_payee_who_is_called_otherwise_by_now_is_not_known_by_the_old_name(
    send: Callable, known: BankAccount, bob: Any
) -> None:
    """R2.6: the payer reads the new one. A name that no check would confirm is still shown."""
    bob.last_name = "Steiner"
    bob.save()
    assert told(send("the-old-name-1", name="Bob Brandt")) == (422, "name_not_confirmed")
    assert send("the-new-name-1", name="Bob Steiner").json()["target_name"] == "Bob Steiner"
    bob.last_name = "Br\u0430ndt"  # with a Cyrillic letter, from before such names were refused
    bob.save()
    assert send("their-own-name", name="Bob Br\u0430ndt").status_code == 201
    assert told(send("as-it-looks-01", name="Bob Brandt")) == (422, "name_not_confirmed")


def test_skipped_without_a_name_shows_none(send_with_code: Callable, alices: ApiClient) -> None:
    done = send_with_code(name_check="skipped").json()
    assert (done["target_name"], done["target_name_confirmed"]) == ("No name given", False)
    (payee,) = alices.get("payees").json()["items"]
    assert (payee["name"], payee["name_confirmed"]) == ("No name given", False)


def test_the_look_up_tells_the_outcome_and_a_name_only_after_a_match(alices: ApiClient, bobs: BankAccount) -> None:
    def asked(**more: str) -> tuple[str, str, bool]:
        found = alices.post("payees/lookup", {"number": bobs.number} | more).json()
        return found["name_check"], found["name"], found["name_confirmed"]

    assert asked() == ("not_checked", "", False)
    assert asked(name="Brandt, Bob") == ("match", "Bob Brandt", True)
    assert asked(name="Bob Brant") == ("near", "Bob Brandt", True)
    assert asked(name="Brandt") == ("no_match", "Brandt", False)


def test_a_name_that_was_not_confirmed_can_be_confirmed_later(
    send_with_code: Callable, send: Callable, alices: ApiClient
) -> None:
    """By a payer who knows it: earlier orders do not change."""
    first = send_with_code(name="Carla Cole", name_check="skipped").json()
    assert told(send("wrong-again-01", name="Carl Cole")) == (422, "name_not_confirmed")
    assert send("right-at-last", name="Bob Brandt").json()["target_name"] == "Bob Brandt"
    assert send("and-ever-after").json()["target_name"] == "Bob Brandt"
    assert alices.get(f"orders/{first['id']}").json() == first
    # And it is not hidden again by skipping the check.
    assert send("skipped-once-more", name="X", name_check="skipped").json()["target_name"] == "Bob Brandt"


# --- Guesses -------------------------------------------------------------------------------------------------


def look(actor: Any, account: BankAccount, name: str) -> NameCheck:
    given = payees.find_payee(actor=actor, number=str(account.number), name=name).given
    assert given is not None
    return given.check


def test_after_five_different_names_for_one_account_the_answer_is_not_checked(
    alice: Any, charlie: Any, bob: Any, bobs: BankAccount, open_account: Callable
) -> None:
    """The right one too, and one that was checked before; for this account, this customer and this day only."""
    for number in range(5):
        assert look(alice, bobs, f"Guess Number{number}") == NameCheck.NO_MATCH
        assert look(alice, bobs, f"number{number}, GUESS") == NameCheck.NO_MATCH, "the same words are one guess"
    for name in ("Bob Brandt", "Bob Brant", "Guess Number1", "Another Guess"):
        assert look(alice, bobs, name) == NameCheck.NOT_CHECKED
    assert look(charlie, bobs, "Bob Brandt") == NameCheck.MATCH
    assert look(alice, open_account(bob), "Bob Brandt") == NameCheck.MATCH


def test_the_next_day_names_are_checked_again(alice: Any, bobs: BankAccount) -> None:
    for number in range(6):
        look(alice, bobs, f"Guess Number{number}")
    assert look(alice, bobs, "Bob Brandt") == NameCheck.NOT_CHECKED
    with time_machine.travel(timezone.now() + timedelta(days=1, seconds=1)):
        assert look(alice, bobs, "Bob Brandt") == NameCheck.MATCH


@proves("V2.4.1")
def test_an_answer_beyond_the_bound_asks_the_database_what_others_do(alice: Any, bobs: BankAccount) -> None:
    """And it compares all the same: the time does not tell a name that is not checked from one that is."""
    shapes = []
    for number in range(12):
        name = {3: "Bob Brandt", 10: "Bob Brant"}.get(number, f"Guess Number{number}")
        with CaptureQueriesContext(connection) as captured:
            look(alice, bobs, name)
        shapes.append([query["sql"].split()[0] for query in captured.captured_queries])
    assert shapes[1:] == [shapes[1]] * 11, "but for the first, which makes the row"


def test_a_payee_whom_one_knows_costs_no_guess(alice: Any, known: BankAccount) -> None:
    """Neither does the name by which the payer knows them, if their own was not confirmed."""
    for number in range(9):
        assert look(alice, known, f"Guess Number{number}").is_confirmed
    Payee.objects.update(typed_name="Carla Cole", name_check=NameCheck.NO_MATCH)
    for _ in range(9):
        assert look(alice, known, "carla cole") == NameCheck.NO_MATCH
    assert look(alice, known, "Bob Brandt") == NameCheck.MATCH


def test_guesses_are_not_look_ups(alice: Any, bobs: BankAccount, settings: Any) -> None:
    """R3.3: each is counted separately."""
    settings.PAYEE_LOOKUPS_PER_HOUR = 3
    acts.know(alice, bobs)
    Payee.objects.update(typed_name="Carla Cole", name_check=NameCheck.NO_MATCH)
    assert [look(alice, bobs, f"Guess Number{number}") for number in range(7)][-1] == NameCheck.NOT_CHECKED


def test_a_held_payment_hides_no_name_that_was_confirmed_meanwhile(alice: Any, sam: Any, pay: Callable) -> None:
    """R2.6, R3.6: a payee who is known by their own name is never hidden again, also not by a later release."""
    held = pay("12345.67", name_given=NameGiven("Bobby", NameCheck.NO_MATCH, all_the_same=True))
    assert held.state == "held"
    pay("1.00", name_given=NameGiven("Bob Brandt", NameCheck.MATCH))
    holds.release_order(actor=sam, order=held, reason="Looked at it.")
    payee = Payee.objects.get(customer=alice)
    assert (payee.typed_name, payee.name_check) == ("", NameCheck.MATCH)
