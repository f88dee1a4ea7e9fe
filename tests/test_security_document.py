"""docs/security.md cannot rot: its proof column is what the marks on tests say, its numbers are ASVS 5.0.0's (R8.6)."""

from functools import cache
from pathlib import Path

import pytest

from tests import proof_column
from tests.asvs import REQUIREMENTS
from tests.asvs import proves as mark  # not by its own name: these are not marks
from tests.proof_column import DOCUMENT, ROOT, Marked, Marks, marks_in, problems, rows, written
from tests.tables import in_one_world

SECTIONS = [
    *("Identity", "Sessions", "Money", "Data at rest", "Audit", "Web", "API", "Firewall", "Staff"),
    "Operations",
]
HEAD = "ASVS|Promise|Proof\n---|---|---\n"
MARKS = {"V6.3.1": {Marked("tests/test_a.py", 3), Marked("tests/slow/test_b.py", 5), Marked("tests/test_a.py", 9)}}
PROOF = "[slow/b](../tests/slow/test_b.py), [a](../tests/test_a.py)×2"


@cache
def all_marks() -> Marks:
    return proof_column.all_marks()


def document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def test_every_section_is_there_and_has_promises() -> None:
    assert list(dict.fromkeys(row.section for row in rows(document()))) == SECTIONS
    assert len(rows(document())) >= 60


def test_the_proof_column_is_what_the_marks_say() -> None:
    marks = all_marks()
    assert list(problems(document(), marks)) == []
    assert written(document(), marks) == document(), "run python -m tests.proof_column --write"


def test_what_was_proved_by_many_tests_still_is() -> None:
    """This many tests had numbers when the marks came; fewer means that marks were taken away."""
    marks = all_marks()
    assert len(marks) >= 134
    assert len({test for tests in marks.values() for test in tests}) >= 500


def test_no_promise_stands_there_twice() -> None:
    promises = [row.promise for row in rows(document())]
    assert sorted(promises) == sorted(set(promises))


@in_one_world(
    "what",
    [
        *("PCI DSS", "PSD2", "dynamic linking", "TDE", "SQL Server", "administrator of the database", "in clear"),
        *("One administrator alone", "second login", "two clerks", "What stays open"),
    ],
)
def test_the_limits_are_stated(what: str) -> None:
    assert what in document().partition("## Limits")[2]


def test_the_standard_has_345_requirements() -> None:
    assert len(REQUIREMENTS) == len(set(REQUIREMENTS)) == 345
    assert {"V1.1.1", "V6.2.12", "V17.3.2"} <= set(REQUIREMENTS)
    assert not {"V6.2.13", "V6.9.1", "V18.1.1", "V1.0.1"} & set(REQUIREMENTS)


@in_one_world("numbers", [("V6.2.13",), ("V6.3.1", "V18.1.1"), ("6.3.1",), ()], ids=str)
def test_a_mark_with_a_number_that_the_standard_does_not_have_fails(numbers: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not a requirement"):
        mark(*numbers)


def test_a_mark_is_kept_on_its_test() -> None:
    assert mark("V6.3.1", "V6.3.4").mark.args == ("V6.3.1", "V6.3.4")


def test_marks_are_read_from_the_source() -> None:
    source = (
        '@proves("V6.3.1", "V6.3.4")\ndef test_a(): ...\n'
        'class TestB:\n    @proves("V6.3.1")\n    def test_b(self): ...\n'
    )
    found = list(marks_in(source, "a.py"))
    assert found == [
        (Marked("a.py", 2), "V6.3.1"),
        (Marked("a.py", 2), "V6.3.4"),
        (Marked("a.py", 5), "V6.3.1"),
    ]


@in_one_world(
    "source",
    [
        '@proves("V6.2.13")\ndef test_a(): ...\n',
        "@proves(NUMBER)\ndef test_a(): ...\n",
        "@proves()\ndef test_a(): ...\n",
        '@proves("V6.3.1")\ndef helper(): ...\n',
        '@proves("V6.3.1")\nclass TestA: ...\n',
        'pytestmark = proves("V6.3.1")\n',
        '@pytest.mark.proves("V6.3.1", "V0.0.0")\ndef test_a(): ...\n',
    ],
)
def test_a_mark_that_cannot_be_read_is_noticed(source: str) -> None:
    with pytest.raises(ValueError, match=r"^a\.py:1: "):
        list(marks_in(source, "a.py"))


def test_the_column_is_written_and_nothing_else() -> None:
    text = f"# A\n\n{HEAD}V6.3.1 | Five. | old\n\nV6.3.1 | no table |\n"
    assert written(text, MARKS) == text.replace("old", PROOF)
    assert written(written(text, MARKS), MARKS) == written(text, MARKS)


def test_a_marked_test_that_is_gone_changes_the_column() -> None:
    text = f"{HEAD}V6.3.1 | Five. | {PROOF}\n"
    assert written(text, MARKS) == text
    fewer = {"V6.3.1": MARKS["V6.3.1"] - {Marked("tests/test_a.py", 9)}}
    assert written(text, fewer) == text.replace("×2", "")


def test_a_promise_without_a_test_keeps_its_reason() -> None:
    text = f"{HEAD}V6.3.1 | Five. | {PROOF}\nV6.4.6 | None. | no test: nobody can\n"
    assert written(text, MARKS) == text
    assert list(problems(text, MARKS)) == []


@in_one_world(
    ("row", "problem"),
    [
        ("V6.2.13 | a | no test: x", "V6.2.13 is not a requirement of ASVS 5.0.0"),
        ("V6.3.1 | a | x", "V6.3.1 stands in 2 rows: one row has all that is promised for it"),
        ("V6.3.4 | a | x", "V6.3.4: on no test. Give such numbers a row that says why: `no test: …`"),
        ("V6.3.4 | a | no test:", "V6.3.4: on no test. Give such numbers a row that says why: `no test: …`"),
    ],
)
def test_a_wrong_row_is_noticed(row: str, problem: str) -> None:
    assert list(problems(f"{HEAD}V6.3.1 | Five. | x\n{row}\n", MARKS)) == [problem]


def test_a_number_without_a_test_beside_one_with_tests_is_noticed() -> None:
    [problem] = problems(f"{HEAD}V6.3.1, V6.3.4 | a | no test: x\n", MARKS)
    assert problem.startswith("V6.3.4: on no test.")


def test_a_mark_without_a_row_is_noticed() -> None:
    assert list(problems(HEAD, MARKS)) == ["V6.3.1 is in no row, but on 3 tests, as in tests/slow/test_b.py"]


@in_one_world("row", ["V6.3.1 | a", "V6.3.1 | a | b | c", "V6.3.1 |  | b", " | a | b"])
def test_a_row_with_a_cell_too_few_or_too_many_is_noticed(row: str) -> None:
    with pytest.raises(ValueError, match="not a row of"):
        rows(HEAD + row)


def test_the_program_compares_and_writes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "security.md"
    page.write_text(f"{HEAD}V6.3.1 | Five. | old\n", encoding="utf-8")
    monkeypatch.setattr(proof_column, "DOCUMENT", page)
    monkeypatch.setattr(proof_column, "all_marks", lambda: MARKS)
    assert proof_column.main([]) == 1
    assert "python -m tests.proof_column --write" in capsys.readouterr().err
    assert proof_column.main(["--write"]) == 0
    assert page.read_text(encoding="utf-8") == f"{HEAD}V6.3.1 | Five. | {PROOF}\n"
    assert proof_column.main([]) == 0


def test_the_program_tells_what_it_cannot_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "security.md"
    page.write_text(HEAD, encoding="utf-8")
    monkeypatch.setattr(proof_column, "DOCUMENT", page)
    monkeypatch.setattr(proof_column, "all_marks", lambda: MARKS)
    assert proof_column.main(["--write"]) == 1
    page.write_text(f"{HEAD}V6.3.1 | a cell too few\n", encoding="utf-8")
    assert proof_column.main([]) == 1


def test_lint_compares() -> None:
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    assert "$(PY) -m tests.proof_column\n" in f"{lint}\n"
