"""The page of components, for developers: complete, and absent from an open bank (R8.2, R10.1)."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.asvs import proves

pytestmark = pytest.mark.django_db

# Components that belong to a session and would act on the developer's own.
NOT_SHOWN = {"components/session_dialog.html"}


def shown_by(answer: Any) -> set[str]:
    return {template.name for template in answer.templates if (template.name or "").startswith("components/")}


@proves("V15.2.3")
def test_without_debug_there_is_no_such_page(client: Client, alice: Any, ada: Any, browser_of: Any) -> None:
    # R8.2
    for browser in (client, browser_of(alice), browser_of(ada)):
        for method in (browser.get, browser.head):
            assert method("/components/").status_code == 404
        assert browser.post("/components/").status_code == 405


def test_with_debug_everybody_sees_it(client: Client, alice: Any, browser_of: Any, settings: Any) -> None:
    settings.DEBUG = True
    for browser in (client, browser_of(alice)):
        answer = browser.get("/components/")
        assert answer.status_code == 200
        assert "Content-Security-Policy" in answer.headers


def test_every_component_is_on_it(client: Client, repository: Path, settings: Any) -> None:
    # A new component must be shown there: bankproject/component_page.py has the samples.
    settings.DEBUG = True
    folder = repository / "templates" / "components"
    there_are = {f"components/{path.name}" for path in folder.glob("*.html")}
    assert there_are - shown_by(client.get("/components/")) == NOT_SHOWN


def test_no_included_part_is_forgotten(client: Client, repository: Path, settings: Any) -> None:
    settings.DEBUG = True
    parts = {f"components_shown/{path.name}" for path in (repository / "templates/components_shown").glob("*.html")}
    assert parts <= {template.name for template in client.get("/components/").templates}


def test_all_tones_statuses_and_signs_are_on_it(client: Client, settings: Any) -> None:
    # R10.2
    settings.DEBUG = True
    page = client.get("/components/").content.decode()
    tones = ("notice-success", "notice-info", "notice-warning", "notice-error")
    statuses = ("active", "frozen", "closed", "posted", "held", "released", "rejected", "cancelled", "expired")
    for text in (*tones, *(f"tone-{status}" for status in statuses), "money-in", "money-out", "money-xl", "money-long"):
        assert text in page, text
    assert page.count("data-error-summary") == 1
    assert "A word about the form as a whole." in page
