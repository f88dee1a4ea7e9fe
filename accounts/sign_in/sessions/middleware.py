"""What surrounds pages: reads from a replica, sessions that end in time, two factors for every view (R1.3, R1.6)."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import MiddlewareNotUsed
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django_otp.middleware import OTPMiddleware

from accounts.models import TotpDevice
from accounts.sign_in import fresh_code
from accounts.sign_in.sessions import clock as session_clock
from accounts.sign_in.sessions import pages
from accounts.sign_in.sessions import rows as user_sessions
from audit.actions import Action
from audit.services import record
from foundation import replica
from foundation.compiled import Select

logger = logging.getLogger(__name__)

# With the session ends what the browser kept of its pages (ASVS V14.3.1). Not its storage and cookies: they hold the
# chosen scheme and the known device.
_FORGET = '"cache"'
_ASKING = {"GET", "HEAD", "OPTIONS", "TRACE"}


class ReplicaMiddleware:
    """Lets requests read from the replica, and keeps a person who has just changed something on the primary, whatever
    server they ask next (`foundation.replica`). The middleware that reads the session says who the person is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not replica.is_configured():
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in _ASKING:
            with replica.question():
                return self.get_response(request)
        response = self.get_response(request)
        # Before the answer is sent, so that a request that follows cannot be too early.
        user: Any = getattr(request, "user", None)
        if user is not None and user.is_authenticated:
            try:
                user_sessions.note_write(user, now=timezone.now())
            except Error as error:  # the change is done: the answer must say so
                logger.warning("A write was not noted for the replica: %s", type(error).__name__)
        return response


class CookieMiddleware(SessionMiddleware):
    """Django's, which reads the session and sets its cookie; but the cookie of a session that is not there stays.

    A second click or another tab may have sent its request under a key that was renewed meanwhile. Its answer must not
    take the new cookie away from the browser.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        answer = super().process_response(request, response)
        sent: Any = request.session
        morsel = answer.cookies.get(settings.SESSION_COOKIE_NAME)
        if sent.is_lost and morsel is not None and morsel["max-age"] == 0:
            del answer.cookies[settings.SESSION_COOKIE_NAME]
        return answer


class SessionTimeoutMiddleware:
    """Ends a session on the server after too long without activity, or too long altogether (R1.6), and one that was
    ended elsewhere (R1.8). However it ends, the answer tells the browser to forget its cached pages. A session in which
    its owner gives a code goes on under another key, whatever the code was for: no view can forget it.

    A request to a view marked with `session_clock.without_renewal` (live updates) is not activity.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.get("_auth_user_id") is None:
            return self.get_response(request)
        now = timezone.now()
        row = pages.open_row(request.session)
        if row is None or session_clock.time_left(request.session, seen_at=row.last_seen_at, now=now).is_over:
            if row is not None and request.user.is_authenticated:
                record(Action.SESSION_EXPIRED, actor=request.user)
            pages.end_present(request.session)
            logout(request)
            request.session["was_ended"] = True
            return _forgotten(self.get_response(request))
        replica.asked_by(last_wrote_at=row.wrote_at)
        with fresh_code.noting() as gave_a_code:
            response = self.get_response(request)
        if "_auth_user_id" not in request.session:
            return _forgotten(response)
        if row.user_id in gave_a_code:
            pages.renew_key(request.session)
        if not _is_background(request):
            user_sessions.note_seen(row, now=now)
        return response


def _forgotten(response: HttpResponse) -> HttpResponse:
    """Return the answer, by which the browser forgets what it has cached of the bank."""
    response["Clear-Site-Data"] = _FORGET
    return response


def _is_background(request: HttpRequest) -> bool:
    view = request.resolver_match.func if request.resolver_match else None
    return getattr(view, "is_background", False)


class TwoFactorMiddleware(LoginRequiredMiddleware):
    """Requires a second factor for every view, unless it is marked `login_not_required` (R1.3).

    A person who must change the password is sent there first. A form that was shown to somebody else does nothing.
    """

    def process_view(
        self, request: HttpRequest, view_func: Callable, view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
        if request.method == "POST" and hasattr(request, "session") and pages.is_of_another(request):
            messages.warning(request, "Someone else has signed in here since we showed that form. Nothing was sent.")
            return redirect("home" if pages.is_signed_in(request) else request.path)
        if not getattr(view_func, "login_required", True):
            return None
        user: Any = request.user
        if not user.is_authenticated or not user.is_verified():
            if request.session.pop("was_ended", False):
                messages.info(request, "Your session has ended. Please sign in again.")
            return self.handle_no_permission(request, view_func)
        if user.must_change_password and not getattr(view_func, "allowed_before_password_change", False):
            return redirect("password_change")
        return None

    def get_login_url(self, view_func: Callable) -> str:
        """Return the one sign-in page: the admin's views ask for a page of their own, which does not exist."""
        return resolve_url(settings.LOGIN_URL)

    def handle_no_permission(self, request: HttpRequest, view_func: Callable) -> HttpResponseRedirect:
        """Send the person to sign in, and afterwards back to where they were. A lost POST is not repeated by itself:
        its page is shown again, and kept.js puts back what was typed."""
        if request.method == "GET":
            return super().handle_no_permission(request, view_func)
        page, sign_in = _page_it_came_from(request), self.get_login_url(view_func)
        return redirect_to_login(page, sign_in) if page else redirect(sign_in)


class SecondFactorMiddleware(OTPMiddleware):
    """django-otp's: a user is verified who has given a second factor in this session, while the device is theirs.

    Every page looks the device up, so a statement that is compiled once does it. There is one kind of device.
    """

    def _device_from_persistent_id(self, persistent_id: str) -> TotpDevice | None:
        kind, _, key = persistent_id.rpartition("/")
        found = _devices.instances(int(key)) if kind == TotpDevice.model_label() and key.isdecimal() else []
        return found[0] if found else None


_devices: Select[TotpDevice] = Select(lambda pk: TotpDevice.objects.filter(pk=pk), TotpDevice._meta.pk)


def _page_it_came_from(request: HttpRequest) -> str:
    """Return the path of our page that sent this request, if the browser tells; "" for any other site."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return ""
    parts = urlsplit(referer)
    return urlunsplit(("", "", parts.path, parts.query, "")) if parts.netloc else ""
