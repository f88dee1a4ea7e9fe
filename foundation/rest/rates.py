"""Tell a program about the limits that it was counted under (draft-ietf-httpapi-ratelimit-headers).

A route names the limit by the first part of its key, `transfer` of `transfer:42`; the limiter notes what was taken
while the route ran, whichever service took it.
"""

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpResponse

from foundation.limiter.limiter import Taken

V = TypeVar("V", bound=Callable)


def rated(name: str) -> Callable[[V], V]:
    """Mark a route: its answers carry the headers of the limit of this name."""

    def mark(view: V) -> V:
        view.rate = name  # type: ignore[attr-defined]
        return view

    return mark


def add_headers(response: HttpResponse, name: str, taken: list[Taken]) -> None:
    """Add RateLimit-Policy and RateLimit, from the last place taken under this name; nothing if none was taken."""
    last = next((one for one in reversed(taken) if one.key.partition(":")[0] == name), None)
    if last is not None:
        response["RateLimit-Policy"] = f'"{name}";q={last.limit.times};w={last.limit.window_seconds}'
        response["RateLimit"] = f'"{name}";r={last.left};t={last.seconds}'
