"""How texts are compared where an index must serve it."""

from typing import Any

from django.db.models.lookups import StartsWith

_AFTER_ALL_ELSE = "\U0010ffff"


class BeginsWith(StartsWith):
    """`startswith` that an index serves on every engine.

    On SQLite Django's own is LIKE, which compares without case, so an index in binary order is of no use to it:
    there the beginning is a range of that order.
    """

    lookup_name = "begins_with"

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        return connection.operators["startswith"] % rhs

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        text, parameters = self.process_lhs(compiler, connection)
        return f"({text} >= %s AND {text} < %s)", [
            *parameters, self.rhs, *parameters, f"{self.rhs}{_AFTER_ALL_ELSE}",
        ]  # fmt: skip
