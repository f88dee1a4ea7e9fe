"""Checks of the source: findings of bandit and ruff's security rules, and secrets that were written down."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bankproject.security_audit.results import (
    CannotLook,
    Result,
    failed,
    files_known_to_git,
    not_reachable,
    passed,
    run_tool,
)

PACKAGES = ("accounts", "audit", "bankproject", "deploy", "foundation", "support", "transfers")
BASELINE = ".secrets.baseline"

# Passwords of people who do not exist, and tests that must not start with a password in an address. All else that looks
# like a key, a token or a certificate is found in tests too.
_HARMLESS_IN_TESTS = {"Secret Keyword", "Basic Auth Credentials"}
_NOT_OURS = {".git", ".venv", "staticfiles", "htmlcov", "__pycache__", "node_modules"}
_NOT_TEXT = {".png", ".jpg", ".ico", ".woff2", ".pdf", ".pyc", ".sqlite3", ".mo"}


def bandit(folder: Path) -> Result:
    """Check that bandit finds nothing in the code that runs the bank; pyproject.toml lists what it skips."""
    present = [package for package in PACKAGES if (folder / package).is_dir()]
    configuration = ["--configfile", "pyproject.toml"] if (folder / "pyproject.toml").exists() else []
    ran = run_tool("bandit", [*configuration, "--quiet", "--format", "json", "--recursive", *present], folder=folder)
    report = ran.report()
    lines = report["metrics"]["_totals"]["loc"]
    found = [f"{item['filename']}: not read, {item['reason']}" for item in report["errors"]]
    found += [
        f"{item['filename']}:{item['line_number']} {item['test_id']} {item['issue_text']}" for item in report["results"]
    ]
    if found:
        return failed(f"bandit has {len(found)} findings in {lines} lines.", found)
    if not lines:
        return not_reachable("bandit found no code to read.")
    return passed(f"bandit finds nothing in {lines} lines.")


def ruff(folder: Path) -> Result:
    """Check that ruff's security rules find nothing, or that the line explains what they find."""
    ran = run_tool("ruff", ["check", "--select", "S", "--no-fix", "--output-format", "json", "."], folder=folder)
    found = [
        f"{Path(item['filename']).relative_to(folder.resolve())}:{item['location']['row']} "
        f"{item['code'] or 'syntax'} {item['message']}"
        for item in ran.report()
    ]
    if found:
        return failed(f"ruff's security rules have {len(found)} findings.", found)
    return passed("ruff's security rules find nothing.")


def secrets(folder: Path) -> Result:
    """Check that no file that git tracks or would track has a secret, except those that the baseline explains.

    A line of the baseline without its reason fails, and so does one that matches nothing any more. It prints the file
    and the line, never the secret.
    """
    paths = _texts(folder)
    ran = run_tool("detect_secrets", ["scan", *paths], folder=folder)
    explained, complaints = _explained(folder)
    seen, found = set(), []
    for name, item in _findings(ran.report()):
        seen.add(_mark(name, item))
        if _mark(name, item) not in explained:
            found.append(f"{name}:{item['line_number']} looks like a secret ({item['type']})")
    complaints += [f"{BASELINE}: {name} has no such secret any more" for name, _, _ in sorted(explained - seen)]
    if found or complaints:
        return failed(f"{len(found) + len(complaints)} findings in {len(paths)} files.", found + complaints)
    return passed(f"No secret stands in {len(paths)} files.")


def _texts(folder: Path) -> list[str]:
    names = files_known_to_git(folder)
    if names is None:
        every = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
        names = [str(path) for path in every if not _NOT_OURS & set(path.parts) and path.name != ".env"]
    texts = [name for name in names if Path(name).suffix not in _NOT_TEXT and (folder / name).is_file()]
    if not texts:
        raise CannotLook("There is no file to look at.")
    return [name for name in texts if name != BASELINE]


def _findings(report: Any) -> Iterator[tuple[str, Any]]:
    for name, items in report["results"].items():
        for item in items:
            if not ("tests" in Path(name).parts and item["type"] in _HARMLESS_IN_TESTS):
                yield name, item


def _mark(name: str, item: Any) -> tuple[str, str, str]:
    """Return the parts that do not change when lines move."""
    return name, item["type"], item["hashed_secret"]


def _explained(folder: Path) -> tuple[set[tuple[str, str, str]], list[str]]:
    """Return what the baseline explains, and what is wrong with the baseline."""
    path = folder / BASELINE
    if not path.exists():
        return set(), []
    marks, complaints = set(), []
    for name, items in json.loads(path.read_text(encoding="utf-8"))["results"].items():
        for item in items:
            if item.get("why"):
                marks.add(_mark(name, item))
            else:
                complaints.append(f"{BASELINE}: {name} is listed without a reason")
    return marks, complaints
