"""The history page: filters in the address, chips, totals, pages by key, and one movement (R3.7)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.db import transaction
from django.urls import reverse

from accounts.models import BankAccount
from foundation.paging import Cursor
from tests import acts
from tests.asvs import proves
from tests.tables import in_one_world
from transfers import history
from transfers.history import search as filtered
from transfers.history.filters import HistoryFilters
from transfers.ledger import posting as ledger
from transfers.models import Entry, TransactionKind

URL = "/history/"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
KINDS = (TransactionKind.DEPOSIT, TransactionKind.WITHDRAWAL, TransactionKind.INTEREST, TransactionKind.TRANSFER)


def planned(
    user: Any, account: BankAccount, number: int, at: datetime, text: str = "", *, desk: int | None = None
) -> ledger.Planned:
    """Number 1, 2, 3, … of a series: three in, one out; amounts 1.00 and up."""
    amount = Decimal(number % 50 + 1)
    desk = desk or BankAccount.objects.get(ledger_code="cash-0").pk
    goes_out = number % 4 == 1
    legs = ledger.transfer_legs(
        debit=account.pk if goes_out else desk, credit=desk if goes_out else account.pk, amount=amount
    )
    return ledger.Planned(KINDS[number % 4], legs, user, at, text or f"No. {number}")


def post(batch: list[ledger.Planned]) -> None:
    for start in range(0, len(batch), 2000):
        with transaction.atomic():
            ledger.post_many(batch[start : start + 2000])


@pytest.fixture
def two(alice: Any, everyday: BankAccount, savings: BankAccount) -> tuple[BankAccount, BankAccount]:
    """Sixty movements on either account of Alice's, the same moment on both, one each day."""
    rows = [
        planned(alice, account, number, NOON + timedelta(days=number // 2))
        for number in range(2, 62)
        for account in (everyday, savings)
    ]
    post(rows)
    for account in (everyday, savings):
        account.refresh_from_db()
    return everyday, savings


def walk(client: Any, url: str, link: str) -> list[tuple[str, int]]:
    """Return the rows of all pages from `url` on, following `link`."""
    seen: list[tuple[str, int]] = []
    while url:
        context = client.get(url).context
        rows = [(row.account_label, row.sequence) for row in context["entries"]]
        seen = seen + rows if link == "older_url" else rows + seen
        url = context[link]
    return seen


def shown(client: Any, **parameters: Any) -> list[Any]:
    return client.get(URL, parameters).context["entries"]


# --- Pages --------------------------------------------------------------------------------------------------


def test_all_pages_of_all_accounts_hold_every_movement_once_there_and_back(
    alice: Any, browser_of: Callable, two: tuple[BankAccount, BankAccount]
) -> None:
    client = browser_of(alice)
    wanted = [
        (entry.account.display_name, entry.sequence)
        for entry in Entry.objects.filter(account__owner=alice).select_related("account").order_by("-posted_at", "-id")
    ]
    assert len(wanted) == 121
    assert walk(client, URL, "older_url") == wanted
    last = URL
    while (url := client.get(last).context["older_url"]) is not None:
        last = url
    assert walk(client, last, "newer_url") == wanted


@pytest.mark.parametrize(
    "days", [{}, {"date_from": (NOON + timedelta(days=2)).date(), "date_to": NOON.date() + timedelta(20)}]
)
def test_pages_and_totals_over_accounts_are_those_of_all_that_moved_on_them(
    alice: Any, two: tuple[BankAccount, BankAccount], open_account: Callable, monkeypatch: Any, days: dict[str, Any]
) -> None:
    """Whether much or little moved on each, many at one moment, and not in the order of their sequences."""
    third, filters = open_account(alice, "7.00"), HistoryFilters(**days)
    post([planned(alice, third, number, NOON + timedelta(days=number % 7)) for number in range(2, 72)])
    wanted = [
        entry
        for entry in Entry.objects.filter(account__owner=alice).select_related("account").order_by("-posted_at", "-id")
        if not days or days["date_from"] <= entry.posted_at.date() <= days["date_to"]
    ]
    pages = [history.filtered_page(alice, filters)]
    while (after := pages[-1].next_cursor) is not None:
        pages.append(history.filtered_page(alice, filters, after=after))
    rows = [row for page in pages for row in page.items]
    assert [(row.account_id, row.sequence) for row in rows] == [(one.account.public_id, one.sequence) for one in wanted]
    back = [pages[-1]]
    while (before := back[-1].previous_cursor) is not None:
        back.append(history.filtered_page(alice, filters, before=before))
    assert [page.items for page in back[::-1]] == [page.items for page in pages]
    accounts = history.accounts_of(alice)
    for most in (len(wanted) + 200, 30):
        monkeypatch.setattr(filtered, "TOTALLED_ROWS", most)
        totals = history.totals_of(alice, filters, accounts)
        assert totals == history.totals_of(alice, filters)
        assert totals.is_cut == (most == 30)
        assert totals.count == min(len(wanted), most)
        assert totals.money_in - totals.money_out == sum(ledger.signed_amount(entry) for entry in wanted[:most])


def test_the_pages_of_one_account_go_by_its_sequence(
    alice: Any, browser_of: Callable, two: tuple[BankAccount, BankAccount]
) -> None:
    url = HistoryFilters(account=two[0]).url(URL)
    seen = walk(browser_of(alice), url, "older_url")
    assert seen == [("Everyday", number) for number in range(two[0].last_sequence, 0, -1)]


def test_the_account_page_leads_here(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    client = browser_of(alice)
    page = client.get(reverse("account", args=[everyday.public_id]))
    assert page.context["history_url"] == f"{URL}?account={everyday.public_id}"
    assert len(client.get(page.context["history_url"]).context["entries"]) == 1


@in_one_world(
    "key",
    [
        *("x", "-1", "1-2-3", "٣-4", "9" * 30, f"{'9' * 16}-{'9' * 16}", "1", "1-", "%00", "1.5-2"),
        *("9" * 16, "f" * 16, str(UUID(int=2**128 - 1)), str(UUID(int=2**64 + 1))),
    ],
)
def test_an_unknown_key_breaks_nothing(
    alice: Any, browser_of: Callable, two: Any, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setattr(filtered, "PAGE_ROWS", 5)  # which costs less to show
    client = browser_of(alice)
    for name in ("older_than", "newer_than"):
        for account in ({}, {"account": two[0].public_id}):
            assert client.get(URL, {name: key} | account).status_code == 200


def test_beyond_the_end_the_page_says_where_the_movements_are(alice: Any, browser_of: Callable, two: Any) -> None:
    cursor_of_first = Cursor.of(Entry(sequence=1), ("sequence",))
    response = browser_of(alice).get(URL, {"account": two[0].public_id, "older_than": cursor_of_first})
    assert response.context["entries"] == []
    assert "There is nothing on this page" in response.content.decode()


# --- Filters ------------------------------------------------------------------------------------------------


def test_each_filter_lets_through_what_it_says(alice: Any, browser_of: Callable, two: Any) -> None:
    client = browser_of(alice)
    assert {row.account_label for row in shown(client, account=two[1].public_id)} == {"Holidays"}
    assert {row.kind_label for row in shown(client, type="interest")} == {"Interest"}
    assert {abs(row.amount) for row in shown(client, min_amount="49", max_amount="49.00")} == {Decimal(49)}
    days = {row.posted_at.date().isoformat() for row in shown(client, date_from="2026-03-12", date_to="2026-03-13")}
    assert days == {"2026-03-12", "2026-03-13"}
    assert {row.description for row in shown(client, text="no. 17")} == {"No. 17"}
    reference = shown(client)[0].reference
    assert [row.reference for row in shown(client, text=reference.lower()[:9])] == [reference]
    assert [row.description for row in shown(client, account=two[0].public_id, type="deposit", text="NO. 8")] == [
        "No. 8"
    ]


@proves("V1.2.4")
@in_one_world("text", ["größe", "GRÖSSE 50%_", "grosse", "Größe 50%_[a]", "größe 50%_[A]", "%_["])
def test_text_is_found_in_any_case_and_is_not_a_pattern(
    alice: Any, browser_of: Callable, everyday: BankAccount, text: str
) -> None:
    post([planned(alice, everyday, 2, NOON, "Größe 50%_[a]"), planned(alice, everyday, 3, NOON, "Grüße 50x_[a]")])
    found = [row.description for row in shown(browser_of(alice), text=text)]
    assert found == ["Größe 50%_[a]"]


@in_one_world("zone", ["Pacific/Auckland", "America/New_York"])
def test_days_begin_when_they_do_at_the_bank(
    alice: Any, browser_of: Callable, everyday: BankAccount, settings: Any, zone: str
) -> None:
    from zoneinfo import ZoneInfo

    settings.TIME_ZONE = zone
    midnight = datetime(2026, 4, 5, tzinfo=ZoneInfo(zone))  # in Auckland this day has 25 hours
    moments = [midnight - timedelta(seconds=1), midnight, midnight.replace(day=6) - timedelta(microseconds=1)]
    moments.append(midnight.replace(day=6))
    post([planned(alice, everyday, number + 2, at, f"at {number}") for number, at in enumerate(moments)])
    rows = shown(browser_of(alice), date_from="2026-04-05", date_to="2026-04-05")
    assert [row.description for row in rows] == ["at 2", "at 1"]


@in_one_world(
    ("name", "value"),
    [
        ("account", "not an id"),
        ("account", "00000000-0000-4000-8000-000000000000"),
        ("date_from", "2026-02-30"),
        ("date_from", "٢٠٢٦-٠١-٠١"),
        ("date_from", "0001-01-01"),
        ("date_to", "9999-12-31"),
        ("date_to", "31/12/2026"),
        ("date_to", "2026-01-01T00:00"),
        ("type", "heist"),
        ("type", "['deposit']"),
        ("min_amount", "NaN"),
        ("min_amount", "1e9"),
        ("max_amount", "-1"),
        ("max_amount", "1.005"),
        ("max_amount", "9" * 20),
        ("min_amount", "٣"),
        ("text", "a\x00b"),
        ("text", "a\u202eb"),
        ("text", "x" * 141),
    ],
)
def test_nonsense_is_refused_at_its_field(
    alice: Any, browser_of: Callable, everyday: BankAccount, name: str, value: str
) -> None:
    response = browser_of(alice).get(URL, {name: value, "type": "deposit"} | {name: value})
    assert response.status_code == 200
    assert list(response.context["form"].errors) == [name]
    assert "entries" not in response.context
    assert [chip["label"] for chip in response.context["chips"]] == ([] if name == "type" else ["Deposit"])


@proves("V2.2.3")
def test_ranges_that_hold_nothing_are_refused(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    query = {"date_from": "2026-02-01", "date_to": "2026-01-01", "min_amount": "2", "max_amount": "1"}
    response = browser_of(alice).get(URL, query)
    assert list(response.context["form"].errors) == ["date_to", "max_amount"]


def test_the_widest_range_is_fine(alice: Any, browser_of: Callable, two: Any) -> None:
    query = {"date_from": "2000-01-01", "date_to": "2099-12-31", "min_amount": "0", "max_amount": "999999999999.99"}
    assert browser_of(alice).get(URL, query).context["totals"].count == 121


def test_anothers_account_is_not_among_the_choices(
    charlie: Any, browser_of: Callable, everyday: BankAccount, open_account: Callable
) -> None:
    """R1.7."""
    open_account(charlie, "1.00")
    client = browser_of(charlie)
    response = client.get(URL, {"account": everyday.public_id})
    assert list(response.context["form"].errors) == ["account"]
    assert "entries" not in response.context
    assert [row.amount for row in shown(client)] == [Decimal("1.00")]
    assert history.filtered_page(charlie, HistoryFilters(account=everyday)).items == []
    assert history.totals_of(charlie, HistoryFilters(account=everyday)).count == 0


# --- The address --------------------------------------------------------------------------------------------


def test_the_address_holds_only_the_filters_that_are_set(alice: Any, browser_of: Callable) -> None:
    client = browser_of(alice)
    response = client.get(URL, {"account": "", "text": "caf\u00e9 & co", "type": ""})
    assert (response.status_code, response["Location"]) == (302, f"{URL}?text=caf%C3%A9+%26+co")
    assert client.get(URL, {"account": ""})["Location"] == URL


def test_every_filter_is_a_chip_that_takes_it_away(alice: Any, browser_of: Callable, everyday: BankAccount) -> None:
    query = {
        "account": str(everyday.public_id), "date_from": "2026-01-02", "date_to": "2026-03-04", "type": "fee",
        "min_amount": "0", "max_amount": "1234.5", "text": "<b>rent</b>",
    }  # fmt: skip
    response = browser_of(alice).get(URL, query)
    chips = response.context["chips"]
    assert [chip["label"] for chip in chips] == [
        f"Everyday {everyday.masked_number}", "From 2 Jan 2026", "Until 4 Mar 2026", "Fee",
        "At least €0.00", "At most €1,234.50", "“<b>rent</b>”",
    ]  # fmt: skip
    for name, chip in zip(query, chips, strict=True):
        left = {key: values[0] for key, values in parse_qs(urlsplit(chip["url"]).query).items()}
        assert left == {key: value for key, value in query.items() if key != name}
    assert "<b>" not in response.content.decode()
    assert "Nothing matches" in response.content.decode()


def test_pages_keep_the_filters(alice: Any, browser_of: Callable, two: Any) -> None:
    client = browser_of(alice)
    seen = walk(client, f"{URL}?type=deposit", "older_url")
    wanted = Entry.objects.filter(account__owner=alice, transaction__kind="deposit").count()
    assert len(seen) == wanted > 25


# --- Totals -------------------------------------------------------------------------------------------------


def test_the_totals_are_of_all_that_matches_not_of_the_page(alice: Any, browser_of: Callable, two: Any) -> None:
    client = browser_of(alice)
    for query in ({}, {"type": "interest"}, {"account": two[1].public_id, "min_amount": "10"}):
        totals, url, amounts = client.get(URL, query).context["totals"], client.get(URL, query).request, []
        url = f"{url['PATH_INFO']}?{url['QUERY_STRING']}"
        while url:
            context = client.get(url).context
            amounts += [row.amount for row in context["entries"]]
            url = context["older_url"]
        assert totals.count == len(amounts)
        assert totals.money_in == sum((amount for amount in amounts if amount > 0), Decimal(0))
        assert totals.money_out == -sum((amount for amount in amounts if amount < 0), Decimal(0))
        assert not totals.is_cut


def test_where_nothing_is_filtered_less_is_added_up_and_the_download_is_whole(
    alice: Any, browser_of: Callable, two: tuple[BankAccount, BankAccount], monkeypatch: Any
) -> None:
    monkeypatch.setattr(filtered, "TOTALLED_ROWS_AT_FIRST", 10)
    client = browser_of(alice)
    for query in ({}, {"account": two[0].public_id}):
        page = client.get(URL, query)
        assert (page.context["totals"].count, page.context["totals"].is_cut) == (10, True)
        assert "The latest 10 movements" in page.content.decode()
        assert "Download CSV</a>" in page.content.decode()
    assert client.get(URL, {"date_from": "2001-01-01"}).context["totals"].count > 10
    monkeypatch.setattr("transfers.statements.exports.EXPORT_ROWS", 20)
    assert "Download CSV (latest 20)</a>" in client.get(URL).content.decode()


@proves("V1.4.2")
def test_totals_stop_before_they_overflow(alice: Any, two: Any, settings: Any, monkeypatch: Any) -> None:
    assert filtered.totalled_rows() == 50_000
    settings.CURRENCY = "BHD"  # three decimals
    assert filtered.totalled_rows() * 10**15 <= 2**63 - 1
    settings.CURRENCY = "EUR"
    monkeypatch.setattr(filtered, "TOTALLED_ROWS", 10)
    totals = history.totals_of(alice, HistoryFilters())
    latest = Entry.objects.filter(account__owner=alice).select_related("account").order_by("-posted_at", "-id")[:10]
    assert (totals.count, totals.is_cut) == (10, True)
    assert totals.money_in - totals.money_out == sum(ledger.signed_amount(entry) for entry in latest)


# --- Empty, and one movement --------------------------------------------------------------------------------


def test_who_has_nothing_yet_is_told_what_comes_next(
    charlie: Any, browser_of: Callable, open_account: Callable
) -> None:
    """R10.3."""
    client = browser_of(charlie)
    assert reverse("account_open") in client.get(URL).content.decode()
    open_account(charlie)
    assert "Nothing has moved yet" in client.get(URL).content.decode()


def test_a_movement_has_a_page_with_the_counterpart_and_the_receipt(
    alice: Any, browser_of: Callable, everyday: BankAccount, bobs: BankAccount, new_key: Callable
) -> None:
    order = acts.transfer(
        actor=alice,
        source=everyday,
        target=bobs,
        amount=Decimal("12.34"),
        description="=1+1",
        idempotency_key=new_key(),
    )
    url = f"/history/{everyday.public_id}/2/"
    assert f'href="{url}"' in browser_of(alice).get(URL).content.decode()
    page = browser_of(alice).get(url)
    text = page.content.decode()
    for part in (
        "Bob Brandt",
        bobs.masked_number,
        "€12.34",
        "€87.66",
        "=1+1",
        reverse("receipt", args=[order.public_id]),
    ):
        assert part in text
    assert bobs.number not in text
    theirs = browser_of(bobs.owner).get(f"/history/{bobs.public_id}/1/")
    assert theirs.context["entry"].amount == Decimal("12.34")
    assert "Alice Archer" in theirs.content.decode()


@in_one_world("sequence", ["0", "2", "9" * 19, "9" * 40])
def test_a_movement_that_is_not_there_is_not_found(
    alice: Any, browser_of: Callable, everyday: BankAccount, sequence: str
) -> None:
    assert browser_of(alice).get(f"/history/{everyday.public_id}/{sequence}/").status_code == 404


def test_the_history_is_for_its_owner_alone(
    charlie: Any, sam: Any, browser_of: Callable, everyday: BankAccount
) -> None:
    """R1.7."""
    one = f"/history/{everyday.public_id}/1/"
    assert browser_of(charlie).get(one).status_code == 404
    assert "100.00" not in browser_of(charlie).get(URL).content.decode()
    for url in (URL, one):
        assert browser_of(sam).get(url).status_code == 403
