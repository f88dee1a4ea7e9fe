"""What the firewall tells the bank, what it says itself, and what it logs (R8.4)."""

import contextlib
import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.core.signals import request_started
from django.urls import get_resolver

from audit.models import AuditEntry
from foundation.mail_links import new_token
from tests.acts import WRONG_PASSWORD, link_for
from tests.asvs import proves
from tests.firewall.attacks import FORM, UNION, Attack, header, json_body, query, url
from tests.firewall.conftest import SERVE, readable_folder, running, spare_port
from tests.firewall.visitor import Firewall, Visitor
from tests.plugin import PASSWORD
from tests.test_headers_of_every_route import ALWAYS

FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9",
    "X_Forwarded_For": "203.0.113.9",
    "True-Client-IP": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
}


@proves("V4.1.3")
def test_the_bank_knows_the_clients_address_and_no_forged_one(visitor: Callable[..., Visitor], alice: Any) -> None:
    browser = visitor(address="127.0.0.2")
    browser.read_token(browser.get("/sign-in/"))
    for number in range(3):
        headers = FORGED | {"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.{number}"}
        answer = browser.post("/sign-in/", {"email": alice.email, "password": WRONG_PASSWORD}, **headers)
        assert answer.reached_bank
    addresses = set(AuditEntry.objects.filter(ip__isnull=False).values_list("ip", flat=True))
    assert addresses == {"127.0.0.2"}


@proves("V15.3.4")
def test_a_lock_out_counts_the_real_address(visitor: Callable[..., Visitor], alice: Any, settings: Any) -> None:
    """Rotating X-Forwarded-For wins no more guesses."""
    browser = visitor()
    browser.read_token(browser.get("/sign-in/"))
    form = {"email": alice.email, "password": WRONG_PASSWORD}
    statuses = [
        browser.post("/sign-in/", form, **{"X-Forwarded-For": f"203.0.113.{number}"}).status
        for number in range(settings.AXES_FAILURE_LIMIT + 2)
    ]
    assert statuses == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429] * 3
    answer = browser.post("/sign-in/", form | {"password": PASSWORD})
    assert (answer.status, answer.reached_bank) == (429, True)


def test_the_banks_own_refusals_pass_untouched(visitor: Callable[..., Visitor], firewall: Firewall) -> None:
    browser = visitor()
    for answer, status in (
        (browser.post("/sign-in/", {"email": "a@example.com"}), 403),  # no CSRF cookie
        (browser.get("/no/such/page/"), 404),
        (browser.ask("POST", "/sign-in/", "a=%FF", {"Content-Type": "application/x-www-form-urlencoded"}), 403),
    ):
        assert (answer.status, answer.reached_bank) == (status, True)
        assert "firewall-style" not in answer.text


def test_a_header_line_that_ends_oddly_reaches_the_bank_rewritten(visitor: Callable[..., Visitor]) -> None:
    seen: list[dict[str, str]] = []

    def note(environ: dict[str, Any], **kwargs: Any) -> None:
        seen.append({name: value for name, value in environ.items() if name.startswith("HTTP_X_TEST")})

    request_started.connect(note)
    try:
        head = "GET /sign-in/ HTTP/1.1\nHost: localhost\nX-Test-A: b\r\nX-Test-B: c\nConnection: close\n\n"
        assert visitor().raw(head).reached_bank  # raw() makes each line end of it CR LF: the first is CR CR LF
    finally:
        request_started.disconnect(note)
    assert seen == [{"HTTP_X_TEST_A": "b", "HTTP_X_TEST_B": "c"}]


@proves("V13.4.6", "V16.5.1")
@pytest.mark.parametrize("path", ["/history/", "/api/v1/history"])
def test_a_refusal_is_a_page_or_a_problem(visitor: Callable[..., Visitor], path: str) -> None:
    answer = visitor().get(path, {"text": "' UNION SELECT password FROM accounts_user--"})
    assert (answer.status, answer.reached_bank) == (403, False)
    number = answer.headers["X-Request-ID"]
    assert number in answer.text
    if path.startswith("/api/"):
        problem = json.loads(answer.text)
        assert answer.headers["Content-Type"].startswith("application/problem+json")
        assert (problem["status"], problem["title"], problem["request_id"]) == (403, "Forbidden", number)
    else:
        assert "<h1>We did not let this through</h1>" in answer.text
        assert not re.search(r"<style|style=|<script|https?://", answer.text)


@proves("V3.4.4")
def test_its_own_pages_have_the_banks_security_headers(visitor: Callable[..., Visitor]) -> None:
    browser = visitor()
    bank = browser.get("/sign-in/").headers
    ours = browser.get("/history/", {"text": "<script>alert(1)</script>"}).headers
    for name in (
        "X-Frame-Options",
        "X-Content-Type-Options",
        "Referrer-Policy",
        "Cross-Origin-Opener-Policy",
        "Cross-Origin-Resource-Policy",
        "Permissions-Policy",
        "Reporting-Endpoints",
        "Cache-Control",
    ):
        assert ours[name] == bank[name], name
    assert "default-src 'none'" in ours["Content-Security-Policy"]
    assert "unsafe" not in ours["Content-Security-Policy"]
    assert ours["Content-Security-Policy"].endswith("report-uri /csp-reports/; report-to csp")
    for headers in (bank, ours):
        assert not re.search(r"\d", headers.get("Server", "")), "it tells its version"


REFUSALS: dict[str, tuple[int, Attack]] = {
    "an attack": (403, query(text="<script>alert(1)</script>")),
    "an attack on the API": (403, json_body('{"description": "' + UNION + '"}')),
    "what is for machines of the bank": (403, url("/metrics")),
    "a body that does not parse": (400, json_body('{"a": ')),
    "an odd path": (400, url("/accounts/'/")),
    "a method nobody takes": (405, url("/", "TRACE")),
    "a body too long": (413, lambda visitor: visitor.ask("POST", "/sign-in/", "a=" + "a" * 300_000, FORM)),
    "an address too long": (414, url("/?text=" + "a" * 40_000)),
    "another kind of body": (415, json_body("a=1", FORM)),
    "another Host": (421, header("Host", "evil.example")),
    "a Host that is none": (400, header("Host", "http://localhost/")),
}


@proves("V3.4.5", "V3.4.6", "V3.4.8")
def test_each_of_its_refusals_has_the_whole_set_of_headers(visitor: Callable[..., Visitor]) -> None:
    """As the bank's own answers (tests/test_headers_of_every_route.py), and a policy that allows less."""
    expected = ALWAYS | {
        "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'none'; frame-ancestors 'none'; "
        "base-uri 'none'; report-uri /csp-reports/; report-to csp",
        "Cache-Control": "max-age=0, no-cache, no-store, must-revalidate, private",
    }
    for name, (status, attack) in REFUSALS.items():
        answer = attack(visitor())
        assert (answer.status, answer.reached_bank) == (status, False), name
        assert {header: answer.headers.get(header) for header in expected} == expected, name


def test_the_pages_find_their_style(visitor: Callable[..., Visitor]) -> None:
    answer = visitor().get("/firewall-style.css")
    assert (answer.status, answer.reached_bank) == (200, False)
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert visitor().get("/firewall-answer/refused.html").status == 404


@proves("V15.2.2")
def test_what_is_too_long_has_a_page(visitor: Callable[..., Visitor]) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = visitor().ask("POST", "/help/messages/new/", "text=" + "a" * 300_000, form)
    assert (answer.status, answer.reached_bank) == (413, False)
    assert "That was too long" in answer.text


@proves("V16.2.5")
def test_no_log_holds_a_secret(
    visitor: Callable[..., Visitor], firewall: Firewall, alice: Any, code_of: Callable[[Any], str]
) -> None:
    browser = visitor()
    browser.read_token(browser.get("/sign-in/"))
    browser.post("/sign-in/", {"email": alice.email, "password": PASSWORD})
    browser.read_token(browser.get("/sign-in/code/"))
    code = code_of(alice)
    browser.post("/sign-in/code/", {"code": code})
    browser.read_token(browser.get("/profile/"))
    visitor().get("/sign-in/")
    stranger = visitor()
    stranger.read_token(stranger.get("/password/forgot/"))
    stranger.post("/password/forgot/", {"email": alice.email})
    link = link_for(alice.email)
    assert stranger.get(link).status == 200
    token = link.rstrip("/").rpartition("/")[2]
    bearer, pin, password = (
        "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.c2ln",
        "739184",
        "' UNION SELECT <script>1</script> hunter2 --",
    )
    attack = {"text": "<script>alert(1)</script>' UNION SELECT 1 FROM x--"}
    page = {"Referer": f"http://localhost{link}", "Authorization": f"Bearer {bearer}"}
    # Each together with a refused part, so that the rules have something to report.
    for path in (link, "/history/"):
        assert browser.get(path, attack, **page).is_refusal
        secrets = {"password": password, "new_password1": password, "pin": pin, "code": pin, "admin_key": password}
        assert browser.post(path, attack | secrets, **page).is_refusal
    assert browser.send("/api/v1/auth/login", attack | {"password": password, "refresh_token": bearer}).is_refusal
    broken = '{"password": "' + password + '", '
    assert browser.ask("POST", "/api/v1/auth/login", broken, {"Content-Type": "application/json"}).is_refusal
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.ask("POST", "/sign-in/", broken, form).is_refusal
    assert browser.post("/sign-in/", {"email": "a", "password": password + "${jndi:ldap://x}"}).is_refusal
    browser.cookies["sessionid"] += "${jndi:x}"
    assert browser.get("/history/").is_refusal

    logs = firewall.logs()
    assert set(logs) == {"access.log", "audit.log", "error.log"}
    assert "941100" in logs["audit.log"], "nothing was refused"
    assert "/password/reset/(masked)" in logs["access.log"]
    session = browser.cookies["sessionid"].partition("$")[0]
    found = {
        (file, what)
        for file, text in logs.items()
        for what in (session, browser.cookies["csrftoken"], browser.csrf_token, PASSWORD, "hunter2", token, bearer, pin)
        if what in text
    }
    assert found == set()
    assert not re.search(rf"(?<!\d){code}(?!\d)", logs["audit.log"] + logs["error.log"])
    assert "UNION" not in logs["access.log"]
    assert logs["error.log"] == ""


def link_routes() -> list[str]:
    """Return every address of the site that holds a token from a mail."""
    routes = [
        f"/{route.pattern}" for each in get_resolver().url_patterns for route in getattr(each, "url_patterns", [])
    ]
    return [route for route in routes if "<str:token>" in route]


@proves("V16.2.5")
def test_every_link_of_a_mail_is_masked(visitor: Callable[..., Visitor], firewall: Firewall) -> None:
    routes, browser = link_routes(), visitor()
    assert len(routes) >= 4
    for route in routes:
        token = new_token()
        path = route.replace("<str:token>", token)
        browser.get(path)
        assert browser.get(path, {"text": "<script>alert(1)</script>"}).is_refusal
        assert browser.get(path.replace("/", "//")).status
        assert browser.get(path.replace("e", "%65")).status
        assert not [name for name, text in firewall.logs().items() if token in text], route


@proves("V16.2.5")
def test_the_access_log_has_no_account_number_of_an_address(
    visitor: Callable[..., Visitor], firewall: Firewall
) -> None:
    # R6.2: also where the request is refused.
    browser, path = visitor(), "/api/v1/accounts/{}/transactions"
    assert browser.get(path.format("123456789012"), {"text": "<script>alert(1)</script>"}).is_refusal
    browser.get(path.format("123456789012"))
    log = firewall.logs()["access.log"]
    assert path.format("(masked)") in log
    assert "123456789012" not in log


NUMBERS = (
    *("123456789012", "1234%205678%209012", "1234-5678-9012", "%31%32%33456789012", "1234%C2%A05678%E2%80%939012"),
    "1234%252D5678%252D9012",
)
PLACES = ("/api/v1/accounts/{}/transactions", "/accounts/{}/", "/{}", "/a/b.c/x{}y/z", "/history/?q={}")


@proves("V14.2.1", "V16.2.5")
def test_no_log_of_the_firewall_has_an_account_number(visitor: Callable[..., Visitor], firewall: Firewall) -> None:
    # R6.2: in any address, however spelled, asked for or refused, and as the page that leads there.
    browser = visitor()
    for number, place in product(NUMBERS, PLACES):
        address = place.format(number)
        leads_there = {"Referer": f"http://127.0.0.1:{firewall.port}{address}"}
        assert browser.ask("GET", address, None, leads_there).status
        attack = f"{address}{'&' if '?' in address else '?'}x=%3Cscript%3Ealert(1)%3C/script%3E"
        assert browser.ask("GET", attack, None, leads_there).is_refusal
        logs = firewall.logs()
        assert json.loads(logs["access.log"].splitlines()[-1])["answered_by"] == "rules"
        spelled = (number, unquote(number), unquote(unquote(number)))
        assert [name for name, text in logs.items() if any(text.count(one) for one in spelled)] == [], address


def test_what_was_refused_can_be_found_by_its_number(visitor: Callable[..., Visitor], firewall: Firewall) -> None:
    number = visitor().get("/history/", {"text": "<script>alert(1)</script>"}).headers["X-Request-ID"]
    logs = firewall.logs()
    line = next(json.loads(line) for line in logs["access.log"].splitlines() if number in line)
    assert (line["status"], line["answered_by"], line["path"], line["client"]) == (
        "403",
        "rules",
        "/history/",
        "127.0.0.1",
    )
    entry = next(part for part in logs["audit.log"].split("---A--") if number in part)
    assert '[id "941110"]' in entry


@proves("V2.4.1")
def test_floods_are_slowed_and_the_bank_may_be_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    nobody = f"127.0.0.1:{spare_port()}"
    with running(readable_folder(tmp_path_factory), nobody, FIREWALL_REQUESTS_PER_SECOND="1") as firewall:
        visitor = Visitor(firewall.port, [])
        away = visitor.get("/history/")
        assert (away.status, "does not answer just now" in away.text) == (502, True)
        assert json.loads(visitor.get("/api/v1/me").text)["code"] == "bank_away"
        answers = [visitor.send("/api/v1/transfers", {}) for _ in range(120)]
        assert {answer.status for answer in answers[:50]} == {502}
        refused = next(answer for answer in answers if answer.status == 429)
        assert json.loads(refused.text)["code"] == "too_often"
        assert firewall.logs()["error.log"] == ""


@proves("V15.2.2")
def test_slow_clients_are_sent_away(firewall: Firewall) -> None:
    """Ten seconds without a byte of the header or of the body end it."""
    begun = time.monotonic()
    beginnings = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
        b"POST /sign-in/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 100\r\n\r\nemail=",
    )
    clients = [socket.create_connection(("localhost", firewall.port), timeout=15) for _ in beginnings]
    for client, beginning in zip(clients, beginnings, strict=True):
        client.sendall(beginning)
    for client in clients:
        with contextlib.suppress(ConnectionResetError):
            while client.recv(65536):
                pass
        client.close()
    assert time.monotonic() - begun > 9


@proves("V12.2.1")
def test_with_a_certificate_it_speaks_https_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = readable_folder(tmp_path_factory)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [*["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"],
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    files = {"FIREWALL_CERTIFICATE": str(certificate), "FIREWALL_CERTIFICATE_KEY": str(key)}
    with running(folder, f"127.0.0.1:{spare_port()}", **files) as firewall:
        context = ssl.create_default_context(cafile=str(certificate))
        context.check_hostname = False
        connection = http.client.HTTPSConnection("localhost", firewall.port, context=context, timeout=20)
        connection.request("GET", "/")
        answer = connection.getresponse()
        assert answer.status == 502
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        assert Visitor(firewall.port, []).get("/").status == 403


def test_make_firewall_serves_and_ends_whole(firewall: Firewall, tmp_path_factory: Any, repository: Path) -> None:
    port, folder = spare_port(), readable_folder(tmp_path_factory)
    values = [f"FIREWALL_LISTEN=127.0.0.1:{port}", f"FIREWALL_FOLDER={folder}", "FIREWALL_UPSTREAM=127.0.0.1:1"]
    process = subprocess.Popen(["make", "firewall", *values], cwd=repository, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    while "listens on" not in (line := process.stdout.readline()):
        assert line, "make firewall ended by itself"
    nginx = _wait_for_pid(folder / "nginx.pid")
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=20)
    for _ in range(100):
        if not Path(f"/proc/{nginx}").exists():
            break
        time.sleep(0.1)
    assert not Path(f"/proc/{nginx}").exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def _wait_for_pid(path: Path) -> int:
    for _ in range(100):
        if path.exists() and (text := path.read_text().strip()):
            return int(text)
        time.sleep(0.1)
    raise AssertionError("nginx did not start")


@proves("V1.3.3")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIREWALL_UPSTREAM", "127.0.0.1:8000; }"),
        ("FIREWALL_LISTEN", "8080"),
        ("FIREWALL_NAMES", "*"),
        ("FIREWALL_NAMES", "a;b"),
        ("FIREWALL_NAMES", "bank.example\nuser root;"),
        ("FIREWALL_REQUESTS_PER_SECOND", "0"),
        ("FIREWALL_WORKERS", "1; daemon on"),
        ("FIREWALL_CERTIFICATE", "/etc/a b"),
        ("FIREWALL_HSTS", 'max-age=1" always; add_header X-A "'),
    ],
)
def test_no_setting_can_add_to_the_configuration(name: str, value: str, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "FIREWALL_FOLDER": str(tmp_path / "new"), name: value}
    ended = subprocess.run([SERVE], env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"firewall: {name} is not usable")
    assert not (tmp_path / "new").exists()


@proves("V1.3.3")
def test_two_in_one_folder_do_not_start(firewall: Firewall) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "FIREWALL_FOLDER": str(firewall.folder)}
    environment["FIREWALL_LISTEN"] = f"127.0.0.1:{spare_port()}"
    ended = subprocess.run([SERVE], env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, "another one runs" in ended.stderr) == (1, True)
