"""The middleware that each request and each answer passes (settings, MIDDLEWARE)."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase

from accounts.sign_in.sessions.middleware import CookieMiddleware, SecondFactorMiddleware, SessionTimeoutMiddleware
from bankproject import csp_reports, hosts
from bankproject.errors import too_many, unavailable
from foundation.limiter.limiter import LimitsUnavailable, TooOften
from foundation.rest.problems import CONTENT_TYPE, as_response, without_route

# The addresses of programs; all others are pages, and one page is among them.
API = "/api/"
_PAGE_AMONG_THEM = "/api/v1/docs/"
# Middleware for pages only, the outermost first.
AROUND_PAGES: tuple[Any, ...] = (
    CookieMiddleware,
    AuthenticationMiddleware,
    SecondFactorMiddleware,
    SessionTimeoutMiddleware,
    MessageMiddleware,
)
_PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)

# Other sites may neither read nor embed what the bank serves, whatever a browser's own rule would be.
_RESOURCE_POLICY = "same-origin"

# The marks that django-csp's decorators leave on an answer.
_SPECIAL = frozenset(f"_csp_{act}{kind}" for act in ("exempt", "update", "replace", "config") for kind in ("", "_ro"))
# What a browser says: another site asks, or a neighbour under the same domain; and where the answer would be shown.
_ELSEWHERE = frozenset({"cross-site", "same-site"})
_FRAMES = frozenset({"embed", "fencedframe", "frame", "iframe", "object"})
# Like Django's never_cache, with a time of expiry that is always past.
_NEVER_CACHED = ("max-age=0, no-cache, no-store, must-revalidate, private", "0")


class ErrorsMiddleware:
    """Answers errors that neither a page nor a route has answered.

    Under /api/ an error that no route has answered (no such address, another method, an unknown host) gets the shape of
    all its errors (R7.3). For pages a full limit becomes 429, and a limit that cannot be counted 503;
    `bankproject.errors.server_error` answers when the database went away.

    Django's error report names no value that was typed: nearly every form has secrets or people's data.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        request.sensitive_post_parameters = "__ALL__"
        response = self.get_response(request)
        is_error_of_api = request.path_info.startswith(API) and response.status_code >= HTTPStatus.BAD_REQUEST
        if not is_error_of_api or response["Content-Type"] == CONTENT_TYPE:
            return response
        problem = as_response(without_route(response.status_code))
        for name, value in response.items():
            if name not in {"Content-Type", "Content-Length"}:
                problem.setdefault(name, value)
        return problem

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, TooOften):
            return too_many(
                request,
                "That was a lot in a short time, so we paused. Nothing was changed by this last try.",
                exception.retry_after,
            )
        if isinstance(exception, LimitsUnavailable):
            return unavailable(
                request, "A part of the bank is away for a moment. Nothing was changed.", exception.retry_after
            )
        return None


class PageMiddleware(SessionMiddleware, AuthenticationMiddleware, MessageMiddleware):
    """Surrounds pages with `AROUND_PAGES`; a program's request skips all of them.

    It inherits from the classes that Django's system checks look for, and leaves the work to one of each.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        super().__init__(get_response)
        self._page: Callable[[HttpRequest], Any] = get_response
        for middleware in reversed(AROUND_PAGES):
            # As Django does it for each of MIDDLEWARE: an exception in one of them is an answer for those around it.
            self._page = convert_exception_to_response(middleware(self._page))

    def __call__(self, request: HttpRequest) -> Any:
        is_page = not request.path_info.startswith(API) or request.path_info == _PAGE_AMONG_THEM
        return self._page(request) if is_page else self.get_response(request)


class SecurityHeadersMiddleware(CSPMiddleware):
    """Gives every answer all security headers: pages, the API, probes, static files, redirects, and errors of the
    middleware within (R8.2, ASVS V3.4). It is the outermost, and the one home of these headers.

    Django's own two middlewares set some of them too: its checks at start look for them, and one redirects to HTTPS. A
    view that has set one of them keeps its own.

    The policy and the rest are built once: building the policy for each answer took a tenth of a short answer's time.
    An answer that has exceptions or a nonce of its own gets its own policy.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        super().__init__(get_response)
        self._usual = build_policy()
        self._hsts = _strict_transport_security()
        self._always = {
            "Permissions-Policy": _PERMISSIONS_POLICY,
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": settings.X_FRAME_OPTIONS,
            "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
            "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
            "Cross-Origin-Resource-Policy": _RESOURCE_POLICY,
            "Reporting-Endpoints": f'{csp_reports.ENDPOINT}="{csp_reports.ADDRESS}"',
        }

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        is_special = hasattr(request, "_csp_nonce") or not _SPECIAL.isdisjoint(vars(response))
        if settings.DEBUG or is_special or HEADER in response:
            super().process_response(request, response)
        else:
            response[HEADER] = self._usual
        for name, value in self._always.items():
            response.headers.setdefault(name, value)
        if self._hsts and request.is_secure():
            if hosts.is_own(_host_of(request)):
                response.headers.pop("Strict-Transport-Security")  # Django's, which knows of no such names
            else:
                response["Strict-Transport-Security"] = self._hsts
        # The back button must not show a balance.
        if not response.has_header("Cache-Control"):
            response["Cache-Control"], response["Expires"] = _NEVER_CACHED
        return response


def _strict_transport_security() -> str:
    """Return the header's value by the settings that Django reads for its own; "" where browsers are told nothing.

    They are never told so of a name of their own machine: they would ask nothing there by plain HTTP for a year.
    """
    if not settings.SECURE_HSTS_SECONDS:
        return ""
    told = [f"max-age={settings.SECURE_HSTS_SECONDS}"]
    if settings.SECURE_HSTS_INCLUDE_SUBDOMAINS:
        told.append("includeSubDomains")
    if settings.SECURE_HSTS_PRELOAD:
        told.append("preload")
    return "; ".join(told)


def _host_of(request: HttpRequest) -> str:
    """Return the host that a browser asked, without its port and checked by nobody yet."""
    name, _ = split_domain_port(request.META.get("HTTP_HOST", ""))
    return name


class NotEmbeddedMiddleware:
    """Answers 403 to what a browser asks for on behalf of another site's page, unless a person follows a link or sends
    a form: a picture, script, frame or fetch of ours there would tell that site something (ASVS V3.5.8).

    Browsers say so in Sec-Fetch-…; programs send none of it. Forms from elsewhere are refused by their token.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        if meta.get("HTTP_SEC_FETCH_SITE") in _ELSEWHERE and (
            meta.get("HTTP_SEC_FETCH_MODE") != "navigate" or meta.get("HTTP_SEC_FETCH_DEST") in _FRAMES
        ):
            return HttpResponseForbidden("Other sites can't show this.", content_type="text/plain; charset=utf-8")
        return self.get_response(request)
