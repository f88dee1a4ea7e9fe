"""The mutants fit the present code, and the tests that catch them are named (`tests/faults/slow/test_mutants.py`)."""

import ast
from pathlib import Path

import pytest

from tests.faults.patching import MUTANTS, Mutant, StalePatch, caught_by, mutants, parsed
from tests.tables import in_one_world

ROOT = Path(__file__).resolve().parents[2]
PATCH = """What it breaks.

--- a/money.py
+++ b/money.py
@@ -1,2 +1,2 @@
 def has(balance):
-    return balance - held
+    return balance
"""


@in_one_world("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_present_code(mutant: Mutant, tmp_path: Path) -> None:
    """If a patch says "mend the patch" here, look at what the change of the code means for its fault."""
    for file in {hunk.file for hunk in mutant.hunks}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text((ROOT / file).read_text(encoding="utf-8"), encoding="utf-8")
    mutant.apply(tmp_path)
    for file in {hunk.file for hunk in mutant.hunks}:
        ast.parse((tmp_path / file).read_text(encoding="utf-8"))
        assert not file.startswith("tests"), "a mutant is a fault of the bank"


def test_each_mutant_says_what_it_breaks_and_is_caught_by_tests_that_there_are() -> None:
    caught = caught_by()
    assert list(caught) == [mutant.name for mutant in mutants()]
    assert len(caught) >= 12
    assert [mutant.name for mutant in mutants() if "Broken: " not in mutant.head] == []
    named = {test for tests in caught.values() for test in tests}
    assert {test for test in named if test.split("::")[-1] not in _functions_of(test.partition("::")[0])} == set()


def _functions_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_a_patch_changes_its_lines_wherever_they_have_moved_to(tmp_path: Path) -> None:
    money = tmp_path / "money.py"
    money.write_text("held = 1\n\ndef has(balance):\n    return balance - held\n")
    parsed("held", PATCH).apply(tmp_path)
    assert money.read_text() == "held = 1\n\ndef has(balance):\n    return balance\n"


@in_one_world("text", ["def has(balance):\n    return balance\n", 2 * "def has(balance):\n    return balance - held\n"])
def test_a_patch_for_other_code_asks_to_be_mended_and_changes_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "money.py").write_text(text)
    with pytest.raises(StalePatch, match=r"^Mend the patch tests/faults/mutants/held\.patch"):
        parsed("held", PATCH).apply(tmp_path)
    assert (tmp_path / "money.py").read_text() == text


def test_a_patch_of_a_file_that_is_gone_asks_to_be_mended(tmp_path: Path) -> None:
    with pytest.raises(StalePatch, match="stand 0 times"):
        parsed("held", PATCH).apply(tmp_path)


@in_one_world("patch", [PATCH.partition("\n\n")[2], "Only a head.\n"])
def test_a_patch_without_a_head_or_a_hunk_is_refused(patch: str) -> None:
    with pytest.raises(ValueError, match="no head or no hunk"):
        parsed("held", patch)


def test_nothing_else_lies_among_the_mutants() -> None:
    assert {file.suffix for file in MUTANTS.iterdir()} == {".patch", ".md"}
