"""The security audit finds planted faults in source and files, and says so if it lacks a tool to look (R8.5)."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bankproject.security_audit import code, results
from bankproject.security_audit.results import CannotLook, State
from tests.asvs import proves

HARMLESS = "def total(amounts: list[int]) -> int:\n    return sum(amounts)\n"
SHELL = "import subprocess\n\n\ndef ask(what):\n    return subprocess.call(what, shell=True)\n"
# Put together here, so that no scan of this file finds them.
A_KEY_OF_AMAZON = "AKIA" + "IOSFODNN7QQQQXYZ"
A_PRIVATE_KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"
A_PASSWORD = 'DATABASE_PASSWORD = "' + 'brontosaurus-on-a-bicycle"\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with a harmless package in it."""
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "sums.py").write_text(HARMLESS)
    (tmp_path / ".gitignore").write_text("/.env\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize("check", [code.bandit, code.ruff, code.secrets])
def test_harmless_code_passes(tree: Path, check: Any, really_started: None) -> None:
    assert check(tree).state == State.PASS


@proves("V1.2.5")
@pytest.mark.parametrize(("check", "rule"), [(code.bandit, "B602"), (code.ruff, "S602")])
def test_a_call_of_the_shell_is_found_with_its_place(tree: Path, check: Any, rule: str) -> None:
    (tree / "accounts" / "ask.py").write_text(SHELL)
    result = check(tree)
    assert result.state == State.FAIL
    assert any(
        line.startswith(("accounts/ask.py:5", "./accounts/ask.py:5")) and rule in line for line in result.details
    )


@pytest.mark.parametrize("check", [code.bandit, code.ruff])
def test_code_that_cannot_be_read_is_not_clean(tree: Path, check: Any) -> None:
    (tree / "accounts" / "broken.py").write_text("def (:\n")
    result = check(tree)
    assert result.state == State.FAIL
    assert any("broken.py" in line for line in result.details)


def test_where_there_is_no_code_nothing_was_looked_at(tmp_path: Path) -> None:
    (tmp_path / "accounts").mkdir()
    assert code.bandit(tmp_path).state == State.NOT_REACHABLE


@proves("V1.2.5", "V1.3.2")
def test_the_banks_own_exceptions_are_few_and_have_their_reasons(repository: Path) -> None:
    section = (repository / "pyproject.toml").read_text().partition("[tool.bandit]")[2].partition("\n[")[0]
    lines = [line.strip() for line in section.splitlines()]
    skips = [line for line in lines if line.startswith('"B')]
    assert 0 < len(skips) <= 5
    assert all("#" in line for line in skips)


# --- Secrets ----------------------------------------------------------------------------------------------


@proves("V13.3.1")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deploy.env", f"AWS_KEY={A_KEY_OF_AMAZON}\n"),
        ("accounts/key.pem", f"{A_PRIVATE_KEY}\n"),
        ("accounts/settings.py", A_PASSWORD),
        ("accounts/tests/test_keys.py", f"KEY = '{A_KEY_OF_AMAZON}'\n"),
    ],
)
def test_a_secret_in_a_file_is_found_and_not_printed(tree: Path, name: str, text: str) -> None:
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text(text)
    result = code.secrets(tree)
    assert result.state == State.FAIL
    assert result.details[0].startswith(f"{name}:1 looks like a secret")
    assert A_KEY_OF_AMAZON not in str(result)
    assert "brontosaurus" not in str(result)


def test_passwords_of_people_who_do_not_exist_may_stand_in_tests(tree: Path) -> None:
    (tree / "accounts" / "tests").mkdir()
    (tree / "accounts" / "tests" / "test_sign_in.py").write_text(A_PASSWORD)
    assert code.secrets(tree).state == State.PASS


def test_files_that_git_ignores_are_not_part_of_the_project(tree: Path) -> None:
    (tree / ".env").write_text(A_PASSWORD)
    assert code.secrets(tree).state == State.PASS


@pytest.mark.parametrize("secret", ["", A_PASSWORD])
def test_without_git_the_files_that_lie_there_are_read(tmp_path: Path, monkeypatch: Any, secret: str) -> None:
    monkeypatch.setattr(code, "files_known_to_git", lambda folder: None)
    (tmp_path / ".env").write_text(A_PASSWORD)
    (tmp_path / "note.py").write_text(HARMLESS + secret)
    assert code.secrets(tmp_path).state == (State.FAIL if secret else State.PASS)


def test_where_there_is_no_file_nothing_was_looked_at(tmp_path: Path) -> None:
    with pytest.raises(CannotLook, match="no file"):
        code.secrets(tmp_path)


def test_a_folder_outside_git_is_not_known_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert results.files_known_to_git(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert results.files_known_to_git(tmp_path) is None, "there is no git at all"


def explain(tree: Path, **change: Any) -> None:
    """Write a baseline of the present findings, each with a reason."""
    report = results.run_tool("detect_secrets", ["scan", "accounts/settings.py"], folder=tree).report()
    for items in report["results"].values():
        items[0].update({"why": "It opens nothing."} | change)
    (tree / code.BASELINE).write_text(json.dumps(report))


def test_an_explained_line_is_not_a_secret_wherever_it_moves(tree: Path) -> None:
    (tree / "accounts" / "settings.py").write_text(A_PASSWORD)
    explain(tree)
    assert code.secrets(tree).state == State.PASS
    (tree / "accounts" / "settings.py").write_text("\n\n" + A_PASSWORD)
    assert code.secrets(tree).state == State.PASS
    (tree / "accounts" / "settings.py").write_text(A_PASSWORD.replace("bicycle", "tricycle"))
    assert code.secrets(tree).state == State.FAIL


def test_a_baseline_without_a_reason_explains_nothing(tree: Path) -> None:
    (tree / "accounts" / "settings.py").write_text(A_PASSWORD)
    explain(tree, why="")
    result = code.secrets(tree)
    assert result.state == State.FAIL
    assert any("without a reason" in line for line in result.details)


def test_a_line_of_the_baseline_that_stands_for_nothing_must_go(tree: Path) -> None:
    (tree / "accounts" / "settings.py").write_text(A_PASSWORD)
    explain(tree)
    (tree / "accounts" / "settings.py").write_text(HARMLESS)
    assert code.secrets(tree).details == (f"{code.BASELINE}: accounts/settings.py has no such secret any more",)


# --- Tools ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [code.bandit, code.ruff, code.secrets])
def test_a_tool_that_is_not_installed_says_so(tree: Path, check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the image that runs the bank."""
    monkeypatch.setattr(results.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CannotLook, match=r"not installed here; requirements-dev.txt has it"):
        check(tree)


def test_a_tool_that_does_not_end_has_not_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "_LONGEST_SECONDS", 0.2)
    with pytest.raises(CannotLook, match="still running"):
        results.run_python(["-c", "import time; time.sleep(60)"], folder=tmp_path)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit('no such option')", "no such option"),
        ("print('all is well')", "all is well"),
        ("raise SystemExit(3)", "status 3"),
    ],
)
def test_an_answer_that_is_not_a_report_is_not_taken_for_one(tmp_path: Path, program: str, said: str) -> None:
    with pytest.raises(CannotLook, match=said):
        results.run_python(["-c", program], folder=tmp_path).report()
