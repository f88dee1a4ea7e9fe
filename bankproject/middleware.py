from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.utils.cache import add_never_cache_headers

from accounts.limiter import TooOften
from bankproject.errors import too_many

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


class SecurityHeadersMiddleware:
    """Permissions-Policy, and no-store on every page: a balance must not be found with the back button (R8.2)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Permissions-Policy"] = _PERMISSIONS_POLICY
        if not response.has_header("Cache-Control"):
            add_never_cache_headers(response)
        return response


class Utf8OnlyMiddleware:
    """400 for a body that claims another encoding: Python knows some (zlib, utf-7) that no form ever had."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        charset = (request.content_params or {}).get("charset", "utf-8")
        if charset.lower() != "utf-8":
            return HttpResponseBadRequest("Only UTF-8 is understood here.", content_type="text/plain; charset=utf-8")
        return self.get_response(request)


class TooOftenMiddleware:
    """Turns a full limit into 429, for every page that does not say something better itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, TooOften):
            return too_many(
                request,
                "That was a lot in a short time, so we paused. Nothing was changed by this last try.",
                exception.retry_after,
            )
        return None
