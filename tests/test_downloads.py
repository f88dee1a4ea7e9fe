"""Files that people take away are limited for each person and hour, pages and API together (C6, ASVS V2.4.1)."""

import ast
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from audit.models import AuditEntry
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.syntax import parsed

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def _limit(settings: Any) -> None:
    assert settings.DOWNLOADS_PER_HOUR == 100
    settings.DOWNLOADS_PER_HOUR = 2


def read(answer: Any) -> int:
    """Return the status, after reading the file to its end: an engine keeps a cursor open until then."""
    answer.getvalue()
    return answer.status_code


def taken() -> int:
    return AuditEntry.objects.filter(action="EXPORT_DOWNLOADED").count()


class Files:
    """Everything that Alice may take away."""

    def __init__(self, account: Any, order: Any) -> None:
        today = timezone.localdate()
        month = f"{today.year}/{today.month:02}"
        self.pages = [
            "/history/movements.csv",
            f"/accounts/{account.public_id}/statements/{today.year}/{today.month}/",
            f"/receipts/{order.public_id}/receipt.pdf",
        ]
        self.operations = [
            f"accounts/{account.number}/statements/{month}",
            f"accounts/{account.number}/statements/{month}/pdf",
            f"orders/{order.public_id}/pdf",
        ]


@pytest.fixture
def files(alice: Any, open_account: Any) -> Files:
    from transfers.models import TransferOrder

    account = open_account(alice, "50.00")
    return Files(account, TransferOrder.objects.filter(target=account).latest("pk"))


@proves("V2.4.1")
def test_beyond_the_limit_no_file_is_made_in_any_way(
    files: Files, alice: Any, browser_of: Any, api_of: Any, subtests: Any
) -> None:
    from foundation.models import RateWindow

    browser, api = browser_of(alice), api_of(alice)
    for path in [*files.pages, *files.operations]:
        is_page = path.startswith("/")
        ask: Any = browser.get if is_page else api.get
        RateWindow.objects.all().delete()
        with subtests.test(path):
            before = taken()
            assert [read(ask(path)) for _ in range(2)] == [200, 200]
            refused = ask(path)
            assert refused.status_code == 429
            assert 3590 <= int(refused["Retry-After"]) <= 3600
            assert taken() == before + 2, "what is refused leaves no entry"
            if is_page:
                assert "That was a lot in a short time, so we paused." in refused.content.decode()
            else:
                assert told(refused) == (429, "too_often")


@proves("V2.4.1")
def test_pages_and_programs_count_together_and_each_person_alone(
    files: Files, alice: Any, bob: Any, browser_of: Any, api_of: Any, open_account: Any
) -> None:
    browser, api = browser_of(alice), api_of(alice)
    assert read(browser.get(files.pages[0])) == 200
    assert api.get(files.operations[1]).status_code == 200
    assert browser.get(files.pages[2]).status_code == 429
    assert told(api.get(files.operations[0])) == (429, "too_often")
    open_account(bob, "5.00")
    assert read(browser_of(bob).get("/history/movements.csv")) == 200
    assert browser.get("/history/").status_code == 200, "pages are not downloads"
    later = timezone.now() + timedelta(hours=1, seconds=1)
    with time_machine.travel(later, tick=False):
        assert read(browser_of(alice).get(files.pages[0])) == 200


@proves("V2.4.1")
@pytest.mark.parametrize("who", ["audrey", "ada"])
def test_lists_of_staff_are_limited_too(who: str, request: Any, browser_of: Any) -> None:
    browser = browser_of(request.getfixturevalue(who))
    path = "/admin/audit/auditentry/export/"
    assert [read(browser.get(path)) for _ in range(3)] == [200, 200, 429]
    assert taken() == 2


def test_a_stranger_takes_no_place_of_anybody(files: Files, alice: Any, charlie: Any, browser_of: Any) -> None:
    # R1.7
    for _ in range(3):
        assert browser_of(charlie).get(files.pages[2]).status_code in {404, 429}
        assert told(ApiClient().get(files.operations[0])) == (401, "token_invalid")
    assert browser_of(alice).get(files.pages[2]).status_code == 200


def test_whatever_records_a_download_counts_it() -> None:
    """A new way for files to leave calls `audit.lists.downloads.count_download` before it makes one."""
    forgot = []
    for path in ROOT.glob("*/**/*.py"):
        if "tests" in path.parts or path.relative_to(ROOT).parts[0].startswith("."):
            continue
        for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                names = {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
                called = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
                if "EXPORT_DOWNLOADED" in names and "count_download" not in called:
                    forgot.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert forgot == []
