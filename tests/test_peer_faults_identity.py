"""Faults of a known peer that must never be ours: those about people, secrets and pages (end of REQUIREMENTS)."""

import inspect
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.account_numbers import InvalidAccountNumber, parse_number
from accounts.models import BankAccount, RecoveryCode, TotpDevice, User
from audit.models import AuditEntry
from foundation import outbox
from foundation.models import OutboxMessage
from foundation.money import InvalidAmount, parse_amount
from foundation.request_context import trusted_networks
from tests import acts
from tests.acts import (
    NEWCOMER,
    WRONG_PASSWORD,
    give_code,
    give_password,
    hashing,
    is_signed_in,
    link_for,
    mails,
    register,
)
from tests.asvs import proves
from tests.plugin import PASSWORD

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def test_sign_in_with_a_missing_credential(alice: Any, code_of: Any) -> None:
    # R1.2: no field, an empty one, a null, or only the second step.
    for data in ({}, {"email": alice.email}, {"email": alice.email, "password": ""}, {"password": PASSWORD}):
        browser = Client()
        browser.post("/sign-in/", data)
        give_code(browser, code_of(alice))
        assert not is_signed_in(browser), data
    browser = Client()
    give_password(browser, alice.email)
    for data in ({}, {"code": ""}, {"token": code_of(alice)}):
        browser.post("/sign-in/code/", data)
        assert not is_signed_in(browser), data


@pytest.mark.parametrize("value", [123456789012, 1.0, True, None, ["1"], {"a": 1}])
def test_an_account_number_in_another_json_type(value: Any, alice: Any, open_account: Any) -> None:
    # R2.2: it dodged the peer's check that source and target differ.
    account = open_account(alice)
    others: list[Any] = [value, int(account.number or 0), [account.number]]
    for wrong in others:
        with pytest.raises(InvalidAccountNumber):
            parse_number(wrong)


@pytest.mark.parametrize("text", ["NaN", "nan", "Infinity", "-Infinity", "1e3", "1e400", "-5", "0", "0.001", "１２"])
def test_amounts_that_are_not_amounts(text: str, alice: Any, open_account: Any, browser_of: Any) -> None:
    # R3.2: refused by the parser and by a page that uses it; nothing moves.
    with pytest.raises(InvalidAmount):
        parse_amount(text)
    account = open_account(alice, "5.00")
    key = "5b1f0f0e-0000-4000-8000-000000000001"
    answer = browser_of(alice).post(f"/accounts/{account.public_id}/deposit/", {"key": key, "amount": text})
    assert answer.status_code == 200
    assert "amount" in answer.context["form"].errors
    account.refresh_from_db()
    assert str(account.balance) == "5.00"


def test_no_float_in_the_code_that_handles_money(repository: Path) -> None:
    # R3.2: float residue. Seconds, in the limiter, are not money.
    from foundation import money

    assert not re.search(r"\bfloat\(|: float|-> float|/ 100\b|\* 100\b", inspect.getsource(money))
    for path in [*(repository / "transfers").glob("*.py"), *(repository / "transfers" / "services").glob("*.py")]:
        assert not re.search(r"\bfloat\(|: float\b|-> float\b|FloatField", path.read_text()), path


def test_a_locked_users_old_session_still_working(alice: Any, browser_of: Any, open_account: Any) -> None:
    # R1.5: at once, for reading and for moving money.
    account = open_account(alice, "5.00")
    browser = browser_of(alice)
    User.objects.filter(pk=alice.pk).update(locked_at=timezone.now())
    assert browser.get("/dashboard/").status_code == 302
    key = "5b1f0f0e-0000-4000-8000-000000000001"
    answer = browser.post(f"/accounts/{account.public_id}/withdraw/", {"key": key, "amount": "1"})
    assert answer["Location"] == "/sign-in/"
    account.refresh_from_db()
    assert str(account.balance) == "5.00"
    assert give_password(Client(), alice.email).status_code == 200


def test_a_session_surviving_sign_out(alice: Any, browser_of: Any) -> None:
    # R1.6: the copied cookie of a session that was signed out.
    browser, thief = browser_of(alice), Client()
    thief.cookies["sessionid"] = browser.cookies["sessionid"].value
    assert is_signed_in(thief)
    browser.post("/sign-out/")
    assert not is_signed_in(thief)
    assert not is_signed_in(browser)


def test_credentials_changed_without_the_old_one(alice: Any, browser_of: Any, client: Client) -> None:
    # R1.8: neither the password by a stolen session, nor the second factor by a stolen password.
    browser = browser_of(alice)
    new = {"new_password1": "a brand new long sentence", "new_password2": "a brand new long sentence"}
    for old in ({}, {"old_password": ""}, {"old_password": WRONG_PASSWORD}):
        browser.post("/password/", new | old)
    key = TotpDevice.objects.get(user=alice).key
    give_password(client, alice.email)
    client.get("/two-factor/enrol/")
    client.post("/two-factor/enrol/", {"code": "123456"})
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)
    assert TotpDevice.objects.get(user=alice).key == key
    assert not RecoveryCode.objects.exists()


def test_a_secret_stored_where_people_can_read_it(client: Client, code_of: Any) -> None:
    # R6.2, R4.2: no password, code or secret in the log, the outbox or the session.
    register(client)
    client.post(link_for(NEWCOMER["email"]), {"password": PASSWORD})
    client.get("/two-factor/enrol/")
    nora = User.objects.get()
    code, secret = code_of(nora), TotpDevice.objects.get().key
    page = client.post("/two-factor/enrol/", {"code": code}, follow=True).content.decode()
    recovery = re.findall(r"<li>([2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4})</li>", page)
    text = str(list(AuditEntry.objects.values())) + str([row.payload for row in OutboxMessage.objects.all()])
    text += str(dict(client.session.items()))
    assert len(recovery) == 10
    assert not any(word in text for word in (PASSWORD, secret, *recovery))


CHANGES = ["/sign-out/", "/accounts/open/?kind=checking&key=5b1f0f0e-0000-4000-8000-000000000001"]


@pytest.mark.parametrize("method", ["get", "head"])
def test_a_state_change_by_get(method: str, alice: Any, browser_of: Any, open_account: Any) -> None:
    # R8.2: with everything that the form would send in the address.
    account = open_account(alice)
    browser = browser_of(alice)
    here = f"/accounts/{account.public_id}"
    query = "?key=5b1f0f0e-0000-4000-8000-000000000002&amount=5"
    before = AuditEntry.objects.count()
    for path in (*CHANGES, f"{here}/deposit/{query}", f"{here}/withdraw/{query}", f"{here}/close/"):
        getattr(browser, method)(path)
    new = "?old_password=x&new_password1=a-brand-new-sentence&new_password2=a-brand-new-sentence"
    getattr(browser, method)(f"/password/{new}")
    assert is_signed_in(browser)
    assert AuditEntry.objects.count() == before
    assert BankAccount.objects.get(owner=alice).is_active


def test_a_state_change_by_a_stranger(alice: Any, charlie: Any, browser_of: Any, open_account: Any) -> None:
    # R1.7: another customer's things do not exist for him.
    account = open_account(alice, "5.00")
    empty = open_account(alice)
    browser = browser_of(charlie)
    data = {"key": "5b1f0f0e-0000-4000-8000-000000000001", "amount": "1", "owner": alice.pk, "user": alice.pk}
    for page in ("deposit", "withdraw"):
        assert browser.post(f"/accounts/{account.public_id}/{page}/", data).status_code == 404
    assert browser.post(f"/accounts/{empty.public_id}/close/").status_code == 404
    account.refresh_from_db()
    empty.refresh_from_db()
    assert (str(account.balance), empty.is_active) == ("5.00", True)


def test_telling_whether_somebody_banks_here(alice: Any) -> None:
    # R1.1, R1.2: by sign-in, by registration, by a lockout.
    def seen(email: str) -> list[Any]:
        browser = Client()
        with hashing() as runs:
            answers = [give_password(browser, email, WRONG_PASSWORD) for _ in range(5)]
            answers += [register(browser, email=email), browser.get("/register/sent/")]
        texts = [
            re.sub(r'csrfmiddlewaretoken" value="\w+"', "", answer.content.decode().replace(email, ""))
            for answer in answers
        ]
        return [[answer.status_code for answer in answers], texts, len(runs)]

    with time_machine.travel(NOON, tick=False):
        assert seen("alice@example.com") == seen("nobody@example.com")


@pytest.mark.parametrize(
    "text", ["' OR '1'='1", "alice@example.com' --", "'; DROP TABLE accounts_user; --", "\x00", "%"]
)
def test_sql_error_text_reaching_the_client(text: str, alice: Any, browser_of: Any) -> None:
    # R8.3: typed anywhere, it is text.
    browser, stranger = browser_of(alice), Client()
    answers = [
        stranger.post("/sign-in/", {"email": text, "password": text, "next": text}),
        stranger.get("/register/confirm/x/", {"token": text}),
        register(stranger, first_name=text, email="n@example.com"),
        browser.get("/transfer/send/", {"from": text, "draft": text}),
        browser.post("/transfer/send/", {"source": text, "number": text, "amount": text, "description": text}),
        browser.post("/accounts/open/", {"kind": text, "nickname": text, "key": text}),
    ]
    for answer in answers:
        page = answer.content.decode()
        assert answer.status_code in (200, 302, 404)
        assert not re.search("sqlite|OperationalError|syntax error|Traceback|DataError", page, re.IGNORECASE)
    assert not is_signed_in(stranger)
    assert User.objects.filter(email="alice@example.com").exists()


def test_rate_limits_that_count_page_loads(alice: Any, client: Client, code_of: Any) -> None:
    # R1.4, R3.9: only guesses and confirmed submits count.
    for _ in range(8):
        client.get("/sign-in/")
    give_password(client, alice.email)
    for _ in range(8):
        client.get("/sign-in/code/")
        give_code(client, "")
    give_code(client, code_of(alice))
    assert is_signed_in(client)
    for _ in range(8):
        assert client.get("/transfer/send/").status_code == 200


def test_rate_limits_that_ignore_the_proxy(alice: Any, settings: Any) -> None:
    # R1.4: behind our proxy two visitors are two; in front of it a forged header is ignored.
    settings.TRUSTED_PROXIES = trusted_networks(["10.0.0.1/32"])
    with time_machine.travel(NOON, tick=False):
        for number in range(5):
            forged = f"192.0.2.{number}, 198.51.100.1"
            answer = give_password(
                Client(), alice.email, WRONG_PASSWORD, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=forged
            )
        assert answer.status_code == 429
        other = give_password(Client(), alice.email, REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="198.51.100.2")
        assert other.status_code == 302
        for number in range(5):
            answer = give_password(
                Client(),
                alice.email,
                WRONG_PASSWORD,
                REMOTE_ADDR="203.0.113.5",
                HTTP_X_FORWARDED_FOR=f"192.0.2.{number}",
            )
        assert answer.status_code == 429


@proves("V1.2.1", "V1.3.7")
def test_a_description_rendered_as_html_or_run_as_a_template(
    alice: Any, bob: Any, open_account: Any, browser_of: Any
) -> None:
    # R8.3: on the pages of both sides and in their mails.
    typed = "<img src=x onerror=alert(1)> {{ 7|add:7 }} {% csrf_token %}"
    source, target = open_account(alice, "50.00", nickname="<b>Mine</b>"), open_account(bob)
    browser = browser_of(alice)
    acts.know(alice, target)
    form = {"source": str(source.public_id), "number": target.number, "amount": "1.00", "description": typed}
    review = browser.post("/transfer/send/", form)["Location"]
    pages = [browser.get(review), browser.post(review, follow=True), browser.get("/dashboard/")]
    pages += [browser.get(f"/accounts/{source.public_id}/")]
    other = browser_of(bob)
    pages += [other.get("/dashboard/"), other.get(f"/accounts/{target.public_id}/")]
    texts = [page.content.decode() for page in pages]
    texts += [mail.html_message for mail in mails() if "EUR" in mail.subject or "€" in mail.subject]
    assert len(texts) == 8
    for text in texts:
        assert "<img src=x" not in text
        assert "<b>Mine" not in text
    assert sum("{{ 7|add:7 }}" in text for text in texts) >= 6
    assert sum("&lt;img src=x" in text for text in texts) >= 6


def test_a_link_that_works_forever(client: Client) -> None:
    # R1.1
    with time_machine.travel(NOON, tick=False) as clock:
        register(client)
        link = link_for(NEWCOMER["email"])
        clock.shift(timedelta(hours=24, seconds=1))
        assert client.post(link, {"password": PASSWORD}).status_code == 404
    assert outbox.expand_waiting() == 0
    assert not User.objects.exists()
