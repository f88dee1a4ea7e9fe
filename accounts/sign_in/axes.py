"""All code that works with django-axes, which the bank's rules require, and which only records:
`accounts.sign_in.guesses` decides who may try. Settings name what is here (AXES_…, AUTHENTICATION_BACKENDS)."""

from collections.abc import Mapping
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.signals import user_login_failed
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest

from accounts import roles
from accounts.models import User
from accounts.sign_in import guesses
from accounts.sign_in.emails import user_by_email
from accounts.sign_in.guesses import identity, name_for_axes
from accounts.sign_in.origin import Origin
from accounts.sign_in.passwords import hashing
from foundation.compiled import Select
from foundation.limiter.limiter import TooOften
from foundation.request_context import client_ip

# The attribute of a request whose guess was looked at.
_CHECKED = "guess_was_checked"

# The user of a session, read on every request: the role comes along, since every page asks for it.
_users: Select = Select(lambda pk: roles.annotated(User.objects.filter(pk=pk)), User._meta.pk)


class CountedPasswordBackend(ModelBackend):
    """E-mail and password, with each try counted before the hasher runs, from any door (R1.2, R1.4)."""

    def authenticate(
        self, request: HttpRequest | None, username: Any = None, password: Any = None, **kwargs: Any
    ) -> User | None:
        if not isinstance(username, str) or not isinstance(password, str) or not username or not password:
            return None
        ip = client_ip(request) if request is not None else None
        try:
            with guesses.counted(email=username, ip=ip, shows_nothing=True) as guess:
                if request is not None:
                    vars(request)[_CHECKED] = True
                user = self._whose(username, password)
                guess.was_right = user is not None
        except TooOften as error:
            if request is not None:
                vars(request)["axes_locked_out"] = True  # nothing was checked: axes makes no row of it
            raise PermissionDenied from error
        return user

    def _whose(self, email: str, password: str) -> User | None:
        """Return the user with this e-mail and password, if they may sign in. The work is the same for everybody and
        for nobody: unknown, locked, with an old hash or a new one."""
        user = user_by_email(email)
        right = user.check_password(password) if user else hashing.matches(None, password)
        return user if user and right and self.user_can_authenticate(user) else None

    def get_user(self, user_id: Any) -> User | None:
        """Return the user of a session, with the role and its permissions already read, in one statement."""
        # From the primary, even for the first read of `request.user`: a replica may not know about a lock yet.
        rows = _users.instances(user_id)
        if not rows or not self.user_can_authenticate(rows[0]):
            return None
        roles.keep(rows[0], [(row._group, row._permissions) for row in rows])
        return rows[0]

    def user_can_authenticate(self, user: Any) -> bool:
        """Return whether the user may sign in and keep a session: not if locked or deactivated (asked on every
        request)."""
        return user.can_sign_in


class ExactHandler(AxesDatabaseHandler):
    """Axes adds up failures for as long as each comes within ten minutes of the last, so that one slip every nine
    minutes locks after five; our limit is five within ten minutes. With two counts, one lock could outlast the
    other."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        locked = guesses.seconds_locked(email=identity_of(request, credentials), ip=client_ip(request))
        return settings.AXES_FAILURE_LIMIT if locked else 0

    def user_login_failed(self, sender: Any, credentials: Any, request: Any = None, **kwargs: Any) -> None:
        """Record a failure as axes does; try again where its row was in the way and is gone a moment later, since its
        owner has just signed in."""
        try:
            super().user_login_failed(sender, credentials, request, **kwargs)
        except IntegrityError:
            super().user_login_failed(sender, credentials, request, **kwargs)


def email_of(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str:
    """Return the e-mail, for `AXES_USERNAME_CALLABLE`. Forms pass `username`, programs `email`; without this, axes
    would read None for one of them and all users would share one counter, so that one person's failures lock
    everybody."""
    return name_for_axes(_typed(request, credentials))


def identity_of(request: HttpRequest | None, credentials: Mapping[str, Any] | None = None) -> str:
    """Return the key of an attempt's guess counters, whatever was typed."""
    return identity(_typed(request, credentials))


def _typed(request: HttpRequest | None, credentials: Mapping[str, Any] | None) -> Any:
    source = credentials or (request.POST if request is not None else {})
    return source.get("username") or source.get("email")


def request_from(origin: Origin) -> HttpRequest:
    """Return what Django's `authenticate()` and axes read from a request, made from what a service knows. It leaves out
    what was typed, so axes keeps none of that."""
    request = HttpRequest()
    request.method, request.path, request.path_info = "POST", origin.path, origin.path
    given = {"REMOTE_ADDR": origin.ip, "HTTP_USER_AGENT": origin.user_agent, "HTTP_ACCEPT": origin.accept}
    request.META = {name: value for name, value in given.items() if value} | {"PATH_INFO": origin.path}
    return request


def was_checked(request: HttpRequest) -> bool:
    """Return whether the guess that came with this request was looked at, or a limit refused it before."""
    return _CHECKED in vars(request)


def note_wrong_code(*, email: str, origin: Origin) -> None:
    """Let axes record it too, so that its records have codes like passwords."""
    user_login_failed.send(__name__, credentials={"username": email}, request=request_from(origin))
