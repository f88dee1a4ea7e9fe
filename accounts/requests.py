from django.http import HttpRequest

from accounts.models import User


class SignedInRequest(HttpRequest):
    """A request that has passed `TwoFactorMiddleware`: for the type checker, its user is one."""

    user: User
