"""What surrounds pages only: sessions, who is signed in, for how long, messages, the second factor at the door.

A program's request goes past all of it. It has a token and no cookie, so none of it could say anything about it, and
a cookie that comes along opens nothing (`accounts.rest.bearer`): its session is not even read.
"""

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django_otp.middleware import OTPMiddleware

from accounts.middleware import SessionTimeoutMiddleware, TwoFactorMiddleware
from bankproject.middleware import API

_PAGE_AMONG_THEM = "/api/v1/docs/"


class _PagesOnly:
    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if request.path_info.startswith(API) and request.path_info != _PAGE_AMONG_THEM:
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]  # of the middleware it is mixed into


# Subclasses of the well-known ones, which Django's system checks look for; that of forms they look for by name.
class PageSession(_PagesOnly, SessionMiddleware): ...


class PageUser(_PagesOnly, AuthenticationMiddleware): ...


class PageOtp(_PagesOnly, OTPMiddleware): ...


class PageTimeout(_PagesOnly, SessionTimeoutMiddleware): ...


class PageMessages(_PagesOnly, MessageMiddleware): ...


class PageTwoFactor(_PagesOnly, TwoFactorMiddleware): ...
