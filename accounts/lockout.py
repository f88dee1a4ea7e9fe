"""django-axes records who failed when; whether that locks is decided by our exact count (R1.4)."""

from collections.abc import Mapping
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.db import IntegrityError
from django.http import HttpRequest

from accounts import guesses
from accounts.origin import Origin
from accounts.sign_in_identity import identity, name_for_axes
from audit.context import client_ip


def request_from(origin: Origin) -> HttpRequest:
    """What Django's `authenticate()` and axes read of a request, made from what a service knows. What was typed is not
    in it, so that axes keeps none of that."""
    request = HttpRequest()
    request.method, request.path, request.path_info = "POST", origin.path, origin.path
    given = {"REMOTE_ADDR": origin.ip, "HTTP_USER_AGENT": origin.user_agent, "HTTP_ACCEPT": origin.accept}
    request.META = {name: value for name, value in given.items() if value} | {"PATH_INFO": origin.path}
    return request


def note_wrong_code(*, email: str, origin: Origin) -> None:
    """Let axes hear of it too, so that its records have codes like passwords."""
    user_login_failed.send(__name__, credentials={"username": email}, request=request_from(origin))


def email_of(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str:
    """For `AXES_USERNAME_CALLABLE`. Forms pass `username`, programs `email`; without this, axes reads None for
    one of them and every user shares a single counter, so that one person's failures lock all."""
    return name_for_axes(_typed(request, credentials))


def identity_of(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str:
    """The key that the guess counters of an attempt are under, whatever was typed."""
    return identity(_typed(request, credentials))


def _typed(request: HttpRequest | None, credentials: Mapping[str, Any] | None) -> Any:
    source = credentials or (request.POST if request is not None else {})
    return source.get("username") or source.get("email")


class ExactHandler(AxesDatabaseHandler):
    """Axes adds up failures for as long as each comes within ten minutes of the last, so that one slip every nine
    minutes locks after five; ours are five within ten minutes. With two counts, one lock could outlast the other."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        locked = guesses.seconds_locked(email=identity_of(request, credentials), ip=client_ip(request))
        return settings.AXES_FAILURE_LIMIT if locked else 0

    def user_login_failed(self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any) -> None:
        """As axes does; once more where its row was there to stand in the way and is gone by the time it is looked
        for, since its owner has signed in at this very moment."""
        try:
            super().user_login_failed(sender, credentials, request, **kwargs)
        except IntegrityError:
            super().user_login_failed(sender, credentials, request, **kwargs)
