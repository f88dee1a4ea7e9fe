"""Reports of what the Content-Security-Policy stopped: one line each, bounded, of nobody (ASVS V3.4.7)."""

import json
from typing import Any

import pytest
from django.test import Client

from audit.models import AuditEntry
from bankproject import csp_reports
from foundation.hourly import HourlyBound
from foundation.mail_links import new_token
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

ADDRESS = "/csp-reports/"
OLD = {
    "csp-report": {
        "document-uri": "http://testserver/dashboard/?older_than=123456789012",
        "effective-directive": "script-src-elem",
        "violated-directive": "script-src-elem",
        "blocked-uri": "https://evil.example/steal.js?of=alice@example.com",
        "script-sample": "alert('Alice')",
        "status-code": 200,
    }
}
NEW = [
    {
        "type": "csp-violation",
        "url": "http://testserver/sign-in/",
        "body": {
            "documentURL": "http://testserver/sign-in/?next=/accounts/",
            "effectiveDirective": "style-src-attr",
            "blockedURL": "inline",
            "sample": "color:red",
        },
    },
    {"type": "deprecation", "body": {"id": "x"}},
]


def report(client: Client, data: Any, kind: str = "application/csp-report", **more: Any) -> int:
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return int(client.generic("POST", ADDRESS, body, content_type=kind, **more).status_code)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    def said() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "bank.csp"]

    return said


@proves("V3.4.7")
def test_the_policy_of_every_page_names_where_to_report_to(client: Client) -> None:
    answer = client.get("/sign-in/")
    directives = [part.strip() for part in answer["Content-Security-Policy"].split(";")]
    assert {"report-uri /csp-reports/", "report-to csp"} <= set(directives)
    assert answer["Reporting-Endpoints"] == 'csp="/csp-reports/"'
    assert (csp_reports.ADDRESS, csp_reports.ENDPOINT) == (ADDRESS, "csp")


@proves("V3.4.7")
def test_both_kinds_are_taken_from_anybody_and_become_a_line_each(lines: Any) -> None:
    stranger = Client(enforce_csrf_checks=True)
    assert report(stranger, OLD) == 204
    assert report(stranger, NEW, "application/reports+json") == 204
    assert lines() == [
        "Content-Security-Policy: script-src-elem blocked https://evil.example on dashboard",
        "Content-Security-Policy: style-src-attr blocked inline on sign_in",
    ]


def test_a_line_holds_no_query_no_sample_no_secret_and_no_line_of_theirs(client: Client, lines: Any) -> None:
    token = new_token()
    report(client, OLD)
    for number, (where, blocked, directive) in enumerate(
        [
            (f"http://testserver/password/reset/{token}/", f"https://user:pw@evil.example:8443/{token}", "img-src"),
            ("http://testserver/nowhere/123456789012/", "https://[::1", "script-src\nINFO forged"),
            ("javascript:alert(1)", "data:text/html,alice@example.com", "x" * 5000),
            (17, {"a": 1}, None),
        ]
    ):
        body = {"document-uri": where, "blocked-uri": blocked, "effective-directive": directive}
        assert report(client, {"csp-report": body}, REMOTE_ADDR=f"192.0.2.{number + 1}") == 204
    assert lines()[1:] == [
        "Content-Security-Policy: img-src blocked https://evil.example:8443 on password_reset",
        *["Content-Security-Policy: other blocked other on other"] * 3,
    ]
    text = " ".join(lines())
    assert not any(secret in text for secret in (token, "alice", "Alice", "123456789012", "pw", "forged", "\n", "?"))


@in_one_world(
    ("data", "kind"),
    [
        (OLD, "application/json"),
        (OLD, "text/plain"),
        (b"{", "application/csp-report"),
        (b"\xff\xfe", "application/csp-report"),
        (b"[" * 9000, "application/csp-report"),
        (b"", "application/csp-report"),
        ("text", "application/csp-report"),
        ([1, None, [], {"body": 1}], "application/reports+json"),
        ([{"type": "network-error", "body": {"blockedURL": "inline"}}], "application/reports+json"),
        (OLD | {"more": "x" * csp_reports.MOST_BYTES}, "application/csp-report"),
    ],
)
def test_anything_else_is_dropped_without_a_word(client: Client, lines: Any, data: Any, kind: str) -> None:
    assert report(client, data, kind) == 204
    assert lines() == []


def test_a_flood_is_bounded_for_each_network_and_reaches_no_audit_log(client: Client, lines: Any) -> None:
    before = AuditEntry.objects.count()
    many = [NEW[0] | {"body": NEW[0]["body"] | {"blockedURL": f"https://a{n}.example/"}} for n in range(60)]  # type: ignore[operator]
    assert report(client, many, "application/reports+json") == 204
    assert len(lines()) == csp_reports.MOST_AT_ONCE
    for number in range(30):
        assert report(client, OLD, REMOTE_ADDR=f"2001:db8::{number:x}") == 204
    # One customer of an IPv6 network has all of its addresses.
    assert len(lines()) == csp_reports.MOST_AT_ONCE + csp_reports.LINES_PER_HOUR.times
    assert report(client, OLD, REMOTE_ADDR="192.0.2.99") == 204
    assert len(lines()) == csp_reports.MOST_AT_ONCE + csp_reports.LINES_PER_HOUR.times + 1
    assert AuditEntry.objects.count() == before


def test_reports_from_many_networks_cost_the_database_nothing(
    client: Client, lines: Any, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    """Each wrote a row for its network, without end."""
    monkeypatch.setattr(csp_reports, "_lines", HourlyBound(each=20, in_all=2))
    for number in (1, 2):
        assert report(client, OLD, REMOTE_ADDR=f"192.0.2.{number}") == 204
    with django_assert_num_queries(0):
        assert report(client, OLD, REMOTE_ADDR="192.0.2.3") == 204
    assert len(lines()) == 2


def test_it_is_taken_where_limits_cannot_be_counted(client: Client, lines: Any, settings: Any) -> None:
    settings.CACHE_URL = "unix:///nowhere/cache.sock"
    assert report(client, OLD) == 204
    assert lines() == []


def test_a_report_keeps_no_session_alive(alice: Any, browser_of: Any) -> None:
    """The browser sends it, not a person."""
    browser = browser_of(alice)
    alice.sessions.update(last_seen_at="2026-01-01T00:00:00Z")
    report(browser, OLD)
    assert str(alice.sessions.get().last_seen_at.date()) == "2026-01-01"
