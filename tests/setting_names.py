"""Which environment variables the bank's settings read, found in their source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "bankproject"


def variables_read_by_settings() -> set[str]:
    """Return what settings.py and the modules beside it ask for: `env.int("NAME")`, `_key_ring("NAME", env)` and so
    on."""
    return {name for path in SOURCES.glob("*.py") for name in _asked_for(ast.parse(path.read_text(encoding="utf-8")))}


def _asked_for(tree: ast.AST) -> Iterator[str]:
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        reader = call.func.value if isinstance(call.func, ast.Attribute) else None
        if any(isinstance(node, ast.Name) and node.id == "env" for node in (reader, *call.args)):
            words = [node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str)]
            yield from (word for word in words if re.fullmatch(r"[A-Z][A-Z0-9_]+", word))
