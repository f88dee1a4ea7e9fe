"""`.github/SECURITY.md`: who mends what within which time, and which parts are watched (R8.8)."""

import re
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.asvs import proves
from tests.tables import in_one_world
from tests.test_supply import lock

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("accounts", "audit", "bankproject", "foundation", "support", "transfers")
# What the table calls a kind, and how the code does it.
DANGEROUS = {
    "SQL by hand": r"\.cursor\(\)|\bRawSQL\(|\.raw\(|\.extra\(",
    "starts programs": r"\bsubprocess\.(?:run|Popen|call|check_\w+)\(|\bos\.(?:system|exec\w+|popen|spawn\w+)\(",
    "marks HTML as safe": r"\bmark_safe\(|\bSafeString\(",
    "seals and signs": r"\b(?:AESGCM|HKDF|HMAC)\(|\bhmac\.(?:new|digest)\(",
}
NEVER = r"\b(?:eval|exec|pickle\.loads?|marshal\.loads?|yaml\.load|fromstring|urlopen)\("


def table(section: str) -> dict[str, list[str]]:
    """Return the rows of the table in a section: the other cells by the first."""
    text = (ROOT / ".github" / "SECURITY.md").read_text(encoding="utf-8")
    part = text.partition(f"## {section}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.split(" | ")] for line in part.splitlines() if " | " in line]
    return {row[0]: row[1:] for row in rows[1:]}


def days(cell: str) -> int:
    found = re.fullmatch(r"(\d+) days?", cell)
    assert found, cell
    return int(found[1])


@proves("V15.1.1")
def test_every_severity_has_a_time_for_maintainers_and_operators_and_so_have_plain_updates() -> None:
    times = table("Within which time")
    by_severity = {name.split(" ")[0]: cells for name, cells in times.items()}
    assert list(by_severity) == ["critical", "high", "medium", "low", "no"]
    released = [days(by_severity[name][0]) for name in ("critical", "high", "medium", "low")]
    assert released == sorted(released)
    assert released[0] <= 7
    in_use = [days(by_severity[name][1]) for name in ("critical", "high", "medium")]
    assert in_use == sorted(in_use)
    assert in_use[0] <= 2
    release, use = by_severity["no"]
    assert "each month" in release
    assert days(use.removeprefix("within ")) <= 90


@proves("V15.1.1")
def test_it_says_where_a_hole_is_reported_and_who_does_what() -> None:
    text = (ROOT / ".github" / "SECURITY.md").read_text(encoding="utf-8")
    for words in ("Report a vulnerability", "security.txt", "*Maintainers*", "*Operators*", "`make lock`"):
        assert words in text, words


@proves("V15.1.4")
def test_every_component_to_watch_is_one_that_the_bank_has() -> None:
    names = {name for row in table("Components to watch") for name in re.split(r", (?!and )", row)}
    # Swagger's files come with django-ninja; npm installs what only tests use.
    names = {name.partition(" in ")[2] or name for name in names} - {"npm"}
    known = {*lock("dev"), *lock("lock")}
    assert len(names) > 20
    assert {name for name in names if canonicalize_name(name) not in known} == set()


@proves("V15.1.5")
@in_one_world("kind", DANGEROUS)
def test_every_file_that_does_something_dangerous_is_named(kind: str) -> None:
    told = set(re.findall(r"`([\w/]+\.py)`", table("Where the code does dangerous things")[kind][0]))
    assert {file for file, text in code().items() if re.search(DANGEROUS[kind], text)} == told


@proves("V15.1.5")
def test_nothing_evaluates_unpickles_or_parses_what_could_be_code() -> None:
    assert [file for file, text in code().items() if re.search(NEVER, text)] == []


def code() -> dict[str, str]:
    """Return what the bank runs, without its tests and migrations."""
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not {"tests", "migrations"} & set(path.parts)
    }
