"""The bank itself as a user: it posts what no person asks for, such as interest."""

from django.contrib.auth.hashers import make_password

from accounts.models import User

# The address receives no mail (RFC 2606), and nobody can register it.
EMAIL = "bank@system.invalid"


def the_bank() -> User:
    """Return the user of the bank's own jobs, made when it is first needed: inactive, without a password and without a
    role, so that nobody signs in as it and no service lets it do anything."""
    user, _ = User.objects.get_or_create(
        email=EMAIL, defaults={"first_name": "The bank", "is_active": False, "password": make_password(None)}
    )
    return user
