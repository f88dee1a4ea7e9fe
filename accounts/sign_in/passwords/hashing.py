"""Hashing and checking passwords, so that the time does not reveal whether a user exists (R1.2).

Hashes of another kind (PBKDF2, other parameters of Argon2) are replaced when their owner next gives the password. As
long as the database holds any, each check does the work of every existing kind: the same for an unknown person, for an
old hash and for a new one. Once the last is gone, a check is one run again.

A password is hashed exactly as it was received (ASVS V6.2.8). The keyboards of Windows, macOS and phones all send é as
one character, and a person whose keyboard sends two does so each time; what NFKC would make equal, an attacker need not
try twice.
"""

import time
import unicodedata
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, cast

from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import Argon2PasswordHasher, get_hasher, get_hashers, identify_hasher, make_password
from django.db.models import Q

# In code points. More would only make the hasher work; longer passwords are refused before it runs, never cut.
MAX_PASSWORD_CHARS = 256


def normalised(password: str) -> str:
    """Return the text in NFKC, in which a new password is judged: é is é, and Ａ is A. It is never hashed."""
    return unicodedata.normalize("NFKC", password)


def length_of_password(password: str) -> int:
    """Return its number of characters; none counts twice because it can be written as several."""
    return min(len(password), len(normalised(password)))


def is_hashable(password: str) -> bool:
    """Return whether the hasher may get this: of a sane length, and text (JSON can carry half a character)."""
    return len(password) <= MAX_PASSWORD_CHARS and not any("\ud800" <= char <= "\udfff" for char in password)


_LOOK_AGAIN_SECONDS = 60
_MOST_OLD_KINDS = 5
# A salt and hash that belong to no password: base64 of 16 and of 32 zero bytes, as Argon2 wants them; PBKDF2 takes any.
_NOBODYS = f"${'A' * 22}${'A' * 43}"


def make_hash(password: str) -> str:
    """Return the hash to store for a new password; `rules` decides whether the password is good enough.

    Raises:
        ValueError: not text, or too long to be chosen.
    """
    if not is_hashable(password):
        raise ValueError("This cannot be a password.")
    return make_password(password)


def matches(encoded: str | None, password: str) -> bool:
    """Return whether `password` is the one that was hashed to `encoded`; None belongs to nobody, and costs the same.

    How often the hasher runs depends on the kinds in the database, not on whose hash it is.
    """
    hashable = is_hashable(password)
    guess = password if hashable else ""
    runs = [_run(encoded, guess, kind) for kind in _kinds_to_run(encoded)]
    return hashable and any(runs)


def check_and_renew(encoded: str | None, password: str, *, renew: Callable[[str], None]) -> bool:
    """Do as `matches`; if the right password should be hashed again, call `renew` with the new hash."""
    if not matches(encoded, password) or encoded is None:
        return False
    if _is_outdated(encoded):
        renew(make_hash(password))
    return True


def forget_kinds() -> None:
    """Read the kinds from the database again at the next check."""
    _old_kinds.forget()


def _run(encoded: str | None, password: str, kind: str) -> bool:
    if encoded is not None and _kind_of(encoded) == kind:
        return _verify(encoded, password)
    _verify(kind + _NOBODYS, password)
    return False


def _verify(encoded: str, password: str) -> bool:
    return identify_hasher(encoded).verify(password, encoded)


def _kinds_to_run(encoded: str | None) -> list[str]:
    kinds = [_present_kind(), *_old_kinds.present()]
    own = _kind_of(encoded or "")
    if own and own not in kinds:  # came since the last look
        forget_kinds()
        kinds.append(own)
    return kinds


def _is_outdated(encoded: str) -> bool:
    return _kind_of(encoded) != _present_kind() or get_hasher().must_update(encoded)


def _kind_of(encoded: str) -> str:
    """Return algorithm and parameters: everything before salt and hash. "" if none of our hashers made it."""
    try:
        identify_hasher(encoded)
    except ValueError:
        return ""
    parts = encoded.split("$")
    return "$".join(parts[:-2]) if len(parts) > 3 else ""


def _present_kind() -> str:
    params = cast(Argon2PasswordHasher, get_hasher()).params()
    cost = f"m={params.memory_cost},t={params.time_cost},p={params.parallelism}"
    return f"argon2$argon2id$v={params.version}${cost}"


class _OldKinds:
    """The kinds of hash in the database other than the current one, looked up once a minute in each process."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._found: list[str] = []
        self._look_at = 0.0

    def present(self) -> list[str]:
        if time.monotonic() >= self._look_at:
            self._found = self._looked_up()
            self._look_at = time.monotonic() + _LOOK_AGAIN_SECONDS
        return self._found

    def _looked_up(self) -> list[str]:
        known = [_present_kind()]
        while len(known) <= _MOST_OLD_KINDS:
            kind = self._another_than(known)
            if not kind:
                break
            known.append(kind)
        return known[1:]

    def _another_than(self, known: list[str]) -> str:
        beginnings = [f"{hasher.algorithm}$" for hasher in get_hashers()]
        of_ours = reduce(or_, (Q(password__startswith=beginning) for beginning in beginnings))
        for name in ("User", "Registration"):
            model: Any = apps.get_model("accounts", name)
            rows = model._default_manager.all().filter(of_ours)
            for kind in known:
                rows = rows.exclude(password__startswith=f"{kind}$")
            found = rows.values_list("password", flat=True).first()
            if found is not None and _kind_of(found) not in known:
                return _kind_of(found)
        return ""


_old_kinds = _OldKinds()


class UserWithPassword(AbstractBaseUser):
    """Adds `set_password` and `check_password` as above. Renewing a hash is not a change of password, and never
    overwrites one made meanwhile. Sessions that began with the old hash end, as after a change, except the one that
    asks (`passwords.check_own_password`)."""

    class Meta:
        abstract = True

    def set_password(self, raw_password: str | None) -> None:
        """Set the password; None sets none at all."""
        if raw_password is None:
            self.set_unusable_password()
            return
        self.password = make_hash(raw_password)
        self._password = raw_password

    def check_password(self, raw_password: str | None) -> bool:
        return check_and_renew(self.password, raw_password or "", renew=self._renew)

    def _renew(self, encoded: str) -> None:
        unchanged = type(self)._default_manager.filter(pk=self.pk, password=self.password)
        if unchanged.update(password=encoded):
            self.password = encoded
