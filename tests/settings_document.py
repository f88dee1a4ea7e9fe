"""Fill the column of docs/settings.md that the code knows: what a setting takes, and its default.

    python -m tests.settings_document [--write]

Names each row that is missing, too many or different from the code; with `--write` it corrects the rows. The purpose of
a setting is written by hand, in the last column of its row.
"""
# ruff: noqa: T201 - a program prints

import argparse
import os
import re
from decimal import Decimal
from typing import Any
from unittest import mock

from bankproject.environment import REQUIRED as NO_DEFAULT
from bankproject.environment import Setting
from tests.settings_run import REQUIRED, SETTINGS, run_settings

ROOT = SETTINGS.parent.parent
DOCUMENT = ROOT / "docs" / "settings.md"
# From here on the variables are other programs'.
END = "\n## Variables of other programs\n"
ROW = re.compile(r"^`([A-Z][A-Z0-9_]+)`\|(.*)$", re.MULTILINE)

# Where a default differs.
ENVIRONMENTS = {"": {}, "demo": {"DEMO": "1"}, "debug": {"DEBUG": "1"}}


def table(**environment: str) -> dict[str, Setting]:
    """Return the rows of all settings, as the settings themselves declare them in an environment."""
    with mock.patch.dict(os.environ, REQUIRED | environment, clear=True):
        found: dict[str, Setting] = run_settings()["env"].table
    return found


def generated() -> dict[str, str]:
    """Return the generated cell of each setting: what it takes, and its default."""
    of_each = {kind: table(**environment) for kind, environment in ENVIRONMENTS.items()}
    cells = {}
    for name, setting in of_each[""].items():
        usual = _in_words(setting.default)
        others = {kind: _in_words(of_each[kind][name].default) for kind in ("demo", "debug")}
        differing = [f"{kind}: {value}" for kind, value in others.items() if value != usual]
        cells[name] = f"{setting.takes} ({'; '.join([usual, *differing])})"
    return cells


def _in_words(default: Any) -> str:
    if default is NO_DEFAULT:
        return "required"
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, list):
        default = ",".join(default)
    if isinstance(default, Decimal):
        default = f"{default:f}"
    text = str(default).replace(str(ROOT), "…")
    return f"`{text}`" if text else "none"


def rows(document: str) -> dict[str, list[str]]:
    """Return the cells after the name, for each row of the tables.

    Raises:
        ValueError: a name that stands twice.
    """
    found = {name: [cell.strip() for cell in rest.split("|")] for name, rest in _rows_of_the_bank(document)}
    names = [name for name, _ in _rows_of_the_bank(document)]
    if len(names) != len(found):
        raise ValueError(f"Twice in the document: {sorted({name for name in names if names.count(name) > 1})}")
    return found


def _rows_of_the_bank(document: str) -> list[tuple[str, str]]:
    return ROW.findall(document.partition(END)[0])


def faults(document: str) -> list[str]:
    """Name each setting whose row is missing, too many, different from the code, or without a purpose."""
    there, known = rows(document), generated()
    found = [f"{name}: no row; add one that says what it is for" for name in sorted(known.keys() - there.keys())]
    found += [f"{name}: a row, and no such setting" for name in sorted(there.keys() - known.keys())]
    for name in sorted(known.keys() & there.keys()):
        if there[name][0] != known[name]:
            found.append(f"{name}: {there[name][0]}, and the code has {known[name]}; run it with --write")
        if not there[name][-1] or len(there[name]) != 2:
            found.append(f"{name}: the row has not two cells after its name")
    return found


def written(document: str) -> str:
    """Return the document with its generated column written from the code; rows without a setting stay."""
    known = generated()

    def filled(match: re.Match[str]) -> str:
        name, cells = match[1], match[2].split("|")
        if name not in known:
            return match[0]
        return f"`{name}`|{known[name]}|{cells[-1].strip()}"

    own, end, others = document.partition(END)
    return ROW.sub(filled, own) + end + others


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold docs/settings.md against the code.")
    parser.add_argument("--write", action="store_true", help="put the generated columns right")
    options = parser.parse_args()
    document = DOCUMENT.read_text(encoding="utf-8")
    if options.write:
        document = written(document)
        DOCUMENT.write_text(document, encoding="utf-8")
    found = faults(document)
    print("\n".join(found) or "docs/settings.md is as the code has it.")
    raise SystemExit(bool(found))


if __name__ == "__main__":
    main()
