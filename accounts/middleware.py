from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils import timezone

from accounts.services import user_sessions
from audit.actions import Action
from audit.services import record


class SessionTimeoutMiddleware:
    """Ends a session on the server after too long without activity, or too long altogether (R1.6), and one that
    was ended elsewhere (R1.8).

    The cookie's age is only a courtesy to the browser; these stamps are what counts. A request that sets
    `request.is_background` (live updates) does not count as activity.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.session.get("_auth_user_id") is None:
            return self.get_response(request)
        at = timezone.now()
        now = int(at.timestamp())
        row = user_sessions.open_row(request)
        if row is None or self._is_over(request, now):
            if row is not None and request.user.is_authenticated:
                record(Action.SESSION_EXPIRED, actor=request.user)
            user_sessions.end_present(request)
            logout(request)
            request.session["was_ended"] = True
            return self.get_response(request)
        response = self.get_response(request)
        if not getattr(request, "is_background", False) and "seen_at" in request.session:
            request.session["seen_at"] = now
            user_sessions.refresh(row, now=at)
        return response

    @staticmethod
    def _is_over(request: HttpRequest, now: int) -> bool:
        # A session without stamps was not begun by our sign-in: fail closed.
        seen_at = request.session.get("seen_at", 0)
        auth_at = request.session.get("auth_at", 0)
        return now - seen_at > settings.SESSION_IDLE_SECONDS or now - auth_at > settings.SESSION_ABSOLUTE_SECONDS


class TwoFactorMiddleware(LoginRequiredMiddleware):
    """Every view needs a user who has given a second factor, unless it is marked `login_not_required` (R1.3).

    Someone who must change the password is sent there first.
    """

    def process_view(
        self, request: HttpRequest, view_func: Callable, view_args: Any, view_kwargs: Any
    ) -> HttpResponseBase | None:
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
        """One way in for all: the admin's views ask for a sign-in page of their own, which there is not."""
        return resolve_url(settings.LOGIN_URL)

    def handle_no_permission(self, request: HttpRequest, view_func: Callable) -> HttpResponseRedirect:
        """Only a GET can be gone on with after signing in; a lost POST is not repeated by itself."""
        if request.method != "GET":
            return redirect(settings.LOGIN_URL)
        return super().handle_no_permission(request, view_func)
