"""Which environment variables the bank's settings read, and how, found in their source."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).resolve().parent.parent / "bankproject"


@dataclass(frozen=True)
class Reading:
    """One call that reads a variable: `env.positive("DAYS", 14, most=365)` has the reader `positive` and a bound."""

    name: str
    reader: str
    bounds: dict[str, int] = field(default_factory=dict)


def variables_read_by_settings() -> set[str]:
    """Name what settings.py and the modules beside it ask for: `env.int("NAME")`, `_key_ring("NAME", env)`."""
    return set(readings())


@cache
def readings() -> dict[str, Reading]:
    """Return, for each variable, the call that says most: if there are several, `env.str` says least."""
    found: dict[str, Reading] = {}
    for path in sorted(SOURCES.glob("*.py")):
        for reading in _read_in(ast.parse(path.read_text(encoding="utf-8"))):
            if reading.name not in found or found[reading.name].reader == "str":
                found[reading.name] = reading
    return found


def _read_in(tree: ast.AST) -> Iterator[Reading]:
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if any(isinstance(node, ast.Name) and node.id == "env" for node in (owner, *call.args)):
            reader = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            bounds = {each.arg: _constant(each.value) for each in call.keywords if each.arg in {"least", "most"}}
            names = [word for word in map(_constant, call.args) if isinstance(word, str)]
            for name in names:
                if re.fullmatch(r"[A-Z][A-Z0-9_]+", name):
                    yield Reading(name, reader.lstrip("_"), bounds)


def _constant(node: ast.expr) -> Any:
    """Return its value if it is written out, otherwise None."""
    return node.value if isinstance(node, ast.Constant) else None
