"""Counting and timing requests: each is counted, and logged in one line, by the name of its route (R9.5).

Never by its path, which holds account numbers and the secrets of links, and never with a person's name.
"""

import logging
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from time import perf_counter

from django.http import HttpRequest, HttpResponse
from prometheus_client import Counter, Histogram

from bankproject.operations.logs import COMPLAINT, REQUESTS
from bankproject.operations.probes import probe_for
from foundation.hourly import HourlyBound, Room
from foundation.request_context import current, network_of

logger = logging.getLogger(REQUESTS)

# A fixed set: each method's name would be a label of its own, and clients can invent names.
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Requests that no view answered: static files, redirects to HTTPS, unknown addresses.
NO_ROUTE = "none"

_requests = Counter("bank_requests", "Requests by what answered them", ["route", "method", "status"])
_seconds = Histogram(
    "bank_request_seconds",
    "Time to an answer, in seconds; of a download to its beginning",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
# Its label keeps it without a file until it counts: a command may know a folder that the web server has yet to make.
_left_out = Counter(
    "bank_log_lines_left_out", "Lines about refused requests that were beyond the bound of the log", ["status"]
)

# Anybody can be refused as often as they like, so lines of 4xx are bounded in each worker: for an address and hour, and
# in all. Those of 5xx are about our faults, and never left out.
LINES_OF_REFUSALS = HourlyBound(each=100, in_all=5000)


class OperationsMiddleware:
    """Answers health checks and metrics before anything else is looked at, and measures every other request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        probe = probe_for(request)
        if probe is not None:
            return probe
        begun = perf_counter()
        response = self.get_response(request)
        _note(request, response.status_code, perf_counter() - begun)
        return response


@cache
def _meters(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """Keep a meter for each label: looking it up by name each time took half of the measuring time."""
    return _requests.labels(route, method, status), _seconds.labels(route)


def route_of(request: HttpRequest) -> str:
    """Return the name of the route that answers, never its address."""
    return request.resolver_match.view_name if request.resolver_match else NO_ROUTE


def method_of(request: HttpRequest) -> str:
    return request.method if request.method in _METHODS else "OTHER"


def _note(request: HttpRequest, status: int, seconds: float) -> None:
    route, method = route_of(request), method_of(request)
    times, durations = _meters(route, method, status)
    times.inc()
    durations.observe(seconds)
    if logger.isEnabledFor(logging.INFO):
        more = _about_refusal(request, status) if _is_refusal(status) else ""
        if more is not None:
            _write(route, method, status, round(seconds * 1000, 1), more)


def _is_refusal(status: int) -> bool:
    return HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR


def _about_refusal(request: HttpRequest, status: int) -> str | None:
    """Return what the line of a refused request says besides; None if no more lines are written."""
    room = LINES_OF_REFUSALS.take(network_of(current().ip))
    if room is Room.NONE:
        _left_out.labels(status).inc()
        return None
    complaint = vars(request).get(COMPLAINT)
    told = f"; {complaint}" if complaint else ""
    return told if room is Room.ENOUGH else f"{told}; more refused requests are left out in this hour"


def _write(route: str, method: str, status: int, ms: float, more: str) -> None:
    facts = {"route": route, "method": method, "status": status, "ms": ms}
    text, said = "%s %s %s in %s ms%s", (method, route, status, ms, more)
    # As logger.info() does, without finding out which line of our source this is: a third of its cost.
    logger.handle(logger.makeRecord(logger.name, logging.INFO, "", 0, text, said, None, extra=facts))
