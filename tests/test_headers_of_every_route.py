"""The whole set of security headers on every answer: pages, staff's area, API, probes, static files, errors (R8.2)."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.middleware.security import SecurityMiddleware
from django.test import Client
from django.urls import path

from bankproject.middleware import SecurityHeadersMiddleware
from foundation.limiter.limiter import LimitsUnavailable
from tests.addresses import address, routes
from tests.asvs import proves
from tests.tables import in_one_world

TOKEN = "a-token-that-only-prometheus-has"
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data:", "font-src 'self'",
    "connect-src 'self'", "manifest-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
    "report-uri /csp-reports/", "report-to csp",
}  # fmt: skip
FEATURES = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), "
    "midi=(), payment=(), usb=()"
)
# The same on every answer, apart from the policy, whose order means nothing.
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": FEATURES,
    "Reporting-Endpoints": 'csp="/csp-reports/"',
}
# What an answer may have besides: what it is, where it leads, how long to wait. None tells of programs or versions, and
# none opens anything to other sites.
MAY_HAVE = {
    "Accept-Ranges", "Allow", "Cache-Control", "Clear-Site-Data", "Content-Disposition", "Content-Length",
    "Content-Type", "ETag", "Expires", "Last-Modified", "Location", "RateLimit", "RateLimit-Policy", "Retry-After",
    "Vary", "WWW-Authenticate", "X-Request-ID",
}  # fmt: skip
HOST = "bank.example"


@pytest.fixture(autouse=True)
def _as_in_production(settings: Any) -> None:
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.ALLOWED_HOSTS = [HOST, "testserver"]
    settings.METRICS_TOKEN = TOKEN


def strict_transport(settings: Any) -> str:
    """Return the header that the settings ask for."""
    more = "; includeSubDomains" * settings.SECURE_HSTS_INCLUDE_SUBDOMAINS + "; preload" * settings.SECURE_HSTS_PRELOAD
    return f"max-age={settings.SECURE_HSTS_SECONDS}{more}"


def faults_of(answer: Any, settings: Any, *, is_static: bool = False, over_http: bool = False) -> dict[str, Any]:
    """Return each header that is missing, different or too many."""
    given = dict(answer.headers.items())
    policy = {part.strip() for part in given.pop("Content-Security-Policy", "").split(";")}
    found: dict[str, Any] = {"Content-Security-Policy": policy ^ POLICY} if policy != POLICY else {}
    expected = ALWAYS | ({} if over_http else {"Strict-Transport-Security": strict_transport(settings)})
    found |= {name: given.get(name) for name, value in expected.items() if given.pop(name, None) != value}
    is_kept = "no-store" not in given.get("Cache-Control", "")
    found |= {"Cache-Control": given.get("Cache-Control")} if is_kept != is_static else {}
    found |= {name: given[name] for name in given.keys() - MAY_HAVE}
    return found if given.get("X-Request-ID") else found | {"X-Request-ID": None}


def asked_of_every_route(browser: Client, **headers: str) -> Iterator[tuple[str, Any]]:
    for page in sorted(routes(), key=lambda page: page.name == "sign_out"):
        where = address(page)
        yield f"GET {where}", browser.get(where, secure=True, headers=headers)
        if page.name.startswith("api:"):
            yield f"POST {where}", browser.post(where, b"{}", "application/json", secure=True, headers=headers)


@proves("V3.4.1", "V3.4.5", "V3.4.6", "V3.4.7", "V3.4.8")
@pytest.mark.django_db
@pytest.mark.parametrize("who", ["nobody", "alice", "ada", "a program of alice's"])
def test_every_route_answers_with_the_whole_set(
    who: str, request: Any, browser_of: Any, api_of: Any, settings: Any
) -> None:
    headers = {}
    if who == "nobody":
        browser = Client(raise_request_exception=False)
    elif who.startswith("a program"):
        program = api_of(request.getfixturevalue("alice"))
        browser, headers = program.client, {"Authorization": f"Bearer {program.tokens.access_token}"}
    else:
        browser = browser_of(request.getfixturevalue(who))
    answers = list(asked_of_every_route(browser, **headers))
    assert len(answers) > 150
    faults = {where: found for where, answer in answers if (found := faults_of(answer, settings))}
    assert faults == {}


@proves("V3.4.1", "V3.4.5", "V3.4.6")
@pytest.mark.django_db
@in_one_world(
    ("where", "status"),
    [("/healthz", 200), ("/readyz", 200), ("/metrics", 401), ("/metrics", 200), ("/healthz", 405)],
)
def test_probes_have_them_too(where: str, status: int, settings: Any) -> None:
    token = {"Authorization": f"Bearer {TOKEN}"} if (where, status) == ("/metrics", 200) else {}
    ask = Client().post if status == 405 else Client().get
    answer = ask(where, secure=True, headers={"Host": "10.1.2.3", **token})
    assert (answer.status_code, faults_of(answer, settings)) == (status, {})


@pytest.mark.django_db
def test_static_files_have_them_and_are_kept_by_browsers(settings: Any) -> None:
    for name in ("img/favicon.svg", "css/tokens.css", "js/page.js", "ninja/swagger-ui.css"):
        answer = Client().get(f"/static/{name}", secure=True)
        assert (answer.status_code, faults_of(answer, settings, is_static=True)) == (200, {}), name
    missing = Client().get("/static/css/nothing.css", secure=True)
    assert (missing.status_code, faults_of(missing, settings)) == (404, {})


# --- Errors, and what the middleware answers itself -----------------------------------------------------------


def _fault(request: Any) -> HttpResponse:
    raise ValueError("A fault of ours.")


def _away(request: Any) -> HttpResponse:
    raise LimitsUnavailable


_fault.login_required = _away.login_required = False  # type: ignore[attr-defined]
urlpatterns: list[Any] = [path("fault/", _fault), path("away/", _away)]
handler500 = "bankproject.errors.server_error"


@pytest.mark.django_db
@in_one_world(
    ("where", "headers", "status"),
    [
        ("/sign-in/", {"Host": "evil.example"}, 400),
        ("/api/v1/me", {"Host": "evil.example"}, 400),
        ("/sign-in/", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("/sign-in", {}, 301),
        ("/dashboard/", {}, 302),
        ("/nowhere/", {}, 404),
        ("/api/v1/nowhere", {}, 404),
        ("/sign-out/", {}, 405),
    ],
)
def test_refusals_and_redirects_have_them(where: str, headers: dict[str, str], status: int, settings: Any) -> None:
    answer = Client().get(where, secure=True, headers=headers)
    assert (answer.status_code, faults_of(answer, settings)) == (status, {})


@pytest.mark.django_db
@in_one_world(
    ("more", "status"),
    [
        ({}, 403),  # without a token
        ({"CONTENT_TYPE": "text/plain; charset=utf-7"}, 415),
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, 411),
        ({"CONTENT_LENGTH": "300000"}, 413),
        ({"RAW_URI": "https://evil.example/sign-in/"}, 421),
    ],
)
@in_one_world("where", ["/sign-in/", "/api/v1/auth/login"])
def test_refused_bodies_and_targets_have_them(where: str, more: dict[str, str], status: int, settings: Any) -> None:
    browser, kind = Client(enforce_csrf_checks=True), "application/x-www-form-urlencoded"
    answer = browser.generic("POST", where, b"email=a", content_type=kind, secure=True, **more)  # type: ignore[arg-type]
    assert answer.status_code == (415 if status == 403 and where.startswith("/api/") else status)
    assert faults_of(answer, settings) == {}


@pytest.mark.django_db
@in_one_world(("where", "status"), [("/fault/", 500), ("/away/", 503)])
def test_our_faults_have_them(where: str, status: int, settings: Any) -> None:
    from bankproject import urls

    # The pages of errors link to the bank's own.
    urlpatterns[2:] = urls.urlpatterns
    settings.ROOT_URLCONF = "tests.test_headers_of_every_route"
    answer = Client(raise_request_exception=False).get(where, secure=True)
    assert (answer.status_code, faults_of(answer, settings)) == (status, {})


@pytest.mark.django_db
def test_over_plain_http_there_is_no_promise_of_https(settings: Any) -> None:
    """Browsers would not believe it (RFC 6797, 7.2); the redirect has the rest."""
    settings.SECURE_SSL_REDIRECT = True
    for where, host, status in (
        ("/sign-in/", HOST, 301),
        ("/sign-in/", "evil.example", 400),
        ("/api/v1/me", HOST, 403),
        ("/healthz", "10.1.2.3", 200),
    ):
        answer = Client().get(where, headers={"Host": host})
        assert (answer.status_code, faults_of(answer, settings, over_http=True)) == (status, {})


@in_one_world(
    ("subdomains", "preload", "seconds", "told"),
    [
        (False, False, 600, "max-age=600"),
        (True, False, 600, "max-age=600; includeSubDomains"),
        (True, True, 600, "max-age=600; includeSubDomains; preload"),
        (True, True, 0, None),
    ],
)
def test_hsts_says_what_the_settings_ask_for(
    subdomains: bool, preload: bool, seconds: int, told: str | None, rf: Any, settings: Any
) -> None:
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS, settings.SECURE_HSTS_PRELOAD = subdomains, preload
    settings.SECURE_HSTS_SECONDS = seconds
    answer: Any = SecurityHeadersMiddleware(lambda request: HttpResponse())(rf.get("/", secure=True))
    assert answer.headers.get("Strict-Transport-Security") == told


@in_one_world("host", ["localhost", "localhost:8443", "bank.localhost", "bank.test", "127.0.0.1:8443", "[::1]:8443"])
def test_of_a_local_name_browsers_are_told_nothing(host: str, rf: Any, settings: Any) -> None:
    """They would ask nothing there by plain HTTP for a year."""
    settings.SECURE_HSTS_SECONDS = 600
    django: Any = SecurityMiddleware(lambda request: HttpResponse())
    answer: Any = SecurityHeadersMiddleware(django)(rf.get("/", secure=True, HTTP_HOST=host))
    assert "Strict-Transport-Security" not in answer.headers
    answer = SecurityHeadersMiddleware(django)(rf.get("/", secure=True, HTTP_HOST="bank.example"))
    assert answer.headers["Strict-Transport-Security"] == "max-age=600"


# --- What other sites may have a browser fetch ----------------------------------------------------------------


def asked_by(site: str, mode: str, what: str) -> dict[str, str]:
    return {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": what}


@proves("V3.5.8")
@in_one_world("site", ["cross-site", "same-site"])
@in_one_world(
    ("mode", "what"),
    [
        *(("no-cors", "image"), ("no-cors", "script"), ("no-cors", "style"), ("cors", "empty"), ("no-cors", "empty")),
        *(("navigate", "iframe"), ("navigate", "object"), ("navigate", "embed"), ("websocket", "websocket")),
    ],
)
def test_what_another_site_would_embed_is_refused(alice: Any, browser_of: Any, site: str, mode: str, what: str) -> None:
    browser = browser_of(alice)
    for where in ("/dashboard/", "/static/img/favicon.svg", "/api/v1/me", "/history/export/"):
        assert browser.get(where, headers=asked_by(site, mode, what)).status_code == 403, where


@proves("V3.5.8")
@in_one_world(
    "headers",
    [
        {},  # a program, or an old browser
        asked_by("none", "navigate", "document"),  # typed, or a bookmark
        asked_by("cross-site", "navigate", "document"),  # a link in a mail
        asked_by("same-origin", "cors", "empty"),
        asked_by("same-origin", "no-cors", "image"),
    ],
)
def test_links_and_our_own_pages_are_answered(alice: Any, browser_of: Any, headers: dict[str, str]) -> None:
    assert browser_of(alice).get("/dashboard/", headers=headers).status_code == 200
