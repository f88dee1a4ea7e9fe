"""Encryption of single columns, and look-up of encrypted values (R8.1).

A value is stored as `kid.base64url(nonce ‖ AES-256-GCM ciphertext)`. Its model, field and the row's immutable
`public_id` are authenticated with it, so a ciphertext moved to another row or column does not open. It is opened when
the attribute is first read, never before. docs/adr/0003 says why the field is our own.
"""

import base64
import hashlib
import hmac
import os
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core import exceptions
from django.db import models
from django.db.models.query_utils import DeferredAttribute

_NONCE_BYTES = 12
_TAG_BYTES = 16


# Checks that must pass before a key is used on a row. `foundation.apps` registers one that needs the models: it refuses
# to continue if a key id stands for another key than before (`foundation.keys.records`).
_before_use: list[Callable[[], None]] = []


def check_before_use(check: Callable[[], None]) -> None:
    """Have `check` run before anything is sealed into a row, opened from one, or looked up; it must be cheap."""
    _before_use[:] = [check]


def _refuse_wrong_keys() -> None:
    for check in _before_use:
        check()


class DecryptionFailed(Exception):
    """A stored value does not open: wrong key, altered, or moved from another row. It is never shown or guessed."""


def seal(plaintext: str, context: str) -> str:
    """Encrypt under the first key of the ring; `context` must be given again to open."""
    kid, key = next(iter(settings.FIELD_KEYS.items()))
    nonce = os.urandom(_NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, plaintext.encode(), context.encode())
    return f"{kid}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def open_sealed(stored: str, context: str) -> str:
    """Decrypt what `seal` made with the same context.

    Raises:
        DecryptionFailed: unknown key id, or anything at all about the value is not as it was sealed.
    """
    kid, _, payload = stored.partition(".")
    try:
        raw = base64.urlsafe_b64decode(payload)
        plain = AESGCM(settings.FIELD_KEYS[kid]).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode())
    except (KeyError, ValueError, InvalidTag) as error:
        raise DecryptionFailed(f"A sealed value does not open ({context}).") from error
    return plain.decode()


def lookup_digest(value: str) -> str:
    """Return the keyed digest under which `value` is found, as `kid.hex`: HMAC-SHA-256, newest look-up key."""
    _refuse_wrong_keys()
    return _digest(*next(iter(settings.LOOKUP_KEYS.items())), value)


def lookup_digests(value: str) -> list[str]:
    """Return every digest `value` may be stored under while look-up keys are being rotated, newest first."""
    _refuse_wrong_keys()
    return [_digest(kid, key, value) for kid, key in settings.LOOKUP_KEYS.items()]


def _digest(kid: str, key: bytes, value: str) -> str:
    return f"{kid}.{hmac.new(key, value.encode(), hashlib.sha256).hexdigest()}"


class Sealed:
    """A stored ciphertext that has not been opened. It cannot be shown, compared or serialised by accident."""

    __slots__ = ("stored",)

    def __init__(self, stored: str) -> None:
        self.stored = stored

    def __repr__(self) -> str:
        return "<sealed>"

    def __str__(self) -> str:
        raise TypeError("An encrypted value was read past its model: use the instance's attribute, not values().")


class _OpensOnAccess(DeferredAttribute):
    """Opens the sealed value when the attribute is read, with the row's public id as context."""

    field: "EncryptedField"

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        if instance is None:
            return self
        name = self.field.attname
        if name not in instance.__dict__:
            super().__get__(instance, cls)
        value = instance.__dict__[name]
        if isinstance(value, Sealed):
            _refuse_wrong_keys()
            value = open_sealed(value.stored, self.field.context_of(instance))
            instance.__dict__[name] = value
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = value


class EncryptedField(models.CharField):
    """Text of at most `max_chars` characters, sealed in the column; the model needs an immutable `public_id`.

    `bound_to` names one more attribute that never changes, such as the owner's id: giving the row to somebody
    else in the database then makes it unreadable.

    Only `isnull` look-ups work. `values()` yields opaque objects; `update()` and `bulk_update()` are refused:
    they know no row to bind the ciphertext to.
    """

    descriptor_class = _OpensOnAccess

    def __init__(self, *args: Any, max_chars: int, bound_to: str = "", **kwargs: Any) -> None:
        self.max_chars = max_chars
        self.bound_to = bound_to
        sealed_bytes = _NONCE_BYTES + 4 * max_chars + _TAG_BYTES  # UTF-8 takes up to four bytes a character
        kwargs["max_length"] = 9 + 4 * -(-sealed_bytes // 3)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_length"]
        kwargs |= {"max_chars": self.max_chars}
        return name, path, args, kwargs | ({"bound_to": self.bound_to} if self.bound_to else {})

    def context_of(self, instance: models.Model) -> str:
        # Every model with such a field has a public_id, which the checker cannot know.
        row = f"{self.model._meta.label_lower}.{self.name}:{instance.public_id}"  # type: ignore[attr-defined]
        return f"{row}:{getattr(instance, self.bound_to)}" if self.bound_to else row

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Sealed | None:
        return None if value is None else Sealed(value)

    def to_python(self, value: Any) -> Any:
        return value

    def pre_save(self, model_instance: models.Model, add: bool) -> Sealed | None:
        value = model_instance.__dict__.get(self.attname)
        if value is None or isinstance(value, Sealed):
            return value
        if len(value) > self.max_chars:
            raise ValueError(f"{self.name} takes {self.max_chars} characters at most.")
        _refuse_wrong_keys()
        return Sealed(seal(value, self.context_of(model_instance)))

    def get_prep_value(self, value: Any) -> str | None:
        if value is None:
            return None
        if not isinstance(value, Sealed):
            raise TypeError(f"{self.name} is encrypted: set it on an instance and save() that.")
        return value.stored

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise exceptions.FieldError(f"{self.name} is encrypted: it cannot be looked up by {lookup_name}.")
        return super().get_lookup(lookup_name)


class DigestField(models.CharField):
    """The `lookup_digest` of the value in the encrypted field `digest_of` of the same row.

    For the database it is a column of characters; it has a class of its own so that the rotation of keys finds it.
    """

    def __init__(self, *args: Any, digest_of: str = "", **kwargs: Any) -> None:
        self.digest_of = digest_of
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        # The meaning of a column does not concern migrations, nor the copies of fields that they make.
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs
