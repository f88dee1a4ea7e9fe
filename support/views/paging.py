"""Pages of a list by the last row of the one before, never by number."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from support.selectors import Page


def older_than(request: HttpRequest) -> UUID | None:
    """Where the page begins; nonsense is as if it were not there."""
    try:
        return UUID(request.GET.get("older_than", ""))
    except ValueError:
        return None


def pager_urls(request: HttpRequest, here: str, page: Page[Any]) -> dict[str, str | None]:
    return {
        "newer_url": here if older_than(request) else None,
        "older_url": f"{here}?older_than={page.older_than}" if page.older_than else None,
    }
