"""Looking writes nothing (issue 16; R1.6, R8.2): a GET of a user who is noted already commits nothing, by page or API.

The staff's area, everybody else, and HEAD: `slow/test_looking_everywhere`.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import chain
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Registration, TotpDevice, UserSession
from tests.access.looking import WRITES, noted_now, of_pages, of_the_api, statements_but_reading, unforeseen, writes_of
from tests.access.visitors import INSIDE, Walkers
from tests.access.world import World
from tests.acts import copy_of, give_password, link_for, register
from tests.asvs import proves
from tests.staff_acts import fresh_code

ALICE = next(visitor for visitor in INSIDE if visitor.is_alice)


@proves("V3.5.3")
@pytest.mark.django_db
def test_a_customer_looks_at_everything_and_writes_only_what_is_listed(world: World, walkers: Walkers) -> None:
    wrote = writes_of(walkers(ALICE), chain(of_pages(world), of_the_api(world)), "get")
    assert unforeseen(wrote) == {}
    named = {name for name in WRITES if not name.startswith("/")}
    assert set(wrote) == named, "what no longer writes leaves the list"
    for name, told in wrote.items():
        is_review = name in {"transfer_review", "deposit_confirm", "withdraw_confirm"}
        # A download is counted and audited.
        tables = {"django_session"} if is_review else {"audit_auditentry", "foundation_ratewindow"}
        assert {sql.split()[0] for sql in told} <= {"INSERT", "UPDATE", "SAVEPOINT", "RELEASE"}
        assert all(any(table in sql for table in tables) for sql in told if "SAVEPOINT" not in sql), name
        assert is_review or all(any(table in sql for sql in told) for table in tables), name


@pytest.mark.django_db(transaction=True)
def test_ten_pages_in_a_row_commit_nothing_and_the_next_after_fifteen_seconds_does(
    alice: Any, open_account: Any, browser_of: Callable[..., Client]
) -> None:
    # docs/scaling.md, “What reaches its limit first”: it was one for each page.
    open_account(alice, "100.00")
    browser = browser_of(alice)
    with statements_but_reading() as told:
        for path in ("/dashboard/", "/history/", "/payees/", "/profile/", "/help/") * 2:
            assert browser.get(path).status_code == 200
        assert told == []
        UserSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=15))
        told.clear()
        for path in ("/dashboard/", "/history/", "/payees/", "/profile/", "/help/") * 2:
            assert browser.get(path).status_code == 200
        assert not connection.in_atomic_block
    (moved,) = told  # by itself, outside any transaction: one commit
    assert re.match(r'UPDATE "?\[?accounts_usersession"?\]? SET "?\[?last_seen_at"?\]? = %s WHERE ', moved)


@pytest.mark.django_db(transaction=True)
def test_a_program_that_reads_commits_once_a_minute(alice: Any, open_account: Any, api_of: Any) -> None:
    open_account(alice, "100.00")
    program = api_of(alice)
    for idle, commits in ((0, 0), (59, 0), (60, 1)):
        UserSession.objects.update(last_seen_at=timezone.now() - timedelta(seconds=idle))
        with statements_but_reading() as told:
            for path in ("auth/session", "accounts", "transactions", "payees", "profile") * 2:
                assert program.get(path).status_code == 200
        assert len(told) == commits


# --- In the middle of something ------------------------------------------------------------------------------------


def writes_nothing(browser: Client, path: str, user: Any = None) -> bool:
    """Return whether an existing page writes nothing, looked at once and once more."""
    if user:
        noted_now(user)
    with statements_but_reading() as told:
        answers = [browser.get(path), browser.head(path), browser.get(path)]
    assert [answer.status_code for answer in answers] == [200] * 3, path
    return told == []


@pytest.mark.django_db
def test_a_payment_or_a_withdrawal_under_review_is_looked_at_without_a_write(
    alice: Any, bob: Any, open_account: Any, browser_of: Callable[..., Client]
) -> None:
    account, browser = open_account(alice, "5000.00"), browser_of(alice)
    to = {"source": str(account.public_id), "number": open_account(bob).number, "amount": "1200.00"}
    to |= {"name": "Bob Brandt", "description": ""}
    review = browser.post("/transfer/send/", to)["Location"]
    assert writes_nothing(browser, review, alice), "a first payee, so a code is asked for"
    draft = re.search(r"[0-9a-f-]{36}", review)
    assert draft
    assert writes_nothing(browser, f"/transfer/send/?draft={draft.group()}", alice)
    for way in ("withdraw", "deposit"):
        review = browser.post(f"/accounts/{account.public_id}/{way}/", {"amount": "1500.00"})["Location"]
        assert writes_nothing(browser, review, alice)


@pytest.mark.django_db
def test_a_secret_that_is_being_shown_is_looked_at_without_a_write(
    alice: Any, browser_of: Callable[..., Client], code_of: Callable[[Any], str]
) -> None:
    browser = browser_of(alice)
    assert browser.post("/profile/recovery-codes/", {"code": code_of(alice)}).status_code == 302
    assert writes_nothing(browser, "/two-factor/recovery-codes/", alice)
    TotpDevice.objects.filter(user=alice).update(last_step=-1)
    assert browser.post("/profile/authenticator/", {"code": code_of(alice)}).status_code == 302
    assert writes_nothing(browser, "/profile/authenticator/new/", alice)


@pytest.mark.django_db
def test_between_password_and_code_nothing_is_written_but_a_new_authenticators_secret(
    alice: Any, make_user: Any, client: Client
) -> None:
    give_password(client, alice.email)
    assert writes_nothing(client, "/sign-in/code/")
    newcomer = Client()
    give_password(newcomer, make_user("Dora", two_factor=False).email)
    with statements_but_reading() as told:
        assert newcomer.get("/two-factor/enrol/").status_code == 200
    assert "accounts_totpdevice" in " ".join(told), "the secret that is shown is kept, once"
    assert writes_nothing(newcomer, "/two-factor/enrol/")


@pytest.mark.django_db
def test_a_link_of_a_mail_is_opened_without_a_write(
    alice: Any, browser_of: Callable[..., Client], code_of: Callable[[Any], str], client: Client
) -> None:
    # R8.2: programs that look for viruses open them, too.
    from tests.plugin import PASSWORD

    register(client)
    assert Registration.objects.exists()
    client.post("/password/forgot/", {"email": alice.email})
    for email in ("nora@example.com", alice.email):
        assert writes_nothing(Client(), link_for(email))
    browser = browser_of(alice)
    form = {"email": "alice@new.example.com", "password": PASSWORD, "code": code_of(alice)}
    assert browser.post("/profile/email/", form).status_code == 302
    browser.get("/profile/")
    assert writes_nothing(browser, link_for("alice@new.example.com"), alice)


@pytest.mark.django_db
def test_a_message_is_written_by_the_form_and_taken_away_by_the_page_that_shows_it(
    alice: Any, browser_of: Callable[..., Client]
) -> None:
    """Why a page may write after a form: its message is shown once."""
    browser = browser_of(alice)
    browser.post("/profile/sessions/end-others/", {"code": fresh_code(alice)})
    with statements_but_reading() as told:
        assert "There was no other session." in browser.get("/profile/").content.decode()
    assert [sql for sql in told if "SAVEPOINT" not in sql and "django_session" not in sql] == []
    assert len([sql for sql in told if sql.startswith("UPDATE")]) == 1
    assert writes_nothing(browser, "/profile/", alice)


@pytest.mark.django_db
def test_the_next_request_of_an_expired_session_records_its_end(alice: Any, browser_of: Callable[..., Client]) -> None:
    """Why the last request of a session writes: its end is in the audit log (R6.1), and its cookie opens nothing."""
    browser = browser_of(alice)
    other = copy_of(browser)
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(minutes=6))
    with statements_but_reading() as told:
        assert browser.get("/profile/").status_code == 302
    written = " ".join(told)
    assert "audit_auditentry" in written
    assert "accounts_usersession" in written
    with statements_but_reading() as told:
        assert other.get("/profile/").status_code == 302
    assert told == []
