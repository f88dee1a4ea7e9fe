"""The floors and rooms of the house: which may import which, and how many modules may be in the hall of each app."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.syntax import parsed

ROOT = Path(__file__).resolve().parent.parent

# From the ground up: each imports itself and the floors before it.
FLOORS = ("foundation", "audit", "accounts", "transfers", "support", "bankproject")
# Modules flat in an app, models, admin, forms and urls included. A new one belongs into a room.
MOST_FLAT = {"accounts": 14, "transfers": 12, "audit": 12, "support": 10}

Graph = Mapping[str, set[str]]


@cache
def modules() -> dict[str, Path]:
    """Return the product's modules by their dotted names, without tests and migrations."""
    found = {}
    for floor in FLOORS:
        for path in (ROOT / floor).rglob("*.py"):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            if not {"tests", "migrations"} & set(parts):
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def imports() -> dict[str, set[str]]:
    """Return what each module imports of the product, wherever in it the import is."""
    return {name: set(_imported(path)) - {name} for name, path in modules().items()}


def _imported(path: Path) -> Iterator[str]:
    known = modules()
    for node in ast.walk(parsed(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield from (name for name in (whole, node.module) if name in known)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def circles(graph: Graph) -> list[list[str]]:
    """Return nodes that reach themselves, those of one circle together."""
    reached = {node: _reached_from(node, graph) for node in graph}
    together = {
        frozenset(other for other in reached[node] if node in reached.get(other, ()))
        for node in graph
        if node in reached[node]
    }
    return sorted(sorted(circle) for circle in together)


def _reached_from(start: str, graph: Graph) -> set[str]:
    reached: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting.extend(graph.get(node, ()))
    return reached


def rooms_of(hall: str) -> dict[str, set[str]]:
    """Return the rooms of a package and the rooms beside them that they import. Flat modules are its hall, which all
    its rooms share."""
    graph: dict[str, set[str]] = defaultdict(set)
    for name, targets in imports().items():
        room = _room(name, hall)
        if room:
            graph[room] |= {other for target in targets if (other := _room(target, hall)) and other != room}
    return graph


def _room(module: str, hall: str) -> str:
    if not module.startswith(f"{hall}."):
        return ""
    room = f"{hall}.{module.removeprefix(f'{hall}.').partition('.')[0]}"
    path = modules().get(room)
    return room if path is None or path.name == "__init__.py" else ""


def halls() -> set[str]:
    packages = {name for name, path in modules().items() if path.name == "__init__.py"}
    return {name.rpartition(".")[0] for name in packages if "." in name}


def test_no_floor_imports_one_above_it() -> None:
    height = {floor: number for number, floor in enumerate(FLOORS)}
    upward = [
        f"{name} imports {target}"
        for name, targets in imports().items()
        for target in targets
        if height[target.partition(".")[0]] > height[name.partition(".")[0]]
    ]
    assert upward == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    # A package's `__init__` offers what is in it: its imports of its own rooms make no circle.
    graph = {name: {one for one in targets if not one.startswith(f"{name}.")} for name, targets in imports().items()}
    assert circles(graph) == []


def test_no_rooms_import_each_other_in_a_circle() -> None:
    assert {hall: found for hall in sorted(halls()) if (found := circles(rooms_of(hall)))} == {}


def test_the_rule_sees_a_circle() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_little_lies_flat_in_an_app() -> None:
    flat = {app: sorted(path.name for path in (ROOT / app).glob("*.py")) for app in MOST_FLAT}
    assert {app: names for app, names in flat.items() if len(names) > MOST_FLAT[app]} == {}
