"""Values that nobody means, for every argument of every route: never a fault of ours (R8.2)."""

from typing import Any

import pytest
from django.urls import NoReverseMatch, reverse

from tests.addresses import USUAL, address, routes_with_arguments
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

# No column holds as many digits.
HUGE = "9" * 23
ABSURD = {
    "a number of 23 digits": USUAL | {"int": HUGE, "str": HUGE, "path": HUGE},
    "zero": USUAL | {"int": "0", "str": "0", "path": "0"},
    "a number too many for SQLite": USUAL | {"int": str(2**63), "str": str(2**63), "path": str(2**63)},
    "other digits": USUAL | {"str": "١٢٣", "path": "²"},
    "a long text": USUAL | {"str": "x" * 500, "path": "x" * 500},
    "a zero byte": USUAL | {"str": "%00", "path": "%00"},
    "a path within": USUAL | {"str": "%2e%2e", "path": "1/2/../3"},
    "a quote": USUAL | {"str": "'\"%3B--", "path": "'\"%3B--"},
    "what Django's staff area quotes": USUAL | {"str": "_00_FF_2F", "path": "_00_FF_2F"},
}


@proves("V16.5.1")
@pytest.mark.parametrize("what", ABSURD)
def test_no_value_at_all_is_a_fault_of_ours(what: str, alice: Any, ada: Any, browser_of: Any, api_of: Any) -> None:
    browsers, program = {"alice": browser_of(alice), "ada": browser_of(ada)}, api_of(alice)
    for browser in browsers.values():
        browser.raise_request_exception = False
    pages = routes_with_arguments()
    assert len(pages) > 100
    found = {}
    for page in pages:
        where = address(page, ABSURD[what])
        if page.name.startswith("api:"):
            answers = {"a program": program.client.get(where, headers=program._headers({}))}
        else:
            answers = {f"{name} {verb}": getattr(browser, verb)(where)
                       for name, browser in browsers.items() for verb in ("get", "post")}  # fmt: skip
        for asked, answer in answers.items():
            is_found = what == "a number of 23 digits" and answer.status_code == 200
            if answer.status_code >= 500 or is_found:
                found[f"{asked} {where}"] = answer.status_code
    assert found == {}


@in_one_world(
    "where",
    [
        *("/admin/r/9/1/", f"/admin/r/1/{HUGE}/", "/admin/r/x/y/"),
        *("/admin/jsi18n/", "/admin/autocomplete/", "/admin/password_change/done/"),
    ],
)
def test_addresses_of_the_staff_area_that_nothing_links_to_are_gone(where: str, ada: Any, browser_of: Any) -> None:
    """`/admin/r/9/1/` was 500."""
    assert browser_of(ada).get(where).status_code == 404


def test_no_name_of_theirs_is_left() -> None:
    for name in ("view_on_site", "jsi18n", "autocomplete", "password_change_done"):
        with pytest.raises(NoReverseMatch):
            reverse(f"admin:{name}")
