"""E-mail addresses as people type them, and their users."""

import unicodedata

from accounts.models import User, normalise_email
from foundation.compiled import Select

# Invisible characters, spaces of any width, ends of lines, controls.
_NEVER_IN_ONE = {"Cf", "Zs", "Zl", "Zp", "Cc"}

_users: Select[User] = Select(lambda email: User.objects.filter(email=email), User._meta.get_field("email"))


def user_by_email(typed: str) -> User | None:
    """Return the user who signs in with this address; the only look-up for a typed address.

    The database alone cannot decide: SQL Server's usual collation ignores width and zero-width characters, so a
    thousand texts would find one user, and each of them would count guesses under a key of its own (R1.4).
    """
    email = normalise_email(typed)
    user = next(iter(_users.instances(email)), None)
    return user if user is not None and user.email == email else None


def is_plain(email: str) -> bool:
    """Return whether it has one spelling only: no character is invisible, a space, or changed by NFKC."""
    text = email.strip()
    return unicodedata.normalize("NFKC", text) == text and not any(
        unicodedata.category(char) in _NEVER_IN_ONE for char in text
    )
