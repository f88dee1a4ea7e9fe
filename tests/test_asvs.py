"""docs/asvs.csv is the whole standard, says where each requirement is met, and claims no more than that (R8.9)."""

import pytest

from tests import asvs_table
from tests.asvs import LEVELS
from tests.asvs_table import Requirement, problems, proof, read, written
from tests.marks import ROOT, Marked, Marks, all_marks
from tests.tables import in_one_world
from tests.test_documents import anchors, files, folders

HEAD = "id,level,verdict,evidence,reason,proof\n"
MARKS = {"V6.3.1": {Marked("tests/test_a.py", 3), Marked("tests/slow/test_b.py", 5), Marked("tests/test_a.py", 9)}}


def text() -> str:
    return asvs_table.DOCUMENT.read_text(encoding="utf-8")


def table() -> list[Requirement]:
    return read(text())


def test_it_has_every_requirement_with_its_level_a_verdict_and_what_that_rests_on() -> None:
    """Level 1 is met, level 2 but for twelve reasons; whatever is met has a test's mark or a passage of a document."""
    assert [row.id for row in table()] == list(LEVELS)
    assert list(problems(table(), all_marks())) == []


def test_its_proof_column_is_what_the_marks_say() -> None:
    assert written(text(), all_marks()) == text(), "run python -m tests.proof_column --write"


def test_every_place_in_it_is_there() -> None:
    """Paths from the top of the project, and the headings behind them."""
    assert [f"{row.id}: {place}" for row in table() for place in row.places if not is_there(place)] == []


def is_there(place: str) -> bool:
    path, _, anchor = place.partition("#")
    is_known = path in files() or path in folders()
    return is_known and (not anchor or anchor in anchors(ROOT / path))


def test_whatever_applies_says_where_to_look() -> None:
    silent = [row.id for row in table() if row.verdict in {"met", "partly"} and not row.places]
    assert silent == []


def test_the_levels_are_those_of_the_standard() -> None:
    levels = list(LEVELS.values())
    assert [levels.count(level) for level in (1, 2, 3)] == [70, 183, 92]
    assert (LEVELS["V6.2.8"], LEVELS["V6.2.12"], LEVELS["V3.4.7"]) == (1, 2, 3)


# --- What it notices ---------------------------------------------------------------------------------------------


def noticed(monkeypatch: pytest.MonkeyPatch, *rows: Requirement, marks: Marks = MARKS) -> list[str]:
    """Return the problems of a table of these rows alone."""
    monkeypatch.setattr(asvs_table, "LEVELS", {row.id: int(row.level) for row in rows})
    return list(problems(rows, marks))


@in_one_world(
    ("row", "problem"),
    [
        (Requirement("V6.3.1", "1", "fine", "", "", ""), "'fine' is none of met, partly, not met, not applicable"),
        (Requirement("V6.3.4", "2", "met", "accounts/roles.py", "", ""), "met, but no test has its mark"),
        (Requirement("V6.3.4", "2", "partly", "accounts/roles.py", "", ""), "partly without a reason"),
        (Requirement("V6.3.4", "3", "not applicable", "", "", ""), "not applicable without a reason"),
        (Requirement("V6.3.1", "3", "not met", "", "too dear", ""), "not met, but tests/slow/test_b.py has its mark"),
    ],
)
def test_a_wrong_row_is_noticed(row: Requirement, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = noticed(monkeypatch, row)
    assert found.startswith(f"{row.id}: {problem}")


@in_one_world("evidence", ["docs/keys.md#rotate", "accounts/roles.py; docs/staff.md#who-may-do-what"])
def test_a_passage_of_a_document_is_enough(evidence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert noticed(monkeypatch, Requirement("V6.3.4", "2", "met", evidence, "", "")) == []


@in_one_world("verdict", ["partly", "not met"])
def test_level_1_is_met_whole(verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [found] = noticed(monkeypatch, Requirement("V6.2.8", "1", verdict, "", "a reason", ""))
    assert "level 1 is not met whole" in found


def test_twelve_of_level_2_may_be_met_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [Requirement(f"V1.1.{number}", "2", "partly", "", "a reason", "") for number in range(13)]
    assert noticed(monkeypatch, *rows[:12]) == []
    [found] = noticed(monkeypatch, *rows)
    assert found == "13 requirements of level 2 are met in part; at most 12 may be"


def test_another_order_or_level_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Requirement("V6.3.1", "2", "met", "", "", "")
    monkeypatch.setattr(asvs_table, "LEVELS", {"V6.3.1": 1})
    [found] = problems([row], MARKS)
    assert found.startswith("its rows are not the requirements")


def test_the_column_is_written_and_nothing_else() -> None:
    before = f'{HEAD}V6.3.1,1,met,accounts/roles.py,"one, two",old\n'
    after = before.replace("old", "tests/slow/test_b.py; tests/test_a.py×2")
    assert written(before, MARKS) == after == written(after, MARKS)
    assert proof("V6.3.4", MARKS) == ""


@in_one_world("row", ["V6.3.1,1,met", "V6.3.1,1,met,,,,"])
def test_a_row_with_a_cell_too_few_or_too_many_is_noticed(row: str) -> None:
    with pytest.raises(ValueError, match="not 6 cells"):
        read(HEAD + row)


def test_other_columns_are_noticed() -> None:
    with pytest.raises(ValueError, match="its columns are"):
        read("id,verdict\n")


@in_one_world("place", ["documents/nowhere.md", "docs/keys.md#nowhere", "accounts/nowhere.py"])
def test_a_place_that_is_nowhere_is_noticed(place: str) -> None:
    assert not is_there(place)
    assert is_there("docs/keys.md#rotate")
    assert is_there("deploy/firewall")
