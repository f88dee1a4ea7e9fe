"""Auditors filter the log and all transactions, and download them as they are filtered (R6.4)."""

import csv
import io
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied

from accounts.models import AccountKind, BankAccount, User
from audit.actions import Action
from audit.lists import exporting
from audit.models import AuditEntry
from audit.services import record
from tests.admin_lists import url
from tests.asvs import proves
from tests.tables import in_one_world
from transfers.models import Entry, Transaction, TransferOrder

pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(alice: Any, bob: Any, open_account: Any, new_key: Any) -> dict[str, Any]:
    """Alice has paid Bob 12.50, described as a formula, and moved 3.00 to her savings."""
    mine, his = open_account(alice, "100.00"), open_account(bob, "7.00")
    savings = open_account(alice, kind=AccountKind.SAVINGS)
    for target, amount in ((his, "12.50"), (savings, "3.00")):
        transfer(alice, mine, target, amount, new_key())
    return {"mine": mine, "his": his, "savings": savings}


def transfer(actor: Any, source: Any, target: Any, amount: str, key: str) -> None:
    """Transfer straight through the ledger: these tests are about lists."""
    from django.db import transaction
    from django.utils import timezone

    from transfers.ledger import posting as ledger
    from transfers.models import TransactionKind

    legs = ledger.transfer_legs(debit=source.pk, credit=target.pk, amount=Decimal(amount))
    with transaction.atomic():
        ledger.post(kind=TransactionKind.TRANSFER, legs=legs, initiated_by=actor, at=timezone.now(), description="=1+1")


def amounts(browser: Any, **parameters: str) -> list[str]:
    """Return the amounts of the transactions on the list's page."""
    changes = browser.get(url(Transaction, "changelist"), parameters).context["cl"]
    return [f"{row.amount:f}" for row in changes.result_list]


def test_transactions_are_filtered_by_who_began_them(paid: Any, audrey: Any, browser_of: Any) -> None:
    browser = browser_of(audrey)
    assert amounts(browser, user="ALICE@example.com ") == ["3.00", "12.50", "100.00"]
    assert amounts(browser, user="bob@example.com") == ["7.00"]
    assert amounts(browser, user="alice@example.com", kind__exact="deposit") == ["100.00"]


def test_transactions_are_filtered_by_account(paid: Any, audrey: Any, browser_of: Any) -> None:
    browser = browser_of(audrey)
    assert amounts(browser, account=paid["his"].number_grouped) == ["12.50", "7.00"]
    assert amounts(browser, account=paid["savings"].number) == ["3.00"]
    assert amounts(browser, account=paid["savings"].number, user="bob@example.com") == []


def test_transactions_are_filtered_by_amount_the_largest_first(paid: Any, audrey: Any, browser_of: Any) -> None:
    browser = browser_of(audrey)
    assert amounts(browser, amount_from="7") == ["100.00", "12.50", "7.00"]
    assert amounts(browser, amount_to="7.00") == ["7.00", "3.00"]
    assert amounts(browser, amount_from="7.01", amount_to="99.99") == ["12.50"]
    assert amounts(browser, amount_from="50", amount_to="5") == []


@in_one_world(
    ("parameters", "said"),
    [
        ({"user": "nobody@example.com"}, "Nobody has this e-mail address."),
        ({"user": "x" * 300}, "This is too long."),
        ({"account": "1234 5678 9012"}, "not a valid account number"),
        ({"amount_from": "12.345"}, "at most two decimals"),
        ({"amount_to": "-1"}, "less than zero"),
        ({"amount_to": "1e3"}, "Enter an amount, for example"),
    ],
)
def test_what_means_nothing_is_said_and_shows_nothing(
    parameters: dict[str, str], said: str, paid: Any, audrey: Any, browser_of: Any
) -> None:
    page = browser_of(audrey).get(url(Transaction, "changelist"), parameters)
    assert said in page.content.decode()
    assert list(page.context["cl"].result_list) == []


def test_a_number_that_nobody_has_and_one_that_was_tampered_with_show_nothing(
    paid: Any, audrey: Any, browser_of: Any
) -> None:
    # R8.1: a digest that was moved to another row finds nothing.
    browser, mine, his = browser_of(audrey), paid["mine"], paid["his"]
    digest = mine.number_digest
    BankAccount.objects.filter(pk=mine.pk).update(number_digest=None)
    page = browser.get(url(Entry, "changelist"), {"account": mine.number})
    assert "No account has this number." in page.content.decode()
    BankAccount.objects.filter(pk=his.pk).update(number_digest=digest)
    page = browser.get(url(Entry, "changelist"), {"account": mine.number})
    assert "tampered" in page.content.decode()
    assert list(page.context["cl"].result_list) == []


def test_entries_and_orders_are_filtered_by_account_and_person(paid: Any, audrey: Any, browser_of: Any) -> None:
    browser = browser_of(audrey)
    entries = browser.get(url(Entry, "changelist"), {"account": paid["his"].number}).context["cl"].result_list
    assert [entry.sequence for entry in entries] == [2, 1]
    of_bob = browser.get(url(TransferOrder, "changelist"), {"user": "bob@example.com"}).context["cl"].result_list
    assert {order.initiator.email for order in of_bob} == {"bob@example.com"}
    from_mine = browser.get(url(TransferOrder, "changelist"), {"account": paid["mine"].number})
    assert list(from_mine.context["cl"].result_list) == []


def test_a_filter_keeps_what_else_was_chosen(paid: Any, audrey: Any, browser_of: Any) -> None:
    page = browser_of(audrey).get(
        url(Transaction, "changelist"), {"kind__exact": "deposit", "amount_from": "5", "p": "1"}
    )
    form = page.content.decode().split('class="typed-filter ')[1].split("</form>")[0]
    assert '<input type="hidden" name="kind__exact" value="deposit">' in form
    assert '<input type="hidden" name="amount_from" value="5">' in form
    assert 'name="p"' not in form


def test_people_are_filtered_by_state_and_found_by_beginnings(
    alice: Any, bob: Any, charlie: Any, audrey: Any, browser_of: Any
) -> None:
    from django.utils import timezone

    User.objects.filter(pk=bob.pk).update(locked_at=timezone.now())
    User.objects.filter(pk=charlie.pk).update(is_active=False)
    browser = browser_of(audrey)

    def people(**parameters: str) -> set[str]:
        changes = browser.get(url(User, "changelist"), parameters).context["cl"]
        return {user.first_name for user in changes.result_list}

    assert people(locked="yes") == {"Bob"}
    assert people(is_active__exact="0") == {"Charlie"}
    assert people(is_active__exact="1") == {"Alice", "Bob", "Audrey"}
    assert people(q="al") == people(q="ALICE arch") == {"Alice"}
    assert people(q="lice") == people(q="al_ce") == people(q="%") == set()
    for forged in ({"locked": "x"}, {"is_active__exact": "x"}, {"role": "x"}):
        assert people(**forged) == set(), forged


def test_a_search_that_finds_too_many_says_so(
    alice: Any, bob: Any, audrey: Any, browser_of: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("foundation.admin.read_only.MOST_FOUND", 1)
    page = browser_of(audrey).get(url(User, "changelist"), {"q": "a"}, follow=True)
    assert "More than 1 match" in page.content.decode()


def test_the_log_is_filtered_by_action_person_and_account(
    paid: Any, alice: Any, ada: Any, audrey: Any, browser_of: Any
) -> None:
    record(Action.ACCOUNT_FROZEN, actor=ada, subject=paid["mine"], concerns=alice)
    browser = browser_of(audrey)

    def actions(**parameters: str) -> list[str]:
        changes = browser.get(url(AuditEntry, "changelist"), parameters).context["cl"]
        return [entry.action for entry in changes.result_list]

    assert actions(action__exact="ACCOUNT_FROZEN") == ["ACCOUNT_FROZEN"]
    assert actions(action__exact="ACCOUNT_EATEN") == []
    assert actions(actor="ada@example.com") == ["ACCOUNT_FROZEN"]
    assert actions(concerns="alice@example.com") == ["ACCOUNT_FROZEN"]
    assert "ACCOUNT_FROZEN" not in actions(actor="alice@example.com")
    assert set(actions(account=paid["mine"].number)) == {"ACCOUNT_FROZEN", "ACCOUNT_CREATED"}
    assert set(actions(q=str(paid["mine"].public_id))) == {"ACCOUNT_FROZEN", "ACCOUNT_CREATED"}
    assert actions(q="no such thing") == []


# --- Downloads ----------------------------------------------------------------------------------------------


def rows_of(answer: Any) -> list[dict[str, str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_an_auditor_downloads_transactions_as_they_are_filtered(paid: Any, audrey: Any, browser_of: Any) -> None:
    browser = browser_of(audrey)
    chosen = {"account": paid["his"].number, "user": "alice@example.com"}
    page = browser.get(url(Transaction, "changelist"), chosen)
    assert f"{url(Transaction, 'export')}?" in page.content.decode()
    answer = browser.get(url(Transaction, "export"), chosen)
    assert answer["Content-Disposition"].startswith('attachment; filename="transaction-')
    assert "no-store" in answer["Cache-Control"]
    (row,) = rows_of(answer)
    assert (row["Amount"], row["From"], row["To"]) == (
        "12.50", paid["mine"].masked_number, paid["his"].masked_number,
    )  # fmt: skip
    assert row["Description"] == "'=1+1", "no spreadsheet runs it"
    entry = AuditEntry.objects.get(action="EXPORT_DOWNLOADED")
    assert entry.actor_id == audrey.pk
    assert entry.details["filters"] == {"account": "…", "user": "alice@example.com"}
    assert entry.details["list"] == "transaction"


def test_an_auditor_downloads_the_log(paid: Any, ada: Any, audrey: Any, browser_of: Any) -> None:
    record(Action.USER_UPDATED, actor=ada, subject=ada, details={"reason": "=cmd"})
    (row,) = rows_of(browser_of(audrey).get(url(AuditEntry, "export"), {"action__exact": "USER_UPDATED"}))
    assert (row["Actor"], row["Details"]) == ("ada@example.com", '{"reason": "=cmd"}')
    everything = rows_of(browser_of(audrey).get(url(AuditEntry, "export")))
    assert len(everything) == AuditEntry.objects.count()
    assert everything[0]["Action"] == "EXPORT_DOWNLOADED", "the latest first"


@proves("V2.4.1", "V16.3.3")
def test_a_download_is_bounded(paid: Any, audrey: Any, browser_of: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(exporting, "EXPORT_ROWS", 2)
    assert len(rows_of(browser_of(audrey).get(url(Transaction, "export")))) == 2


def test_a_download_asks_for_no_row_by_itself(
    paid: Any, alice: Any, audrey: Any, browser_of: Any, new_key: Any, django_assert_max_num_queries: Any
) -> None:
    browser = browser_of(audrey)
    for _ in range(20):
        transfer(alice, paid["mine"], paid["his"], "0.50", new_key())
    with django_assert_max_num_queries(17):  # three of them count the download
        assert len(rows_of(browser.get(url(Transaction, "export")))) > 20


@in_one_world("query", ["user=nobody@example.com", "amount_from=x", "created_at__month=2", "kind__exact=%00"])
def test_filters_that_mean_nothing_download_nothing(query: str, paid: Any, audrey: Any, browser_of: Any) -> None:
    answer = browser_of(audrey).get(f"{url(Transaction, 'export')}?{query}")
    assert (answer.status_code, answer["Location"]) == (302, url(Transaction, "changelist"))
    assert not AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").exists()


@proves("V8.2.1")
@in_one_world("who", ["alice", "sam"])
def test_others_download_nothing(who: str, paid: Any, request: Any, browser_of: Any) -> None:
    user = request.getfixturevalue(who)
    for model in (Transaction, AuditEntry):
        assert browser_of(user).get(url(model, "export")).status_code == 403
    with pytest.raises(PermissionDenied):
        exporting.export_rows(
            AuditEntry.objects.all(), actor=user, permission="audit.export_auditentry", columns=(),
            cells=lambda row: (), filters={},
        )  # fmt: skip
    assert not AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").exists()


def test_who_sees_a_list_and_may_not_download_it_has_no_button(
    paid: Any, audrey: Any, browser_of: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("transfers.admin.TransactionAdmin.export_permission", "transfers.no_such_thing")
    browser = browser_of(audrey)
    assert "Download as CSV" not in browser.get(url(Transaction, "changelist")).content.decode()
    assert browser.get(url(Transaction, "export")).status_code == 403
