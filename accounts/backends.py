from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.db import DEFAULT_DB_ALIAS
from django.http import HttpRequest

from accounts import guesses, password_hashing, roles
from accounts.addresses import user_by_email
from accounts.limiter import TooOften
from accounts.models import User
from audit.context import client_ip


class CountedPasswordBackend(ModelBackend):
    """E-mail and password, each try counted before the hasher runs, whichever way it came in (R1.2, R1.4)."""

    def authenticate(
        self, request: HttpRequest | None, username: Any = None, password: Any = None, **kwargs: Any
    ) -> User | None:
        if not isinstance(username, str) or not isinstance(password, str) or not username or not password:
            return None
        ip = client_ip(request) if request is not None else None
        try:
            user = guesses.counted(
                lambda: guesses.from_network(lambda: self._whose(username, password), ip=ip), email=username, ip=ip
            )
        except TooOften as error:
            raise PermissionDenied from error
        return user

    def _whose(self, email: str, password: str) -> User | None:
        """The user whose e-mail and password these are, if they may sign in. The work is the same for everybody, and
        for nobody: unknown, locked, with an old hash or a new one."""
        user = user_by_email(email)
        right = user.check_password(password) if user else password_hashing.matches(None, password)
        return user if user and right and self.user_can_authenticate(user) else None

    def get_user(self, user_id: Any) -> User | None:
        """The user of a session, asked on every request: the role comes along, since every page asks for it."""
        # From the primary, whoever asks for `request.user` first: a replica may not know of a lock yet.
        user = roles.with_role(User.objects.using(DEFAULT_DB_ALIAS).filter(pk=user_id))
        return user if user is not None and self.user_can_authenticate(user) else None

    def user_can_authenticate(self, user: Any) -> bool:
        """A locked or deactivated user neither signs in nor keeps a session (asked on every request)."""
        return user.can_sign_in
