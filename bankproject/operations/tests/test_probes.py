"""Health checks and access to the metrics (R9.5): who gets what answer, whatever state the bank is in."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from accounts.models import UserSession
from bankproject.operations import probes
from tests.asvs import proves
from tests.tables import in_one_world

TOKEN = "a-token-that-only-prometheus-has"
PROBES = ["/healthz", "/readyz", "/metrics"]


@pytest.fixture
def as_in_production(settings: Any) -> None:
    """Requests are sent to HTTPS, and names that are not the bank's are refused."""
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["bank.example"]


class TestAlive:
    def test_by_any_name_and_over_plain_http_without_the_database(self, client: Client, as_in_production: None) -> None:
        # No django_db: a query would fail the test.
        answer = client.get("/healthz", headers={"host": "10.1.2.3:8000"})
        assert (answer.status_code, answer.content) == (200, b"ok\n")
        assert (answer["Cache-Control"], answer["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert answer["X-Request-ID"]
        assert not answer.cookies

    def test_while_everything_else_goes_on_to_https(self, client: Client, as_in_production: None) -> None:
        assert client.get("/sign-in/", headers={"host": "bank.example"}).status_code == 301

    @in_one_world("path", ["/healthz/", "/healthz/x", "/HEALTHZ", "//healthz", "/readyz/", "/x/readyz"])
    def test_no_other_address_is_taken_for_it(self, client: Client, path: str) -> None:
        assert client.get(path, headers={"host": "testserver"}).content != b"ok\n"

    @in_one_world("path", PROBES)
    @in_one_world("method", ["post", "put", "patch", "delete", "options"])
    def test_nothing_is_done_by_them(self, client: Client, settings: Any, path: str, method: str) -> None:
        settings.METRICS_TOKEN = TOKEN
        answer = getattr(client, method)(path)
        assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")

    def test_head_is_answered_too(self, client: Client) -> None:
        assert client.head("/healthz").status_code == 200


@pytest.mark.django_db
class TestReady:
    def test_with_database_and_migrations(self, client: Client, as_in_production: None) -> None:
        answer = client.get("/readyz", headers={"host": "10.1.2.3"})
        assert (answer.status_code, answer.json()) == (200, {"database": "ok", "migrations": "ok"})

    @in_one_world("who", ["alice", "ada"])
    def test_it_asks_nothing_of_a_signed_in_person(self, who: str, request: Any, browser_of: Any) -> None:
        browser = browser_of(request.getfixturevalue(who))
        UserSession.objects.update(last_seen_at=timezone.now() - timedelta(minutes=1))
        before = UserSession.objects.get().last_seen_at
        assert browser.get("/readyz").status_code == 200
        assert UserSession.objects.get().last_seen_at == before, "a health check keeps no session alive"

    def test_not_while_a_migration_of_this_version_is_to_come(self, client: Client) -> None:
        MigrationRecorder.Migration.objects.filter(app="transfers").order_by("-id")[0].delete()
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"database": "ok", "migrations": "behind"})

    def test_a_database_that_was_migrated_for_the_next_version_is_not_an_obstacle(self, client: Client) -> None:
        MigrationRecorder(connection).record_applied("transfers", "9999_of_the_next_version")
        assert client.get("/readyz").status_code == 200

    def test_without_its_database_it_says_so_and_nothing_of_why(
        self, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(self: Any) -> None:
            raise OperationalError("no such host db.internal, password=hunter2")

        monkeypatch.setattr(MigrationRecorder, "applied_migrations", fail)
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"database": "failing", "migrations": "failing"})
        assert [record.getMessage() for record in caplog.records if record.name == probes.__name__] == [
            "The database does not answer: OperationalError"
        ]

    def test_the_shared_cache_is_asked_where_there_is_one(self, client: Client, shared_cache: Any) -> None:
        assert client.get("/readyz").json()["cache"] == "ok"

    def test_not_without_the_shared_cache_that_it_should_have(self, client: Client, settings: Any) -> None:
        settings.CACHE_URL = "unix:///nowhere/cache.sock"
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["cache"]) == (503, "failing")


@pytest.mark.django_db
class TestTheDoorOfTheMetrics:
    def test_there_is_no_such_page_without_a_token_in_the_settings(self, client: Client, settings: Any) -> None:
        settings.METRICS_TOKEN = ""
        nowhere = client.get("/metricks")
        for header in ({}, {"authorization": "Bearer "}, {"authorization": "Bearer"}):
            answer = client.get("/metrics", headers=header)
            assert (answer.status_code, answer.content) == (404, nowhere.content)

    @proves("V13.4.5")
    @in_one_world(
        "given",
        [
            *("", "Bearer", "Bearer ", TOKEN, f"Basic {TOKEN}", f"bearer {TOKEN}", f"Bearer {TOKEN}x"),
            *(f"Bearer {TOKEN[:-1]}", f"Bearer  {TOKEN}", "Bearer ключ", "Bearer \udcff", f"Bearer {TOKEN}, Bearer x"),
        ],
    )
    def test_the_token_is_asked_for_exactly(self, client: Client, settings: Any, given: str) -> None:
        settings.METRICS_TOKEN = TOKEN
        answer = client.get("/metrics", headers={"authorization": given} if given else {})
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
        assert b"bank_" not in answer.content

    @in_one_world("who", ["charlie", "sam", "audrey", "ada"])
    def test_no_role_stands_in_for_it(self, who: str, request: Any, browser_of: Any, settings: Any) -> None:
        settings.METRICS_TOKEN = TOKEN
        assert browser_of(request.getfixturevalue(who)).get("/metrics").status_code == 401

    def test_a_client_with_the_token_reads_figures(self, client: Client, settings: Any, as_in_production: None) -> None:
        settings.METRICS_TOKEN = TOKEN
        answer = client.get("/metrics", headers={"authorization": f"Bearer {TOKEN}", "host": "10.1.2.3:8000"})
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/plain; version=")
        assert answer["Cache-Control"] == "no-store"
        assert b"bank_database_answers 1.0" in answer.content


def test_the_answer_of_readiness_is_json_for_machines(client: Client, db: None) -> None:
    answer = client.get("/readyz")
    assert answer["Content-Type"] == "application/json"
    assert set(json.loads(answer.content)) == {"database", "migrations"}
