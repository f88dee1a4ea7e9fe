"""Whose session this is, asked on every request of the API: compiled by the ORM once, then run with other ids.

Compiling the query took longer than asking (docs/adr/0005). No SQL is written here: it is what the ORM would run, on
any database.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import F, QuerySet

from accounts import roles
from accounts.models import SessionKind, User

# Stand-ins for values while compiling: ids that nobody has.
_USER, _SESSION = UUID(int=7_700_000_000_000_001), UUID(int=7_700_000_000_000_002)
# What is told of the session, and its field.
_OF_SESSION = {"session_pk": "pk"} | {
    name: name for name in ("user_agent", "ip", "created_at", "last_seen_at", "wrote_at")
}

# Read by the few requests that ask for them.
_LEFT_OUT = ("password", "last_login", "is_superuser", "created_at")


@dataclass(frozen=True)
class SessionUser:
    """A user with the role already read, and what stands in the row of the session."""

    user: User
    session: UUID
    session_pk: int
    user_agent: str
    ip: str | None
    created_at: datetime
    last_seen_at: datetime
    wrote_at: datetime | None


class _Statement:
    """The compiled text, and how a row of it becomes a user."""

    def __init__(self) -> None:
        compiler: Any = _users(_USER, _SESSION).query.get_compiler(using=DEFAULT_DB_ALIAS)
        self.text, params = compiler.as_sql()
        slots = {_in_database(_USER): 0, _in_database(_SESSION): 1}
        self._params = [(slots.get(param), param) for param in params]
        if sorted(slot for slot, _ in self._params if slot is not None) != [0, 1]:
            raise AssertionError(f"A value got lost in compiling: {self.text}")
        columns = [expression for expression, *_ in compiler.select]
        places = compiler.klass_info["select_fields"]
        self._model = slice(places[0], places[-1] + 1)
        self._names = [column.target.attname for column in columns[self._model]]
        self._converters = compiler.get_converters(columns)
        self.place_of: dict[str, int] = compiler.annotation_col_map

    def bind(self, user: UUID, session: UUID) -> list[Any]:
        values = (_in_database(user), _in_database(session))
        return [param if slot is None else values[slot] for slot, param in self._params]

    def converted(self, row: tuple) -> list[Any]:
        values = list(row)
        for place, (converters, expression) in self._converters.items():
            for convert in converters:
                values[place] = convert(values[place], expression, connection)
        return values

    def user_in(self, values: list[Any]) -> User:
        return User.from_db(DEFAULT_DB_ALIAS, self._names, values[self._model])


_statements: dict[str, _Statement] = {}


def of_api_session(*, user: UUID, session: UUID) -> SessionUser | None:
    """The user of an open session of the API, if it is this user's: by two unique keys, in one statement."""
    statement = _statements.get(connection.vendor)
    if statement is None:
        statement = _statements[connection.vendor] = _Statement()
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.bind(user, session))
        rows = cursor.fetchall()
    if not rows:
        return None
    values, place_of = statement.converted(rows[0]), statement.place_of
    found = statement.user_in(values)
    group, permissions = place_of["_group"], place_of["_permissions"]
    roles.keep(found, [(row[group], row[permissions]) for row in rows])
    return SessionUser(found, session, **{name: values[place_of[f"_{name}"]] for name in _OF_SESSION})


def _users(user: UUID, session: UUID) -> QuerySet[User]:
    users = User.objects.filter(
        public_id=user,
        sessions__public_id=session,
        sessions__kind=SessionKind.API,
        sessions__ended_at__isnull=True,
    )
    of_session = {f"_{name}": F(f"sessions__{field}") for name, field in _OF_SESSION.items()}
    return roles.annotated(users.defer(*_LEFT_OUT).annotate(**of_session))


def _in_database(public_id: UUID) -> Any:
    return User._meta.get_field("public_id").get_db_prep_value(public_id, connection, prepared=False)
