"""Pages for errors; none of them says more than the person needs (R8.2)."""

import sys

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template import loader
from django.views import defaults

from audit import refused
from foundation.transactions import OutcomeUnknown, is_away

_AWAY_SECONDS = 5


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 with a way on: the form can be sent again, if it came from one of our pages.

    A form from another site is only refused: offering its fields with a fresh token would make the person carry out the
    forgery by hand.
    """
    refused.note_reason(request, "csrf")
    own_origin = f"{request.scheme}://{request.get_host()}"
    ours = request.META.get("HTTP_ORIGIN") == own_origin
    # Not even into hidden fields of the person's own form.
    can_resend = ours and set(settings.SECRET_FIELDS).isdisjoint(request.POST)
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        if can_resend and name != "csrfmiddlewaretoken"
        for value in values
    ]
    context = {"can_resend": can_resend, "fields": fields, "action": request.get_full_path()}
    return render(request, "csrf_failure.html", context, status=403)


def too_many(request: HttpRequest, message: str, retry_after: int) -> HttpResponse:
    """Answer 429 with Retry-After, in seconds."""
    return _one_moment(request, message, retry_after, status=429)


def unavailable(request: HttpRequest, message: str, retry_after: int) -> HttpResponse:
    """Answer 503 with Retry-After, in seconds."""
    return _one_moment(request, message, retry_after, status=503)


def _one_moment(request: HttpRequest, message: str, retry_after: int, *, status: int) -> HttpResponse:
    response = render(request, "too_many.html", {"message": message, "retry_after_seconds": retry_after}, status=status)
    response["Retry-After"] = str(retry_after)
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer any exception of a page or its middleware (Django's handler500): 500, or where the database went away 503
    with Retry-After, without a query."""
    error = sys.exception()
    if not isinstance(error, Error) or not is_away(error):
        return defaults.server_error(request)
    context = {"is_unknown": isinstance(error, OutcomeUnknown), "retry_after_seconds": _AWAY_SECONDS}
    response = HttpResponse(loader.render_to_string("503.html", context), status=503)
    response["Retry-After"] = str(_AWAY_SECONDS)
    return response
