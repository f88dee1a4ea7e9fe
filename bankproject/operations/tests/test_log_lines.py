"""What the log contains and never contains, and the file that it may be written to (R9.5, R6.2)."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY

from bankproject.operations import logs
from bankproject.operations.logs import HIDDEN, REQUESTS, JsonFormatter, LineFormatter, masked
from bankproject.operations.middleware import LINES_OF_REFUSALS
from foundation.request_context import RequestContext, request_context
from tests.asvs import proves
from tests.tables import in_one_world

TOKEN = "Zx8_kQ2nV5mB-7tR4yU1wE9pL3sD6fG0hJcA2bN8vXq"  # as those of links: 43 characters


def record_of(message: str, *args: Any, **attributes: Any) -> logging.LogRecord:
    record = logging.LogRecord(
        "bank.test", logging.WARNING, __file__, 1, message, args, attributes.pop("exc_info", None)
    )
    vars(record).update(attributes)
    return record


def raised(error: Exception) -> Any:
    try:
        raise error
    except type(error):
        return sys.exc_info()


# --- What is hidden --------------------------------------------------------------------------------------------


@proves("V16.2.5")
@in_one_world(
    ("text", "secret"),
    [
        ("Conflict: /api/v1/accounts/123456789012/transfer", "123456789012"),
        ("Conflict: /api/v1/accounts/1234%205678-9012", "5678"),
        ("to 1234 5678 9012 it went", "5678"),
        ("1234-5678-9012", "5678"),
        ("to=1234+5678+9012&x", "5678"),
        ("1234\u00a05678\u00a09012", "5678"),
        ("1 2 3 4 5 6 7 8 9 0 1 2", "7 8"),
        ('"GET /api/v1/accounts/%31%32%33%34%35%36%37%38%39%30%31%32 HTTP/1.1" 404', "%35%36"),
        ('"GET /staff/?q=1234%C2%A05678%E2%80%939012 HTTP/1.1" 200', "5678"),
        ("GET /sign-in/?next=/staff/%3Fq%3D1234%252D5678%252D9012", "5678"),
        ("/x/1234%20%205678%E2%81%A09012/", "5678"),
        ("1234\u20115678\u20119012", "5678"),
        ("1234 - 5678 - 9012", "5678"),
        ("１２３４５６７８９０１２", "５６７８"),
        (f"Not Found: /register/confirm/{TOKEN}/", TOKEN),
        (f"link={TOKEN[:40]}", TOKEN[:40]),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbg", "c2lnbg"),
        ("Authorization: Bearer abc.def", "abc"),
        ("authorization: bearer abc", "abc"),
        ("Basic dXNlcjpwYXNz in a header", "dXNlcjpwYXNz"),
        ("password=hunter2", "hunter2"),
        ("new_password1: 'hunter 2'", "hunter"),
        ('{"password": "hunter 2", "x": 1}', "hunter"),
        ("PWD={hunt;er2};Encrypt=yes", "hunt;er2"),
        ("METRICS_TOKEN=abc", "abc"),
        ("refresh_token = 'abc'", "abc"),
        ("Set-Cookie: sessionid=abcdef", "abcdef"),
        ("csrftoken=abcdef", "abcdef"),
        ("pin=246813", "246813"),
        ("code: 123456", "123456"),
        ("customer_code=123456", "123456"),
        ("{'new_pin': '246813'}", "246813"),
        ("'code': '123456'", "123456"),
        ("postgres://bank:hunter2@db:5432/bank", "hunter2"),
        ("redis://:hunter2@cache:6379/0", "hunter2"),
        ("smtp+tls://u:p%40ss@mail:587", "p%40ss"),
        ("redis://:hunt@er2@cache:6379/0", "er2"),
        ("alice.archer+bank@mail.example.com signed in", "archer"),
        ("email=alice%40example.com", "alice"),
        ("?q=alice%2Earcher%40example%2Ecom", "archer"),
        (f"GET /password/reset/%5A{TOKEN[1:]}/", TOKEN[1:]),
        ("DETAIL:  Key (email)=(alice, the customer) already exists.", "alice"),
        ("DETAIL:  Failing row contains (7, Alice, 120000).", "120000"),
        ("The duplicate key value is (alice, 120000).", "120000"),
        (f"TOTP {'ab' * 20}", "abab"),
    ],
)
def test_what_looks_like_a_secret_is_not_in_the_text(text: str, secret: str) -> None:
    # R6.2, R9.5
    assert secret not in masked(text)
    assert HIDDEN in masked(text)


@in_one_world(
    "text",
    [
        "GET transfers_history 200 in 12.3 ms",
        'The head of the audit log: {"number": 3, "hash": "' + "0a1b2c3d" * 8 + '", "count": 12}',
        "request 4b311fc5fe354c1ba58b370b52fa9102 of 0193c2f0-1234-7abc-8a23-1b3456789012",
        "exit code 1 after 2026-11-21 at 17:54:10",
        "Forbidden (CSRF token missing.): /payees/",
        "The PIN was locked, the token is too old",
        "Outbox message 12345678901 could not be expanded",
        "10.1.2.3 and 2001:db8::1",
        "2026-11-21 17:54:10 to 2026-11-21 18:00",
        "100% of 12 at 50%20off",
    ],
)
def test_harmless_text_stays(text: str) -> None:
    assert masked(text) == text


@proves("V16.4.1")
@in_one_world(
    "run",
    [
        "%31",
        "%",
        "%E2%80%93",
        "a",
        "1 ",
        "a@",
        "a.a@b.",
        "token",
        "token=",
        "token={ ",
        "Key (",
        "eyJ",
        "://",
        "eyJ.",
        "1%20",
        "-",
    ],
)
def test_a_client_cannot_make_a_line_take_long(run: str) -> None:
    """Quadratic rules would take minutes for this much."""
    masked(run * (400_000 // len(run)))


# --- What a line looks like ------------------------------------------------------------------------------------


def test_a_line_for_people() -> None:
    with request_context(RequestContext(request_id="abc123")):
        line = LineFormatter().format(record_of("%s is %s", "this", "so"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z WARNING bank\.test \[abc123\] this is so", line)


def test_outside_of_a_request_there_is_no_id() -> None:
    assert " [-] said" in LineFormatter().format(record_of("said"))
    assert json.loads(JsonFormatter().format(record_of("said")))["request_id"] == ""


@proves("V16.2.2")
def test_a_line_for_programs() -> None:
    with request_context(RequestContext(request_id="abc123")):
        line = json.loads(JsonFormatter().format(record_of("said", route="sign_in", status=200, ms=1.5, method="GET")))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line.pop("at"))
    assert line == {
        "level": "WARNING", "logger": "bank.test", "request_id": "abc123", "message": "said",
        "route": "sign_in", "method": "GET", "status": 200, "ms": 1.5,
    }  # fmt: skip


def test_what_a_library_hangs_onto_a_record_is_not_written() -> None:
    line = JsonFormatter().format(record_of("said", request="<Request of Alice>", status_code=403, user="alice"))
    assert "lice" not in line
    assert "403" not in line


NASTY = [
    "x\n2026-11-21T00:00:00.000Z CRITICAL bank [1] forged",
    "x\r\nforged",
    "x\x1b[2Jforged",
    "x\u2028forged",
    "x\u202eforged",
    "x\x00\x85\x9bforged",
    "\ud800forged",
]


@proves("V16.4.1")
@in_one_world("form", [LineFormatter, JsonFormatter])
@in_one_world("text", NASTY)
def test_nobody_writes_a_line_of_their_own(form: type[logs.BankFormatter], text: str) -> None:
    for record in (record_of("said %s", text), record_of("failed", exc_info=raised(ValueError(text)))):
        line = form().format(record)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e\ud800]", line)
        _, *more = line.split("\n")
        assert not more or form is LineFormatter
        assert all(other.startswith("    ") for other in more), "only a traceback goes on, indented"
        line.encode()


@proves("V16.2.5")
@in_one_world("form", [LineFormatter, JsonFormatter])
def test_a_traceback_is_there_and_tells_no_secret(form: type[logs.BankFormatter]) -> None:
    error = ValueError("account 123456789012 of alice@example.com, password=hunter2")
    line = form().format(record_of("failed", exc_info=raised(error)))
    assert "Traceback" in line
    assert "ValueError" in line
    for secret in ("123456789012", "alice", "hunter2"):
        assert secret not in line


def test_arguments_that_do_not_fit_are_a_fault_of_the_program_and_no_silent_loss() -> None:
    with pytest.raises(TypeError):
        LineFormatter().format(record_of("%d", "seven"))


# --- One line for a request --------------------------------------------------------------------------------------


@pytest.fixture
def requests(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """Return the lines of the requests so far, as JSON."""
    caplog.set_level(logging.INFO, REQUESTS)

    def read() -> list[dict[str, Any]]:
        found = [record for record in caplog.records if record.name == REQUESTS]
        return [json.loads(JsonFormatter().format(record)) for record in found]

    return read


@proves("V16.2.4")
@pytest.mark.django_db
def test_each_request_is_one_line_with_route_status_and_time(client: Client, requests: Callable) -> None:
    client.get("/sign-in/?next=/secret/")
    client.post("/sign-in/", {"email": "alice@example.com", "password": "hunter2 and more"})
    client.get(f"/nothing/{TOKEN}/123456789012/?password=hunter2")
    lines = requests()
    assert [(line["method"], line["route"], line["status"]) for line in lines] == [
        ("GET", "sign_in", 200), ("POST", "sign_in", 200), ("GET", "none", 404),
    ]  # fmt: skip
    for line in lines:
        assert line["message"] == f"{line['method']} {line['route']} {line['status']} in {line['ms']} ms"
        assert 0 < line["ms"] < 60_000
        assert line["level"] == "INFO"
    for secret in ("hunter2", "alice", TOKEN, "123456789012", "next"):
        assert secret not in json.dumps(lines)


@proves("V16.2.4")
@pytest.mark.django_db
def test_it_has_the_id_that_the_answer_has(client: Client, capsys: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, REQUESTS)
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler = Keep()
    handler.setFormatter(JsonFormatter())
    logging.getLogger(REQUESTS).addHandler(handler)
    try:
        answer = client.get("/sign-in/")
    finally:
        logging.getLogger(REQUESTS).removeHandler(handler)
    assert [json.loads(line)["request_id"] for line in written] == [answer["X-Request-ID"]]


@pytest.mark.django_db
def test_the_probes_write_no_line(client: Client, requests: Callable) -> None:
    client.get("/healthz")
    client.get("/readyz")
    assert requests() == []


@pytest.mark.django_db
@in_one_world("agent", NASTY[:-1])
def test_the_line_has_only_our_own_words_for_any_request(client: Client, requests: Callable, agent: str) -> None:
    client.generic("GET\tforged", "/sign-in/", headers={"user-agent": agent, "x-forwarded-for": agent})
    (line,) = requests()
    assert (line["method"], line["route"]) == ("OTHER", "sign_in")
    assert "forged" not in json.dumps(line)


# --- Requests of strangers: a line each, and not without end -------------------------------------------------------


@pytest.fixture
def written() -> Iterator[list[str]]:
    """Return the lines that the bank's own handler writes, as on standard error."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Keep()
    handler.setFormatter(LineFormatter())
    handler.addFilter(logs.Complaints())
    root, own = logging.getLogger(), logging.getLogger(REQUESTS)
    was = own.level
    root.addHandler(handler)
    own.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        own.setLevel(was)


NO_TOKEN = {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}  # pragma: allowlist secret


@proves("V16.2.5", "V16.5.1")
@pytest.mark.django_db
@in_one_world(
    ("path", "headers", "line"),
    [
        (
            "/",
            {"host": "evil.example"},
            r"GET none 400 in [\d.]+ ms; DisallowedHost: Invalid HTTP_HOST header: 'evil.*",
        ),
        ("/", {"host": "a b"}, r"GET none 400 in [\d.]+ ms; DisallowedHost: .*"),
        ("/wp-login.php", {}, r"GET none 404 in [\d.]+ ms"),
        ("/api/v1/nothing", {}, r"GET api_nowhere 404 in [\d.]+ ms"),
        ("/api/v1/accounts", NO_TOKEN, r"GET api:\w+ 401 in [\d.]+ ms"),
        ("/sign-in/", {"cookie": "sessionid=made-up-by-somebody; csrftoken=x"}, r"GET sign_in 200 in [\d.]+ ms"),
    ],
)
def test_what_scanners_send_is_one_line_without_a_traceback(
    written: list[str], path: str, headers: dict[str, str], line: str
) -> None:
    # Each Host that somebody made up was a traceback at ERROR.
    written.clear()
    Client().get(path, headers=headers)
    assert [re.fullmatch(rf"\S+ INFO {REQUESTS} \[\w+\] {line}", one) is not None for one in written] == [True]


@pytest.mark.django_db
def test_a_failed_check_of_csrf_says_why_and_not_where(written: list[str]) -> None:
    Client(enforce_csrf_checks=True).post(f"/password/reset/{TOKEN}/", {"new_password1": "x"})
    (line,) = written
    assert re.search(r" POST password_reset 403 in [\d.]+ ms; csrf: CSRF cookie not set\.$", line)


def _left_out() -> float:
    return sum(
        REGISTRY.get_sample_value("bank_log_lines_left_out_total", {"status": f"{one}"}) or 0 for one in (400, 404)
    )


@proves("V16.2.5")
@pytest.mark.django_db
def test_lines_of_refused_requests_are_bounded_for_an_address_and_in_all_and_our_faults_are_not(
    written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LINES_OF_REFUSALS, "each", 3)
    monkeypatch.setattr(LINES_OF_REFUSALS, "in_all", 5)
    client, left_out = Client(), _left_out()
    for number in range(200):
        client.get(f"/{number}.php")
        client.get("/", headers={"host": f"{number}.example"})
    assert [" left out" in line for line in written] == [False, False, True]
    assert written[-1].endswith("; more refused requests are left out in this hour")
    for number in range(200):
        client.get("/x.php", REMOTE_ADDR=f"2001:db8:0:{number:x}::1")
    assert len(written) == 5
    assert _left_out() == left_out + 600 - 5
    monkeypatch.setattr("accounts.views.sign_in.SignInForm", None)
    for _ in range(10):
        Client(raise_request_exception=False).get("/sign-in/")
    assert sum(" GET sign_in 500 " in line for line in written) == 10
    assert sum("Traceback" in line for line in written) == 10
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        client.get("/again.php")
    assert " GET none 404 " in written[-1], "another hour"
