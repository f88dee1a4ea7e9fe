"""Pages for errors; none of them says more than the person needs (R8.2)."""

import sys

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.views import defaults

from accounts.sign_in.sessions import pages
from audit import refused
from foundation.transactions import OutcomeUnknown, is_away, is_deadlock_victim

_AWAY_SECONDS = 5


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 with a way on: the form can be sent again, if it came from one of our pages.

    A form from another site is only refused: offering its fields with a fresh token would make the person carry out the
    forgery by hand. A person who has signed in meanwhile, in another tab, is sent home from a form for visitors, and is
    offered no form that was shown to somebody else.
    """
    own_origin = f"{request.scheme}://{request.get_host()}"
    ours = request.META.get("HTTP_ORIGIN") == own_origin
    view = request.resolver_match.func if request.resolver_match else None
    if ours and getattr(view, "is_for_visitors", False) and pages.is_signed_in(request):
        return redirect("home")
    refused.note_reason(request, "csrf")
    # Not even into hidden fields of the person's own form.
    can_resend = ours and set(settings.SECRET_FIELDS).isdisjoint(request.POST) and not pages.is_of_another(request)
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
    """Answer any exception of a page or its middleware (Django's handler500): 500; or where the database went away or
    others held it, 503 with Retry-After, without a query."""
    error = sys.exception()
    if not isinstance(error, Error) or not (is_away(error) or is_deadlock_victim(error)):
        return defaults.server_error(request)
    context = {"is_unknown": isinstance(error, OutcomeUnknown), "retry_after_seconds": _AWAY_SECONDS}
    response = HttpResponse(loader.render_to_string("503.html", context), status=503)
    response["Retry-After"] = str(_AWAY_SECONDS)
    return response
