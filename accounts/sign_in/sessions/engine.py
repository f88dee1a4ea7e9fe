"""Sessions in the database under a digest of their key: a reader of the table, or of a backup, cannot take over a
session.

Django's own engine keeps the cookie's key itself, and its signature of a session's content is valid in any row; here
the signature covers the row too, so a copy under another key is worthless. Everything else is Django's.
"""

import hashlib
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import DatabaseError, models, transaction
from django.utils import timezone

from foundation.compiled import Select, Update
from foundation.transactions import is_away

_COLUMN_CHARS = 40  # of Django's table: 160 bits of the digest, of a key that is as long


def row_key(session_key: str) -> str:
    """Return the key of the row that holds a cookie's session. No salt is needed: the cookie's key is 32 random
    characters."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:_COLUMN_CHARS]


def salt_of(row: str) -> str:
    """Return the salt that binds the signature to the row with this key."""
    return f"accounts.sign_in.sessions.engine.{row}"


def _of_sessions() -> Any:
    return SessionStore.get_model_class()._default_manager


def _unexpired(key: str, now: Any) -> Any:
    return _of_sessions().filter(session_key=key, expire_date__gt=now)


def _rewritten(key: str, data: str, expires: Any) -> tuple[Any, dict[str, Any]]:
    return _of_sessions().filter(session_key=key), {"session_data": data, "expire_date": expires}


# Read and written on every request of a page. Not from a model's fields, since Django loads its sessions' model later.
_KEY, _DATA, _AT = models.CharField(max_length=_COLUMN_CHARS), models.TextField(), models.DateTimeField()
_rows: Select = Select(_unexpired, _KEY, _AT)
_keys: Select = Select(lambda key: _of_sessions().filter(session_key=key).values_list("session_key"), _KEY)
_writing = Update(_rewritten, _KEY, _DATA, _AT)


class SessionStore(db.SessionStore):
    """For `SESSION_ENGINE`. `session_key` is the cookie's key everywhere; only here is a row's key used."""

    # Whether a key was sent under which there is no session (any more).
    is_lost = False

    @property
    def key_salt(self) -> str:
        return salt_of(row_key(self.session_key or ""))

    def load(self) -> dict[str, Any]:
        return self._opened(next(iter(_rows.instances(row_key(self.session_key or ""), timezone.now())), None))

    async def aload(self) -> dict[str, Any]:
        return self._opened(await _unexpired(row_key(self.session_key or ""), timezone.now()).afirst())

    def save(self, must_create: bool = False) -> None:
        """Save as Django does, but write an existing row by a statement that is compiled once."""
        if must_create or self.session_key is None:
            super().save(must_create)
            return
        row = self.create_model_instance(self._get_session())  # type: ignore[attr-defined]
        try:
            with transaction.atomic():
                is_there = _writing.execute(row.session_key, row.session_data, row.expire_date)
        except DatabaseError as error:
            if is_away(error):  # the session still exists: nobody is to be told that it has ended
                raise
            raise UpdateError from error
        if not is_there:
            raise UpdateError

    def exists(self, session_key: str) -> bool:
        return bool(_keys.rows(row_key(session_key)))

    async def aexists(self, session_key: str) -> bool:
        return await super().aexists(row_key(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        return self._under_digest(super().create_model_instance(data))

    async def acreate_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        return self._under_digest(await super().acreate_model_instance(data))

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            super().delete(row_key(key))

    async def adelete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            await super().adelete(row_key(key))

    def _opened(self, row: AbstractBaseSession | None) -> dict[str, Any]:
        if row is None:  # expired, ended, or a key that a visitor made up: not to be used for a new session
            self._session_key = None
            self.is_lost = True
            return {}
        return self.decode(row.session_data)

    def _under_digest(self, row: AbstractBaseSession) -> AbstractBaseSession:
        row.session_key = row_key(row.session_key)
        return row
