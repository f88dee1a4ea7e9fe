"""A source of advisories that cannot be reached, or knows nothing, is never "clean" (R8.5).

pip-audit is the real one; the source is a server of our own, or none.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bankproject.security_audit import dependencies
from bankproject.security_audit.dependencies import pinned
from bankproject.security_audit.results import CannotLook, Result, State
from tests.asvs import proves

Answer = Callable[[str, str], tuple[int, Any]]


def hole(name: str, fixed: str = "") -> dict[str, Any]:
    events = [{"introduced": "0"}, *([{"fixed": fixed}] if fixed else [])]
    affected = {"package": {"name": name, "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
    return {"vulns": [{"id": f"PYSEC-2026-{len(name)}", "summary": "A hole.", "affected": [affected]}]}


def honest(name: str, version: str) -> tuple[int, Any]:
    return 200, hole("requests", "2.20.0") if (name, version) == ("requests", "2.19.0") else {}


@pytest.fixture
def source() -> Iterator[Callable[[Answer], str]]:
    """Start a source of advisories that gives this answer; return its address."""
    servers = []

    def start(answer: Answer) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, body = answer(asked["package"]["name"], asked["version"])
                payload = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *args: Any) -> None:
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/v1/query"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def audited(tmp_path: Path) -> Callable[[str], Result]:
    (tmp_path / "requirements.txt").write_text(
        "# what runs\nDjango==5.2.19 \\\n    --hash=sha256:ab\npsycopg[binary]==3.3.9\n"
    )
    (tmp_path / "requirements-dev.txt").write_text("-r requirements.txt\nruamel.yaml==0.19.1\n")
    return lambda source: dependencies.dependencies(tmp_path, source)


def test_a_source_that_knows_holes_and_none_of_ours_passes(source: Any, audited: Any, really_started: None) -> None:
    asked = []

    def answer(name: str, version: str) -> tuple[int, Any]:
        asked.append((name, version))
        return honest(name, version)

    result = audited(source(answer))
    assert (result.state, result.sentence) == (State.PASS, "No known hole in 3 pinned packages.")
    assert {("django", "5.2.19"), ("psycopg", "3.3.9"), ("ruamel-yaml", "0.19.1")} < set(asked)


@proves("V15.2.1")
@pytest.mark.parametrize(("fixed", "said"), [("5.2.20", "mended in 5.2.20"), ("", "not mended yet")])
def test_a_known_hole_fails_and_says_where_it_is_mended(source: Any, audited: Any, fixed: str, said: str) -> None:
    result = audited(source(lambda name, version: (200, hole("django", fixed) if name == "django" else hole(name))))
    assert result.state == State.FAIL
    assert any("django 5.2.19: PYSEC" in line and said in line for line in result.details)


@proves("V15.2.1")
def test_a_source_that_knows_of_no_hole_at_all_is_not_believed(source: Any, audited: Any) -> None:
    """Such as a proxy that answers 200 to everything: pip-audit alone says "no known vulnerabilities"."""
    result = audited(source(lambda name, version: (200, {})))
    assert result.state == State.NOT_REACHABLE
    assert "says nothing" in result.sentence


@pytest.mark.parametrize(("status", "body"), [(404, ""), (503, "later"), (200, "<html>Sign in</html>")])
def test_an_answer_without_advisories_is_not_clean(source: Any, audited: Any, status: int, body: str) -> None:
    with pytest.raises(CannotLook, match="did not answer"):
        audited(source(lambda name, version: (status, body)))


def test_a_source_that_fails_half_way_is_not_clean(source: Any, audited: Any) -> None:
    with pytest.raises(CannotLook, match="did not answer"):
        audited(source(lambda name, version: (503, "later") if name == "psycopg" else honest(name, version)))


@proves("V15.2.1")
def test_a_source_that_nobody_serves_is_not_reachable(audited: Any) -> None:
    with pytest.raises(CannotLook, match=r"http://127\.0\.0\.1:9/ did not answer"):
        audited("http://127.0.0.1:9/")


def test_a_package_that_was_skipped_was_not_looked_at(audited: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip-audit's own output in that case, as recorded: its exit status is 0 then."""
    skipped = {"name": "django", "skip_reason": "Dependency not found on PyPI and could not be audited: django"}
    looked_up = {"name": "psycopg", "version": "3.3.9", "vulns": []}
    bad = {"name": "requests", "version": "2.19.0", "vulns": [{"id": "PYSEC-2018-28", "fix_versions": ["2.20.0"]}]}
    answers = iter([[bad], [skipped, looked_up]])
    monkeypatch.setattr(dependencies, "_ask", lambda *args: next(answers))
    result = audited("recorded")
    assert result.state == State.NOT_REACHABLE
    assert result.details == ("django", "ruamel-yaml")


def test_without_a_list_of_packages_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert dependencies.dependencies(tmp_path).state == State.NOT_REACHABLE


def test_every_package_that_is_pinned_is_asked_about(repository: Path) -> None:
    lock = (repository / "requirements-dev.txt").read_text(encoding="utf-8")
    lines = [line for line in lock.splitlines() if re.match(r"[a-z0-9-]+(\[[a-z,-]+\])?==", line)]
    assert len(pinned(repository)) == len(lines) > 60
