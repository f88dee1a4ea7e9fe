"""Make the two lists of docs/commands.md from the Makefile and the commands of manage.py.

    python -m tests.commands_document [--write]

Says whether the document has them; with `--write` it puts them in, between their marks.
"""
# ruff: noqa: T201 - a program prints

import argparse
import os
import re
from collections.abc import Iterator
from pathlib import Path

import django
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, DjangoHelpFormatter

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "commands.md"
MARKS = "<!-- made by tests/commands_document.py: {} -->", "<!-- end of {} -->"
OURS = ("accounts", "audit", "bankproject", "support", "transfers")


def targets() -> dict[str, str]:
    """Return the targets that `make help` lists, each with its description."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z-]+):.*## (.*)$", text, re.MULTILINE))


def commands() -> dict[str, str]:
    """Return the bank's own commands as they are called, each with the first sentence of its help."""
    return {_usage(name): _first_sentence(_loaded(name).help) for name in names_of_commands()}


def names_of_commands() -> list[str]:
    """Name the commands that the bank's apps bring."""
    return sorted(name for name, app in get_commands().items() if str(app).partition(".")[0] in OURS)


def _loaded(name: str) -> BaseCommand:
    return load_command_class(str(get_commands()[name]), name)


def _usage(name: str) -> str:
    parser = _loaded(name).create_parser("manage.py", name)
    inherited = DjangoHelpFormatter.show_last | {"--help"}
    parts = [_argument(action) for action in parser._actions if not inherited & set(action.option_strings)]
    return " ".join([name, *parts])


def _argument(action: argparse.Action) -> str:
    value = str(action.metavar or action.dest.upper())
    words = [*action.option_strings[:1], *([] if action.nargs == 0 else [value])]
    if action.nargs == "+":
        words.append("…")
    text = " ".join(words)
    needed = action.required and action.nargs != "?"
    return text if needed else f"[{text}]"


def _first_sentence(text: str) -> str:
    return re.split(r"[.;](?: |$)", text, maxsplit=1)[0]


def lists() -> Iterator[tuple[str, str]]:
    """Yield the name of each list and its text."""
    yield "targets", _list({f"make {name}": said for name, said in targets().items()})
    yield "commands", _list(commands())


def _list(described: dict[str, str]) -> str:
    return "\n".join(f"- `{usage}`: {said}" for usage, said in described.items())


def written(document: str) -> str:
    """Return the document with both lists between their marks.

    Raises:
        ValueError: a mark is missing.
    """
    for name, text in lists():
        begin, end = (mark.format(name) for mark in MARKS)
        before, found, rest = document.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{DOCUMENT.name} has lost its marks of {name}.")
        document = f"{before}{begin}\n{text}\n{end}{after}"
    return document


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bankproject.settings")
    django.setup()
    parser = argparse.ArgumentParser(description="Hold docs/commands.md against the Makefile and manage.py.")
    parser.add_argument("--write", action="store_true", help="put the lists in")
    options = parser.parse_args()
    document = DOCUMENT.read_text(encoding="utf-8")
    made = written(document)
    if options.write:
        DOCUMENT.write_text(made, encoding="utf-8")
    elif made != document:
        raise SystemExit("docs/commands.md is not as the code has it; run this with --write.")
    print("docs/commands.md is as the code has it.")


if __name__ == "__main__":
    main()
