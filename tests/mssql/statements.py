"""A statement for SQL Server, taken apart: the backend's wrapping, its words, and its tree."""

import logging
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

# sqlglot keeps a statement that it cannot read as a command and logs that; here that is a fault of the statement.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

# The backend's wrapping, and statements that the parser does not know though the server does.
_AROUND = (
    re.compile(r"^SET IDENTITY_INSERT \[\w+\] ON; |; SET IDENTITY_INSERT \[\w+\] OFF$"),
    re.compile(r"^SET NOCOUNT (?:ON|OFF);? "),
    re.compile(r"^DECLARE (?:@var\d+ [A-Z0-9]+(?:\((?:\d+|max)\))? = \? ,?)+\s*\n", re.IGNORECASE),
)
_KNOWN = re.compile(
    r"(?:SAVE|ROLLBACK) TRANSACTION \w{1,32}$"
    r"|ALTER TABLE \[\w+\] ADD DEFAULT (?:'(?:[^']|'')*'|-?\d+|0x[0-9a-f]*) FOR \[\w+\]$"
    r"|EXEC sp_rename '\[\w+\](?:\.\[\w+\])?', \[\w+\](?:, 'COLUMN')?$"
    r"|CREATE TRIGGER \[\w+\] ON \[\w+\] INSTEAD OF UPDATE, DELETE AS BEGIN THROW 50001, '[\w -]+', 1; END$"
    r"|DROP TRIGGER IF EXISTS \[\w+\]$"
    r"|\s*DECLARE @sql_foreign_constraint_name nvarchar\(128\)\s.*\sDROP TABLE \[\w+\]\s*$"
    # The backend's own questions about names that the server gave.
    r"|SELECT d\.name FROM sys\.default_constraints d INNER JOIN [\w.= ]+ WHERE t\.name = '\w+' AND c\.name = '\w+'$"
    r"|SELECT 1 FROM INFORMATION_SCHEMA\.CONSTRAINT_COLUMN_USAGE WHERE CONSTRAINT_NAME = '\w+'$",
    re.DOTALL,
)


@dataclass(frozen=True)
class Statement:
    """As the driver gets it: `?` for each value, in order."""

    text: str
    values: tuple[Any, ...] = ()

    @cached_property
    def core(self) -> str:
        """Return it without the backend's wrapping."""
        text = self.text
        for pattern in _AROUND:
            text = pattern.sub("", text)
        return text.strip().rstrip(";")

    @cached_property
    def bare(self) -> str:
        """Return it without names in brackets or quotes and without strings: words, numbers, signs."""
        return re.sub(r"""\[[^\]]*\]|"\w+"|N?'(?:[^']|'')*'""", " _ ", self.core)

    @property
    def is_known(self) -> bool:
        """Return whether it is one of the few statements that are compared as text, since the parser takes any or none
        of their kind."""
        return bool(_KNOWN.match(self.core))

    @cached_property
    def trees(self) -> list[exp.Expr]:
        """Return the trees; empty if the parser of T-SQL does not take it."""
        if self.is_known:
            return []
        try:
            trees = sqlglot.parse(self.core, dialect="tsql")
        except (ParseError, TokenError):
            return []
        if any(tree is None or tree.find(exp.Command) for tree in trees):
            return []
        return [tree for tree in trees if tree is not None]

    @cached_property
    def nodes(self) -> list[exp.Expr]:
        """List every node of the trees, from the top: they are walked once for all rules."""
        return [node for tree in self.trees for node in tree.walk()]

    def all_of(self, kind: Any) -> list[Any]:
        """Return the nodes of a class, or of several: `exp.In | exp.EQ`."""
        return [node for node in self.nodes if isinstance(node, kind)]
