"""Check the pinned packages for known holes, and tell "none known" apart from "no source could be asked" (R8.5)."""

import re
import tempfile
from pathlib import Path
from typing import Any

from bankproject.security_audit.results import CannotLook, Result, failed, not_reachable, passed, run_tool

OSV = "https://api.osv.dev/v1/query"

# Its holes have been public since 2018. A source that knows none of them is not the source, or knows nothing.
_KNOWN_TO_BE_BAD = "requests==2.19.0"
_PIN = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)")


def dependencies(folder: Path, source: str = OSV) -> Result:
    """Check that pip-audit knows no hole in a pinned package, and that its source reports a known hole.

    Without `--strict`: with it one package that cannot be looked up hides the holes of all others. We are strict
    ourselves, since pip-audit reports a skipped package as "no known vulnerabilities".
    """
    pins = pinned(folder)
    if not pins:
        return not_reachable("No requirements file names a version.")
    with tempfile.TemporaryDirectory() as scratch:
        bad = Path(scratch) / "bad.txt"
        bad.write_text(_KNOWN_TO_BE_BAD + "\n", encoding="utf-8")
        if not _holes(_ask(bad, source, scratch)):
            return not_reachable(
                f"{source} knows of no hole in {_KNOWN_TO_BE_BAD}, so its silence about our packages says nothing."
            )
        ours = Path(scratch) / "ours.txt"
        ours.write_text("".join(f"{name}=={version}\n" for name, version in sorted(pins.items())), encoding="utf-8")
        answer = _ask(ours, source, scratch)
    return _judge(answer, pins)


def pinned(folder: Path) -> dict[str, str]:
    """Return name (as PyPI spells it) and version of every pinned package, tools included where their file is
    present."""
    pins = {}
    for name in ("requirements.txt", "requirements-dev.txt"):
        path = folder / name
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            if match := _PIN.match(line):
                pins[_canonical(match[1])] = match[2]
    return pins


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _ask(requirements: Path, source: str, scratch: str) -> list[Any]:
    """Return pip-audit's report on each package. It resolves and installs nothing: everything is pinned.

    Raises:
        CannotLook: it gave no report, whatever its exit status; 1 means holes or no connection.
    """
    ran = run_tool(
        "pip_audit",
        [
            *("--requirement", str(requirements), "--no-deps", "--disable-pip", "--format", "json", "--desc", "off"),
            *("--vulnerability-service", "osv", "--osv-url", source),
            *("--progress-spinner", "off", "--timeout", "15", "--cache-dir", f"{scratch}/cache"),
        ],
        folder=requirements.parent,
    )
    try:
        return ran.report()["dependencies"]
    except CannotLook as error:
        raise CannotLook(f"{source} did not answer: {error}") from error


def _holes(answer: list[Any]) -> list[str]:
    return [
        f"{item['name']} {item['version']}: {hole['id']}"
        + (f", mended in {', '.join(hole['fix_versions'])}" if hole["fix_versions"] else ", not mended yet")
        for item in answer
        for hole in item.get("vulns", ())
    ]


def _judge(answer: list[Any], pins: dict[str, str]) -> Result:
    holes = _holes(answer)
    if holes:
        return failed(f"{len(holes)} known holes in the packages that are pinned.", holes)
    looked_up = {_canonical(item["name"]) for item in answer if "vulns" in item}
    unknown = sorted(pins.keys() - looked_up)
    if unknown:
        return not_reachable(f"{len(unknown)} of {len(pins)} packages could not be looked up.", unknown)
    return passed(f"No known hole in {len(pins)} pinned packages.")
