"""Fill the column of docs/settings.md that the code knows: what a setting takes, and its default.

    python -m tests.settings_document [--write]

Names each row that is missing, too many or different from the code; with `--write` it corrects the rows. The purpose of
a setting is written by hand, in the last column of its row.
"""
# ruff: noqa: T201 - a program prints

import argparse
import os
import re
from typing import Any
from unittest import mock

from bankproject.environment import BankEnv
from tests.setting_names import Reading, readings
from tests.settings_run import REQUIRED, SETTINGS, run_settings

ROOT = SETTINGS.parent.parent
DOCUMENT = ROOT / "docs" / "settings.md"
# From here on the variables are other programs'.
END = "\n## Variables of other programs\n"
ROW = re.compile(r"^`([A-Z][A-Z0-9_]+)` \|(.*)$", re.MULTILINE)

# What each way of reading takes, in words.
TAKES = {
    "bool": "on/off",
    "contact": "contact",
    "currency": "currency",
    "database": "address",
    "email_url": "address",
    "int": "number",
    "key_ring": "key ring",
    "list": "list",
    "positive": "≥{least}",
    "positive_amount": "amount",
    "savings_rate": "rate",
    "str": "text",
    "within": "{least}–{most}",
    "optional_secret": "≥{least} characters",
}
# Where a default differs, and where some variables are read at all.
ENVIRONMENTS = {
    "": {},
    "demo": {"DEMO": "1"},
    "debug": {"DEBUG": "1"},
    "SQL Server": {"DATABASE_URL": "mssql://bank@db/bank"},
}


def takes(reading: Reading) -> str:
    """Say the type and the bounds that a variable is read with.

    Raises:
        KeyError: a new way of reading, which has no words in `TAKES`.
    """
    if reading.reader == "positive" and "most" in reading.bounds:
        return TAKES["within"].format(least=1, **reading.bounds)
    return TAKES[reading.reader].format(**{"least": 1} | reading.bounds)


def defaults() -> dict[str, str]:
    """Return the value of each variable if it is not set, by running the settings."""
    found = {kind: _defaults_in(environment) for kind, environment in ENVIRONMENTS.items()}
    words: dict[str, str] = {}
    for name in readings():
        # `DATABASE_URL` is set where SQL Server is tried, and so on: the first run that reads it says the default.
        usual = next(kept[name] for kept in found.values() if name in kept)
        others = {kind: found[kind].get(name, usual) for kind in ("demo", "debug")}
        differing = [f"{kind}: {value}" for kind, value in others.items() if value != usual]
        words[name] = "; ".join([usual, *differing])
    return words


def _defaults_in(environment: dict[str, str]) -> dict[str, str]:
    asked: dict[str, str] = {}

    class NotingEnv(BankEnv):
        """Records the default of each variable that is read."""

        def get_value(
            self, var: str, cast: Any = None, default: Any = BankEnv.NOTSET, parse_default: bool = False
        ) -> Any:
            if var not in asked or default is not self.NOTSET:
                asked[var] = _in_words(default)
            return super().get_value(var, cast=cast, default=default, parse_default=parse_default)

    with (
        mock.patch.dict(os.environ, REQUIRED | environment, clear=True),
        mock.patch("bankproject.environment.BankEnv", NotingEnv),
    ):
        run_settings()
    return asked


def _in_words(default: Any) -> str:
    if default is BankEnv.NOTSET:
        return "required"
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, list):
        default = ",".join(default)
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


def generated() -> dict[str, str]:
    """Return the generated cell of each setting."""
    of_each = defaults()
    return {name: f"{takes(reading)} ({of_each[name]})" for name, reading in readings().items()}


def written(document: str) -> str:
    """Return the document with its generated column written from the code; rows without a setting stay."""
    known = generated()

    def filled(match: re.Match[str]) -> str:
        name, cells = match[1], match[2].split("|")
        if name not in known:
            return match[0]
        return f"`{name}` | {known[name]} | {cells[-1].strip()}"

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
