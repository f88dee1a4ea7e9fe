"""Addresses that browsers, password managers and finders of faults look for by convention (RFC 8615, RFC 9116)."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

_TEXT = "text/plain; charset=utf-8"
# RFC 9116 wants less than a year, so that a forgotten file ends. This one is written for each request.
_VALID_FOR = timedelta(days=90)


@login_not_required
@require_safe
def security_txt(request: HttpRequest) -> HttpResponse:
    """Say where faults are reported to: SECURITY_CONTACT. Without one there is no such page, in a demo too: an address
    that nobody reads would be worse.

    Raises:
        Http404: there is no contact.
    """
    if not settings.SECURITY_CONTACT:
        raise Http404
    expires = (timezone.now() + _VALID_FOR).strftime("%Y-%m-%dT00:00:00Z")
    lines = [
        f"Contact: {settings.SECURITY_CONTACT}",
        f"Expires: {expires}",
        f"Preferred-Languages: {settings.LANGUAGE_CODE.partition('-')[0]}",
        f"Canonical: {settings.SITE_URL}/.well-known/security.txt",
    ]
    return HttpResponse("\n".join([*lines, ""]), content_type=_TEXT)


@login_not_required
@require_safe
def change_password(request: HttpRequest) -> HttpResponse:
    """Lead a password manager to the page where the password is changed (W3C, "A Well-Known URL for Changing
    Passwords")."""
    return redirect("password_change")


@login_not_required
@require_safe
def robots_txt(request: HttpRequest) -> HttpResponse:
    """Keep search engines out of everything: no page belongs in a search engine."""
    return HttpResponse("User-agent: *\nDisallow: /\n", content_type=_TEXT)


@login_not_required
@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Lead to the icon that pages name; browsers ask for this one where an answer is not a page."""
    return redirect(static("img/favicon.svg"))


urlpatterns = [
    path(".well-known/security.txt", security_txt, name="security_txt"),
    path(".well-known/change-password", change_password, name="change_password"),
    path("robots.txt", robots_txt, name="robots_txt"),
    path("favicon.ico", favicon, name="favicon"),
]
