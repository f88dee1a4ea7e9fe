"""Which environment variables the bank's settings read, found in their source: before they are run."""

import ast
from functools import cache
from pathlib import Path

SETTINGS = Path(__file__).resolve().parent.parent / "bankproject" / "settings.py"


@cache
def variables_read_by_settings() -> frozenset[str]:
    """Name what settings.py asks for: the first argument of each `env.positive("NAME", 5)`."""
    tree = ast.parse(SETTINGS.read_text(encoding="utf-8"))
    return frozenset(filter(None, (_asked_for(node) for node in ast.walk(tree) if isinstance(node, ast.Call))))


def _asked_for(call: ast.Call) -> str | None:
    is_of_env = isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "env"
    name = call.args[0].value if is_of_env and call.args and isinstance(call.args[0], ast.Constant) else None
    return name if isinstance(name, str) else None
