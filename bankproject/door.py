"""What is refused before anybody looks at what it asks for: a request for another site, a program's request in clear,
and a body that the bank would not read whole (R7.3, R8.2).

One reason of refusal is one line of `_CHECKS`. A program gets the shape of all its errors, a browser a page.
"""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import loader

from bankproject.middleware import API
from foundation.rest.problems import Problem, as_response

_UTF8 = {"utf-8", "utf8"}


class DoorMiddleware:
    """Refuses what no page and no route should see. Inside the middleware that redirects pages to HTTPS."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        for check in _CHECKS:
            problem = check(request)
            if problem is not None:
                return _answer(request, problem)
        if _charset(request) != "utf-8":
            # The same encoding by its other name, which Django does not take for a form.
            request.encoding = "utf-8"
        return self.get_response(request)


def _answer(request: HttpRequest, problem: Problem) -> HttpResponse:
    if request.path_info.startswith(API):
        return as_response(problem)
    context = {"status": problem.status, "detail": problem.detail}
    return HttpResponse(loader.render_to_string("turned_away.html", context), status=problem.status)


def _of_another_site(request: HttpRequest) -> Problem | None:
    """Refuse `GET http://other.example/ HTTP/1.1`: what stands in front may have judged it by that name, while the bank
    goes by `Host` (RFC 9112, 3.2.2)."""
    # gunicorn keeps the target as it came; the server for development takes it for a path.
    target = request.META.get("RAW_URI", request.path_info)
    if target.startswith("/") or "://" not in target:
        return None
    site = re.split("[/?#]", target.partition("://")[2], maxsplit=1)[0]
    if site.lower() == request.META.get("HTTP_HOST", "").lower():
        return None
    return Problem(421, "misdirected", "The address and the Host header name two different sites.")


def _in_clear(request: HttpRequest) -> Problem | None:
    """Refuse what SecurityMiddleware does not redirect (SECURE_REDIRECT_EXEMPT): a program would follow the redirect,
    and go on sending its secrets in clear."""
    if not settings.SECURE_SSL_REDIRECT or request.is_secure():
        return None
    return Problem(403, "https_required", "Use https://. Others may have read what you sent: change any secret in it.")


def _of_unknown_length(request: HttpRequest) -> Problem | None:
    """Refuse a chunked body, which Django would take for an empty one."""
    if "HTTP_TRANSFER_ENCODING" not in request.META:
        return None
    return Problem(411, "length_required", "Send the body in one piece, with its Content-Length.")


def _too_long(request: HttpRequest) -> Problem | None:
    """Refuse a long body unread: a file in a form would fill the disk before anybody asks who sends it."""
    length, most = request.META.get("CONTENT_LENGTH") or "0", settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if length.isdecimal() and len(length) < 20 and int(length) <= most:
        return None
    return Problem(413, "body_too_large", f"Send at most {most} bytes at a time.")


def _compressed(request: HttpRequest) -> Problem | None:
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "identity").lower()
    if encoding == "identity":
        return None
    text = "Send the body as it is, without a Content-Encoding."
    return Problem(415, "content_type", text, headers={"Accept-Encoding": "identity"})


def _in_another_encoding(request: HttpRequest) -> Problem | None:
    """Refuse encodings that no form ever had: Python knows zlib and utf-7."""
    if _charset(request) in _UTF8:
        return None
    return Problem(415, "content_type", "Send text in UTF-8.")


def _charset(request: HttpRequest) -> str:
    return (request.content_params or {}).get("charset", "utf-8").lower()


_CHECKS = (_of_another_site, _in_clear, _of_unknown_length, _too_long, _compressed, _in_another_encoding)
