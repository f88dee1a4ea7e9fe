"""E-mail addresses as people type them, and whose they are."""

import unicodedata

from accounts.models import User, normalise_email
from foundation.compiled import Select

# Invisible characters, spaces of any width, ends of lines, controls.
_NEVER_IN_ONE = {"Cf", "Zs", "Zl", "Zp", "Cc"}

_users: Select[User] = Select(lambda email: User.objects.filter(email=email), User._meta.get_field("email"))


def user_by_email(typed: str) -> User | None:
    """The user who signs in with this address; the one look-up for whatever was typed.

    The database alone does not say: SQL Server's usual collation ignores width and zero-width characters, so that a
    thousand texts would find one user, and each of them would count guesses under a key of its own (R1.4).
    """
    email = normalise_email(typed)
    user = next(iter(_users.instances(email)), None)
    return user if user is not None and user.email == email else None


def is_plain(email: str) -> bool:
    """Whether it has one spelling only: nothing in it is invisible, a space, or something else by NFKC."""
    text = email.strip()
    return unicodedata.normalize("NFKC", text) == text and not any(
        unicodedata.category(char) in _NEVER_IN_ONE for char in text
    )
