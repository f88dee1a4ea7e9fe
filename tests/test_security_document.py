"""docs/security.md cannot rot: its proof column is what the marks on tests say, its numbers are ASVS 5.0.0's (R8.6)."""

from functools import cache
from pathlib import Path

import pytest

from tests import asvs_table, proof_column
from tests import marks as marked
from tests.asvs import REQUIREMENTS
from tests.asvs import proves as mark  # not by its own name: these are not marks
from tests.marks import ROOT, Marked, Marks, marks_in
from tests.proof_column import DOCUMENT, problems, rows, written
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
    return marked.all_marks()


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
    """This many tests had numbers when the table came; fewer means that marks were taken away."""
    marks = all_marks()
    assert len(marks) >= 184
    assert len({test for tests in marks.values() for test in tests}) >= 539


def test_what_is_open_is_what_the_table_says_is_not_met() -> None:
    table = asvs_table.read(asvs_table.DOCUMENT.read_text(encoding="utf-8"))
    assert list(proof_column.contradictions(document(), table)) == []


@in_one_world(
    ("verdict", "promise", "problem"),
    [
        ("partly", "Five.", "V6.3.1: not met in docs/asvs.csv; the promise must say what is open, after *Open:*"),
        ("met", "Five. *Open:* six", "V6.3.1: something is open, but docs/asvs.csv says that all are met"),
    ],
)
def test_a_promise_that_is_wider_or_narrower_than_the_table_is_noticed(
    verdict: str, promise: str, problem: str
) -> None:
    table = [asvs_table.Requirement("V6.3.1", "1", verdict, "", "", "")]
    assert list(proof_column.contradictions(f"{HEAD}V6.3.1 | {promise} | x\n", table)) == [problem]


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
    text = f"# A\n\n{HEAD}V6.3.1|Five.|old\n\nV6.3.1 | no table |\n"
    assert written(text, MARKS) == text.replace("old", PROOF)
    assert written(written(text, MARKS), MARKS) == written(text, MARKS)


def test_a_marked_test_that_is_gone_changes_the_column() -> None:
    text = f"{HEAD}V6.3.1|Five.|{PROOF}\n"
    assert written(text, MARKS) == text
    fewer = {"V6.3.1": MARKS["V6.3.1"] - {Marked("tests/test_a.py", 9)}}
    assert written(text, fewer) == text.replace("×2", "")


def test_a_promise_without_a_test_keeps_its_reason() -> None:
    text = f"{HEAD}V6.3.1|Five.|{PROOF}\nV6.4.6|None.|no test: nobody can\n"
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


@in_one_world("row", ["V6.3.1 | a", "V6.3.1 | a | b | c", "V6.3.1 |  | b", " | a | b"])
def test_a_row_with_a_cell_too_few_or_too_many_is_noticed(row: str) -> None:
    with pytest.raises(ValueError, match="not a row of"):
        rows(HEAD + row)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Path, Path]:
    """A document and a table about one requirement, whose proof columns are old."""
    page, table = tmp_path / "security.md", tmp_path / "asvs.csv"
    page.write_text(f"{HEAD}V6.3.1|Five.|old\n", encoding="utf-8")
    table.write_text("id,level,verdict,evidence,reason,proof\nV6.3.1,1,met,,,old\n", encoding="utf-8")
    monkeypatch.setattr(proof_column, "DOCUMENT", page)
    monkeypatch.setattr(proof_column, "all_marks", lambda: MARKS)
    monkeypatch.setattr(asvs_table, "DOCUMENT", table)
    monkeypatch.setattr(asvs_table, "LEVELS", {"V6.3.1": 1})
    return page, table


def test_the_program_compares_and_writes(small: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    page, table = small
    assert proof_column.main([]) == 1
    told = capsys.readouterr().err
    assert "security.md: the proof column is not what the marks say: python -m tests.proof_column --write" in told
    assert "asvs.csv: the proof column is not what the marks say: python -m tests.proof_column --write" in told
    assert proof_column.main(["--write"]) == 0
    assert page.read_text(encoding="utf-8") == f"{HEAD}V6.3.1|Five.|{PROOF}\n"
    assert table.read_text(encoding="utf-8").endswith("V6.3.1,1,met,,,tests/slow/test_b.py; tests/test_a.py×2\n")
    assert proof_column.main([]) == 0


def test_the_program_tells_what_it_cannot_write(small: tuple[Path, Path]) -> None:
    page, table = small
    assert proof_column.main(["--write"]) == 0
    whole = table.read_text(encoding="utf-8")
    for row in ("V6.3.1,1,met", "V6.3.1,1,not met,,nobody guesses,"):
        table.write_text(f"{whole.splitlines()[0]}\n{row}\n", encoding="utf-8")
        assert proof_column.main(["--write"]) == 1, row
    table.write_text(whole, encoding="utf-8")
    page.write_text(f"{HEAD}V6.3.1 | a cell too few\n", encoding="utf-8")
    assert proof_column.main([]) == 1


def test_lint_compares() -> None:
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    assert "$(PY) -m tests.proof_column\n" in f"{lint}\n"
