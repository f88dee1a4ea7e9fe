"""Answers for monitoring: whether the bank is alive, whether it is ready for requests, and its figures (R9.5).

They are answered before hosts, HTTPS, sessions and pages are checked, so that a container's health check reaches them
by any name, and no check of the bank can make it look dead. The firewall lets only /healthz in.
"""

import hmac
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST

from bankproject.operations.figures import exposition
from foundation.limiter.redis import client_for

logger = logging.getLogger(__name__)

OK, FAILING, BEHIND = "ok", "failing", "behind"


def probe_for(request: HttpRequest) -> HttpResponse | None:
    """Return the answer, if the request asks for one of these addresses; None for all others, and for /metrics without
    METRICS_TOKEN: then there is no such page."""
    answer = _PROBES.get(request.path_info)
    if answer is None or (answer is metrics and not settings.METRICS_TOKEN):
        return None
    if request.method not in {"GET", "HEAD"}:
        response: HttpResponse = HttpResponseNotAllowed(["GET", "HEAD"])
    else:
        response = answer(request)
    response["Cache-Control"], response["X-Content-Type-Options"] = "no-store", "nosniff"
    return response


def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 whenever a worker answers; the database is not asked, since a restart would not bring it back."""
    return HttpResponse("ok\n", content_type="text/plain; charset=utf-8")


def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 if everything that a request needs is available, otherwise 503 and which part is missing; only the log
    says why."""
    states = readiness()
    return JsonResponse(states, status=200 if set(states.values()) <= {OK} else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the figures for Prometheus, for clients with METRICS_TOKEN."""
    given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
    if not hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        response = HttpResponse("A token is needed.\n", status=401, content_type="text/plain; charset=utf-8")
        response["WWW-Authenticate"] = "Bearer"
        return response
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)


_PROBES: Mapping[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}


def readiness() -> dict[str, str]:
    """Return the state of each part: database, migrations ("behind" while some are not applied), and cache, if the bank
    has one."""
    states = {"database": FAILING, "migrations": FAILING}
    try:
        applied = MigrationRecorder(connection).applied_migrations()
        states = {"database": OK, "migrations": OK if _latest_migrations() <= applied.keys() else BEHIND}
    except Error as error:
        logger.error("The database does not answer: %s", type(error).__name__)
    if settings.CACHE_URL:
        states["cache"] = _state_of_cache()
    return states


@lru_cache(maxsize=1)
def _latest_migrations() -> frozenset[tuple[str, str]]:
    """Return the last migration of each app in this version of the bank."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


def _state_of_cache() -> str:
    try:
        client_for(settings.CACHE_URL).ping()
    except redis.RedisError as error:
        logger.error("The shared cache does not answer: %s", type(error).__name__)
        return FAILING
    return OK
