"""The content of a pretended SQL Server: tables, columns, constraints, indexes and triggers, from the DDL sent to it.

It knows exactly the statements that the backend writes, and refuses what a server would refuse in them: a name given
twice, a column altered or dropped under an index, a constraint dropped that does not exist.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


class ServerError(AssertionError):
    """The server would have refused this statement."""


@dataclass
class Table:
    """Columns with their declared types, and what depends on them as the introspection reports it."""

    columns: dict[str, str] = field(default_factory=dict)
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    triggers: set[str] = field(default_factory=set)

    def depending_on(self, column: str) -> list[tuple[str, dict[str, Any]]]:
        return [(name, part) for name, part in self.parts.items() if column in part["columns"] + part["also"]]


def part(columns: list[str], **facts: Any) -> dict[str, Any]:
    """Return a constraint or an index, with the keys of Django's introspection; `also` are columns of an index's
    condition and those that it includes."""
    nothing = dict.fromkeys(("primary_key", "unique", "unique_constraint", "check", "index", "default"), False)
    return {"columns": columns, "also": [], "foreign_key": None, "type": None, **nothing, **facts}


def top_level(text: str) -> Iterator[str]:
    """Yield the parts of `text` between commas outside brackets and strings."""
    depth, quoted, start = 0, False, 0
    for place, letter in enumerate(text):
        if letter == "'":
            quoted = not quoted
        elif not quoted:
            depth += (letter == "(") - (letter == ")")
            if letter == "," and depth == 0:
                yield text[start:place].strip()
                start = place + 1
    yield text[start:].strip()


def names_in(text: str) -> list[str]:
    return re.findall(r"\[(\w+)\]", text)


_NAME = r"\[(\w+)\]"
_COLUMNS = r"\((\[\w+\](?: ASC| DESC)?(?:, \[\w+\](?: ASC| DESC)?)*)\)"


class Catalog:
    """Applies one statement after the other; `statement()` says whether it knew this one."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}
        self._kinds = [
            (re.compile(pattern, re.DOTALL | re.IGNORECASE), perform)
            for pattern, perform in (
                (r"CREATE TABLE \[(\w+)\] \((.*)\)$", self._create_table),
                (
                    rf"CREATE (UNIQUE )?INDEX {_NAME} ON {_NAME} ?{_COLUMNS}( INCLUDE {_COLUMNS})?( WHERE .*)?$",
                    self._index,
                ),
                (r"DROP INDEX \[(\w+)\] ON \[(\w+)\]$", self._drop_index),
                (r"ALTER TABLE \[(\w+)\] ADD CONSTRAINT \[(\w+)\] (.*)$", self._add_constraint),
                (r"ALTER TABLE \[(\w+)\] ADD DEFAULT (?:.*) FOR \[(\w+)\]$", self._add_default),
                (r"ALTER TABLE \[(\w+)\] ADD \[(\w+)\] (.*)$", self._add_column),
                (r"ALTER TABLE \[(\w+)\] DROP CONSTRAINT \[(\w+)\]$", self._drop_constraint),
                (r"ALTER TABLE \[(\w+)\] DROP COLUMN \[(\w+)\]$", self._drop_column),
                (r"ALTER TABLE \[(\w+)\] ALTER COLUMN \[(\w+)\] (.*)$", self._alter_column),
                (r"EXEC sp_rename '\[(\w+)\]\.\[(\w+)\]', \[(\w+)\], 'COLUMN'$", self._rename_column),
                (r"EXEC sp_rename \[(\w+)\], \[(\w+)\]$", self._rename_table),
                (r"\s*DECLARE @sql_foreign_constraint_name .* DROP TABLE \[(\w+)\]\s*$", self._drop_table),
                (r"CREATE TRIGGER \[(\w+)\] ON \[(\w+)\] .*", self._create_trigger),
                (r"DROP TRIGGER IF EXISTS \[(\w+)\]$", self._drop_trigger),
            )
        ]

    def statement(self, text: str) -> bool:
        text = text.rstrip("; \n")
        for pattern, perform in self._kinds:
            if found := pattern.match(text):
                perform(*found.groups())
                return True
        if re.match(r"\s*(?:CREATE|ALTER|DROP|EXEC|DECLARE @sql) ", text) and "#Temp_params" not in text:
            raise ServerError(f"Nothing that a server is known to take: {text}")
        return False

    def names(self) -> list[str]:
        """Return the names that are unique in the whole database: those of constraints; names of indexes are unique in
        their table."""
        return [name for table in self.tables.values() for name, one in table.parts.items() if not one["index"]]

    def triggers(self) -> set[str]:
        return {name for table in self.tables.values() for name in table.triggers}

    def defaults(self, table: str, column: str) -> list[str]:
        return [name for name, one in self.tables[table].parts.items() if one["default"] and one["columns"] == [column]]

    # --- Tables and columns ---------------------------------------------------------------------------------

    def _create_table(self, name: str, definition: str) -> None:
        if name in self.tables:
            raise ServerError(f"There is a table {name} already.")
        self.tables[name] = Table()
        for piece in top_level(definition):
            if piece.startswith("CONSTRAINT"):
                found = re.match(r"CONSTRAINT \[(\w+)\] (.*)$", piece, re.DOTALL)
                assert found, piece
                self._add_constraint(name, *found.groups())
            else:
                column, _, rest = piece.partition(" ")
                self._add_column(name, column.strip("[]"), rest)

    def _add_column(self, table: str, column: str, definition: str) -> None:
        columns = self._table(table).columns
        if column in columns:
            raise ServerError(f"{table} has a column {column} already.")
        found = re.match(r"(\w+(?: precision)?(?:\([\w, ]+\))?)(?: COLLATE \w+)?(.*)$", definition, re.DOTALL)
        assert found, definition
        kind, rest = found.groups()
        columns[column] = f"{kind} {'NOT NULL' if 'NOT NULL' in rest else 'NULL'}"
        if " PRIMARY KEY" in rest:
            self._add(table, f"PK__{table}", part([column], primary_key=True, unique=True))
        elif " UNIQUE" in rest:
            self._add(table, f"UQ__{table}__{column}", part([column], unique=True, unique_constraint=True))
        if " DEFAULT " in f" {rest}":
            self._add_default(table, column)
        if " CHECK " in f" {rest}":
            named = re.search(r"CONSTRAINT \[?(\w+)\]? CHECK", rest)
            self._add(table, named[1] if named else f"CK__{table}__{column}", part([column], check=True))

    def _alter_column(self, table: str, column: str, definition: str) -> None:
        """Alter a column; while something depends on it, only the length of a text may grow."""
        before = self._column(table, column)
        kind, *null = re.split(r" (?=NOT NULL|NULL)", definition, maxsplit=1)
        # If NULL is not mentioned the server would make the column take it, whatever it was before.
        after = f"{kind} {null[0] if null else 'NULL'}"
        if before != after and not _only_longer(before, after):
            holding = [name for name, one in self.tables[table].depending_on(column) if not one["default"]]
            if holding:
                raise ServerError(f"{table}.{column} cannot become {after}: {', '.join(holding)} depend on it.")
        elif any(one["primary_key"] for _, one in self.tables[table].depending_on(column)) and before != after:
            raise ServerError(f"{table}.{column} is of the primary key.")
        self.tables[table].columns[column] = after

    def _drop_column(self, table: str, column: str) -> None:
        self._column(table, column)
        if holding := [name for name, _ in self.tables[table].depending_on(column)]:
            raise ServerError(f"{table}.{column} cannot go: {', '.join(holding)} depend on it.")
        del self.tables[table].columns[column]

    def _rename_column(self, table: str, old: str, new: str) -> None:
        columns = self._table(table).columns
        if new in columns:
            raise ServerError(f"{table} has a column {new} already.")
        self.tables[table].columns = {new if name == old else name: kind for name, kind in columns.items()}
        for name, one in self.tables[table].depending_on(old):
            if one["check"] or one["also"]:
                raise ServerError(f"{table}.{old} cannot be renamed under the condition of {name}.")
            one["columns"] = [new if column == old else column for column in one["columns"]]

    def _rename_table(self, old: str, new: str) -> None:
        if new in self.tables:
            raise ServerError(f"There is a table {new} already.")
        self.tables[new] = self._table(old)
        del self.tables[old]
        for _, one in self._referring_to(old):
            one["foreign_key"] = (new, one["foreign_key"][1])

    def _drop_table(self, name: str) -> None:
        """Drop a table; the backend's batch drops the foreign keys to it first."""
        self._table(name)
        for table, one in list(self._referring_to(name)):
            self.tables[table].parts = {
                key: value for key, value in self.tables[table].parts.items() if value is not one
            }
        del self.tables[name]

    def _referring_to(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for table, rest in self.tables.items():
            for one in rest.parts.values():
                if one["foreign_key"] and one["foreign_key"][0] == name:
                    yield table, one

    # --- What depends on columns ----------------------------------------------------------------------------

    def _add(self, table: str, name: str, one: dict[str, Any]) -> None:
        taken = self._table(table).parts if one["index"] else self.names()
        if name in taken:
            raise ServerError(f"There is a {name} already.")
        for column in one["columns"] + one["also"]:
            self._column(table, column)
        self.tables[table].parts[name] = one

    def _index(self, unique: str, name: str, table: str, columns: str, _: str, include: str, condition: str) -> None:
        also = names_in(include or "") + names_in(condition or "")
        one = part(names_in(columns), unique=bool(unique), index=True, type="idx", also=also, condition=condition)
        self._add(table, name, one)

    def _drop_index(self, name: str, table: str) -> None:
        if not self._table(table).parts.get(name, {}).get("index"):
            raise ServerError(f"{table} has no index {name}.")
        del self.tables[table].parts[name]

    def _add_constraint(self, table: str, name: str, definition: str) -> None:
        if found := re.match(r"FOREIGN KEY \(\[(\w+)\]\) REFERENCES \[(\w+)\] \(\[(\w+)\]\)", definition):
            column, other, its = found.groups()
            if self._column(table, column).split()[0] != self._column(other, its).split()[0]:
                raise ServerError(f"{name} ties columns of two types.")
            one = part([column], foreign_key=(other, its))
        elif definition.startswith("CHECK"):
            mentioned = re.findall(r'[\["](\w+)[\]"]', definition)
            one = part(list(dict.fromkeys(mentioned)), check=True)
        elif definition.startswith("PRIMARY KEY"):
            one = part(names_in(definition), primary_key=True, unique=True)
        elif definition.startswith("UNIQUE"):
            one = part(names_in(definition), unique=True, unique_constraint=True)
        else:
            raise ServerError(f"Unknown constraint: {definition}")
        self._add(table, name, one)

    def _add_default(self, table: str, column: str) -> None:
        self._add(table, f"DF__{table}__{column}", part([column], default=True))

    def _drop_constraint(self, table: str, name: str) -> None:
        one = self._table(table).parts.get(name)
        if one is None or one["index"]:
            raise ServerError(f"{table} has no constraint {name}.")
        del self.tables[table].parts[name]

    def _create_trigger(self, name: str, table: str) -> None:
        if name in self.triggers():
            raise ServerError(f"There is a trigger {name} already.")
        self._table(table).triggers.add(name)

    def _drop_trigger(self, name: str) -> None:
        for table in self.tables.values():
            table.triggers.discard(name)

    def _table(self, name: str) -> Table:
        if name not in self.tables:
            raise ServerError(f"There is no table {name}.")
        return self.tables[name]

    def _column(self, table: str, column: str) -> str:
        if column not in self._table(table).columns:
            raise ServerError(f"{table} has no column {column}.")
        return self.tables[table].columns[column]


def _only_longer(before: str, after: str) -> bool:
    """Return whether the length of a text grew and nothing else changed."""
    lengths = [re.match(r"nvarchar\((\d+|max)\)(.*)$", kind) for kind in (before, after)]
    if not all(lengths) or lengths[0][2] != lengths[1][2] or "max" in (lengths[0][1], lengths[1][1]):  # type: ignore[index]
        return False
    return int(lengths[0][1]) <= int(lengths[1][1])  # type: ignore[index]
