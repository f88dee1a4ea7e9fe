"""What browsers report when a page of ours tries to load or run what its Content-Security-Policy forbids: an injection
that the policy stopped, or a mistake of ours (ASVS V3.4.7).

Anybody can send anything here, so a report becomes at most one line of the log, of our own words and names only: which
directive, what kind of source, on which route. No address with its query, no sample of a script, no person.
"""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.sign_in.sessions.clock import without_renewal
from foundation.hourly import HourlyBound, Room
from foundation.limiter import limiter
from foundation.limiter.limiter import Limit, LimitsUnavailable, TooOften
from foundation.request_context import client_ip, network_of

logger = logging.getLogger("bank.csp")

# The name of the place in Reporting-Endpoints and `report-to`, and its address, for browsers that know `report-uri`.
ENDPOINT, ADDRESS = "csp", "/csp-reports/"
KINDS = frozenset({"application/csp-report", "application/reports+json"})
MOST_BYTES = 16 * 1024
# From one request, and from one network in an hour: a browser with an extension reports the same thing on each page.
MOST_AT_ONCE = 5
LINES_PER_HOUR = Limit(times=20, window_seconds=3600)
# Asked first, and costs no statement: from many networks, reports would be work for the database.
_lines = HourlyBound(each=LINES_PER_HOUR.times, in_all=1000)

_NOT_SAID = "other"
_DIRECTIVE = re.compile(r"[a-z]{3,10}(?:-[a-z]{2,10}){0,3}")
# What was blocked: one of these words of the standard, or scheme and host.
_WORDS = frozenset(
    {"inline", "eval", "wasm-eval", "self", "data", "blob", "trusted-types-policy", "trusted-types-sink"}
)
_HOST = re.compile(r"[a-z0-9.-]{1,100}(?::[0-9]{1,5})?")


@csrf_exempt  # sent by the browser itself; it changes nothing
@login_not_required
@without_renewal
@require_POST
def reports(request: HttpRequest) -> HttpResponse:
    """Take reports of both kinds, and always answer 204: the sender learns nothing."""
    try:
        for line in sorted({*_lines_of(request)})[:MOST_AT_ONCE]:
            whose = f"csp-report:{network_of(client_ip(request))}"
            if _lines.take(whose) is Room.NONE:
                break
            limiter.take(whose, LINES_PER_HOUR)
            logger.warning("Content-Security-Policy: %s", line)
    except (TooOften, LimitsUnavailable):
        pass
    return HttpResponse(status=204)


def _lines_of(request: HttpRequest) -> Iterator[str]:
    """Yield what each report says, in our own words; nothing for a body of another kind, too long or unreadable."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if request.content_type not in KINDS or not length.isdecimal() or int(length) > MOST_BYTES:
        return
    try:
        given = json.loads(request.body)
    except (ValueError, RecursionError):
        return
    for report in given if isinstance(given, list) else [given]:
        if isinstance(report, dict):
            body = report.get("csp-report") or report.get("body")
            if isinstance(body, dict) and report.get("type", "csp-violation") == "csp-violation":
                yield _line_of(body)


def _line_of(body: dict[str, Any]) -> str:
    """Return one report in words. The older kind writes `blocked-uri`, the newer one `blockedURL`."""
    directive = _text(body, "effective-directive", "effectiveDirective", "violated-directive").partition(" ")[0]
    named = directive if _DIRECTIVE.fullmatch(directive) else _NOT_SAID
    blocked = _source(_text(body, "blocked-uri", "blockedURL"))
    return f"{named} blocked {blocked} on {_route(_text(body, 'document-uri', 'documentURL'))}"


def _text(body: dict[str, Any], *names: str) -> str:
    return next((value for name in names if isinstance(value := body.get(name), str) and value), "")


def _source(blocked: str) -> str:
    """Return a word of the standard, or scheme and host: the rest of an address may be about a person."""
    if blocked in _WORDS:
        return blocked
    parts = _split(blocked)
    if parts is None or parts[0] not in {"http", "https", "ws", "wss"} or not _HOST.fullmatch(parts[1].lower()):
        return _NOT_SAID
    return f"{parts[0]}://{parts[1].lower()}"


def _route(document: str) -> str:
    """Return the name of the page's route: its path may hold a link's secret."""
    parts = _split(document)
    try:
        return (resolve(parts[2]).view_name if parts else "") or _NOT_SAID
    except Resolver404:
        return _NOT_SAID


def _split(address: str) -> tuple[str, str, str] | None:
    """Return scheme, host and path; None if it is not an address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return parts.scheme, parts.netloc.rpartition("@")[2], parts.path
