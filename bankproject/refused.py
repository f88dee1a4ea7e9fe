"""Leaves an audit entry of each access that was refused, whatever refused it: a page, the staff area, the API, a
service."""

from collections.abc import Callable
from typing import Any

from django.db import Error
from django.http import HttpRequest, HttpResponse

from audit import refused
from bankproject.operations.middleware import method_of, route_of


class RefusedMiddleware:
    """Around everything that has a transaction of its own, so that no refusal rolls its entry back."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if refused.REFUSED in vars(request):
            refused.record_refused(
                actor=_user_of(request),
                reason=vars(request)[refused.REFUSED],
                route=route_of(request),
                method=method_of(request),
            )
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        refused.note(request, exception)


def _user_of(request: HttpRequest) -> Any:
    """Return who is signed in; None for a stranger, or if the database does not say."""
    try:
        user: Any = getattr(request, "user", None)
        return user if user is not None and user.is_authenticated else None
    except Error:
        return None
