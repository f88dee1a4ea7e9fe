"""The word list of `make lint` finds bent sentences in prose, and nothing else (docs/adr/0033)."""

from pathlib import Path

import pytest

from tests.english import __main__ as program
from tests.english.bent import ROOT, bent_in, files, rows
from tests.tables import in_one_world


def test_each_pattern_finds_its_example_and_nothing_in_the_plain_way_to_write_it() -> None:
    for row in rows():
        assert row.pattern.search(row.bent), row.bent
        assert [other.bent for other in rows() if other.pattern.search(row.plain)] == []


@in_one_world(
    ("name", "text", "line"),
    [
        ("a.md", "Good.\n\nKept for\never.", 4),
        ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n- Kept for ever.\n\n## 1.0\n\n- For ever.\n", 5),
        ("a.html", "{# Kept for ever. #}\n", 1),
        ("a.html", "<p>\n  Kept {{ it }} for\n  ever.</p>\n", 3),
        ("a.txt", "Kept for ever.\n", 1),
        ("a.py", "def f() -> None:\n    '''Kept.\n\n    For ever.'''\n", 4),
        ("a.py", "x = 1  # kept for ever\n", 1),
        ("a.py", "# Kept\n# for\n# ever.\nx = 1\n", 3),
        ("a.py", "# Else it fails.\n", 1),
    ],
)
def test_it_is_found_in_prose(name: str, text: str, line: int, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert [where for where, *_ in bent_in(path)] == [line]


@in_one_world(
    ("name", "text"),
    [
        ("a.md", "Kept `for ever`.\n\n```sh\nfor ever\n```\n"),
        ("a.html", '<a title="for ever">{% trans "for ever" %}{{ for ever }}</a>\n'),
        ("a.py", "x = 'for ever'\n"),
        ("a.py", "# The setting `for ever`.\n"),
        ("a.py", "# kept for\nx = 1\n# ever\n"),
        ("a.py", "# One of two, or else both.\n"),
    ],
)
def test_it_is_not_found_in_code(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    assert list(bent_in(path)) == []


def test_documents_templates_and_code_are_read() -> None:
    names = {str(path.relative_to(ROOT)) for path in files()}
    assert {"README.md", "CHANGELOG.md", "docs/operations.md", "templates/base.html", "audit/services.py"} <= names
    assert not any("/migrations/" in name or name.startswith("docs/adr/") for name in names)


def test_the_program_names_the_line_and_the_plain_way_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.md").write_text("Good.\nKept for ever.\n")
    monkeypatch.setattr(program, "ROOT", tmp_path)
    assert program.main([str(tmp_path / "a.md")]) == 1
    assert capsys.readouterr().out == 'a.md:2: "for ever": not "It is kept for ever." but "It is kept forever."\n'
    (tmp_path / "a.md").write_text("Good.\n")
    assert program.main([str(tmp_path / "a.md")]) == 0
