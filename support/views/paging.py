"""Pages of a list by the last row of the one before, never by number."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from accounts.keyset import InvalidCursor
from support.selectors import Page, T


def older_than(request: HttpRequest) -> UUID | None:
    """Where the page begins; nonsense is as if it were not there."""
    try:
        return UUID(request.GET.get("older_than", ""))
    except ValueError:
        return None


def page_of(request: HttpRequest, rows: Callable[..., Page[T]]) -> Page[T]:
    """The page that the request asks for, or the first."""
    try:
        return rows(request.user, older_than=older_than(request))
    except InvalidCursor:
        return rows(request.user)


def pager_urls(request: HttpRequest, here: str, page: Page[Any]) -> dict[str, str | None]:
    return {
        "newer_url": here if older_than(request) else None,
        "older_url": f"{here}?older_than={page.older_than}" if page.older_than else None,
    }
