"""An address for every route of the bank, with values of one's choice in the places of its arguments."""

import re
from collections.abc import Mapping

from tests.access_walk import Page, walk

_ARGUMENT = re.compile(r"<(?:(\w+):)?\w+>")
# Of routes that are written as a pattern.
_OF_PATTERNS = {"api_nowhere": "/api/nowhere", "admin:app_list": "/admin/accounts/", "admin:": "/admin/nowhere/"}
USUAL = {
    "int": "1",
    "str": "x",
    "path": "1",
    "slug": "x",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uuidstr": "00000000-0000-4000-8000-000000000000",
}


def address(page: Page, values: Mapping[str, str] = USUAL) -> str:
    """Return the path with a value in each place, by the kind of the argument."""
    if page.name in _OF_PATTERNS:
        return _OF_PATTERNS[page.name]
    path = "/" + _ARGUMENT.sub(lambda found: values[found[1] or "str"], page.route)
    assert not re.search(r"[<>()^$\\]", path), f"{page.name}: a new pattern: say in tests/addresses.py what matches it"
    return path


def routes() -> list[Page]:
    """Return every route of the site: pages, staff's area, API."""
    return list(walk())


def routes_with_arguments() -> list[Page]:
    return [page for page in routes() if page.name not in _OF_PATTERNS and _ARGUMENT.search(page.route)]
