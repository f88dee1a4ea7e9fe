"""What is refused before anybody looks at it: programs in clear, other sites' addresses, and bodies that the bank would
not read whole (R7.3, R8.2)."""

import logging
from typing import Any

import pytest
from django.test import Client

from foundation.request_context import trusted_networks
from tests.api_client import told
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

PROXY = "10.0.0.1"
MOST = 256 * 1024
LOGIN = "/api/v1/auth/login"


class Unread:
    """A body that nobody may read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("The body was read.")

    readline = read


def turned_away(answer: Any) -> int:
    """Return the status of a refusal, after a check of its shape: a program's, or a page with a way on."""
    if answer.request["PATH_INFO"].startswith("/api/"):
        return told(answer)[0]
    assert answer["Content-Type"].startswith("text/html")
    assert (answer["X-Frame-Options"], answer["X-Content-Type-Options"]) == ("DENY", "nosniff")
    assert "no-store" in answer["Cache-Control"]
    assert "We could not take that" in answer.content.decode()
    assert f"Error {answer.status_code}" in answer.content.decode()
    status: int = answer.status_code
    return status


# --- In clear -----------------------------------------------------------------------------------------------------


@proves("V4.1.2", "V12.2.1")
@in_one_world("by_proxy", [False, True])
@in_one_world(("method", "path"), [("POST", LOGIN), ("GET", "/api/v1/accounts"), ("GET", "/api/v1/openapi.json")])
def test_a_program_in_clear_is_refused_and_not_redirected(
    method: str, path: str, by_proxy: bool, settings: Any, alice: Any
) -> None:
    """R8.2, S5: after a 301 the password had gone in clear already, and would again; a POST became a GET."""
    settings.SECURE_SSL_REDIRECT = True
    settings.TRUSTED_PROXIES = trusted_networks([PROXY])
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    proxied: dict[str, Any] = {"REMOTE_ADDR": PROXY, "HTTP_X_FORWARDED_PROTO": "http"} if by_proxy else {}
    body = b'{"email": "alice@example.com", "password": "%s", "code": "123456"}' % PASSWORD.encode()
    answer = Client(**proxied).generic(method, path, body, content_type="application/json")
    assert told(answer) == (403, "https_required")
    assert "Location" not in answer
    assert "https://" in answer.json()["detail"]


@proves("V4.1.2")
def test_a_page_in_clear_is_redirected_and_a_stranger_cannot_say_that_it_is_not(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.TRUSTED_PROXIES = trusted_networks([PROXY])
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for page in ("/sign-in/", "/api/v1/docs/", "/api/v1/docs", "/"):
        answer = Client().get(page)
        assert (answer.status_code, answer["Location"]) == (301, f"https://testserver{page}")
    forged = Client().get("/api/v1/openapi.json", headers={"X-Forwarded-Proto": "https"})
    assert told(forged) == (403, "https_required")


def test_over_https_and_where_plain_http_is_served_programs_are_answered(settings: Any) -> None:
    """`make run` stays as it is."""
    assert Client().get("/api/v1/openapi.json").status_code == 200
    settings.SECURE_SSL_REDIRECT = True
    assert Client().get("/api/v1/openapi.json", secure=True).status_code == 200
    settings.TRUSTED_PROXIES = trusted_networks([PROXY])
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    for scheme in ("https", "HTTPS"):
        behind = Client(REMOTE_ADDR=f"::ffff:{PROXY}", HTTP_X_FORWARDED_PROTO=scheme)
        assert behind.get("/api/v1/openapi.json").status_code == 200
        assert behind.get("/sign-in/").status_code == 200


# --- For another site ---------------------------------------------------------------------------------------------


@proves("V4.1.3")
@in_one_world("path", ["/sign-in/", LOGIN])
@in_one_world(
    ("target", "host", "status"),
    [
        ("http://other.example{}", "testserver", 421),
        ("https://other.example:443{}", "testserver", 421),
        ("http://testserver@other.example{}", "testserver", 421),
        ("http://testserver:1{}", "testserver", 421),
        ("http://[testserver{}", "testserver", 421),
        ("http://testserver\\@other.example{}", "testserver", 421),
        ("http://testserver{}", "testserver", 405),
        ("HTTP://TestServer{}", "testserver", 405),
        ("{}", "testserver", 405),
        ("{}?next=http://other.example/", "testserver", 405),
    ],
)
def test_an_address_of_another_site_is_refused_whatever_host_says(
    target: str, host: str, status: int, path: str
) -> None:
    """R8.2: `GET http://other.example/ HTTP/1.1` with our Host."""
    answer = Client().put(path, headers={"Host": host}, RAW_URI=target.format(path))
    if status == 421:
        assert turned_away(answer) == 421
    else:
        assert answer.status_code in (status, 403), "it is asked for what it asks for"


# --- Bodies -------------------------------------------------------------------------------------------------------


@in_one_world("path", ["/sign-in/", "/register/", LOGIN])
def test_a_chunked_body_is_411_in_words(path: str) -> None:
    """R7.3, F7: it was taken for an empty one."""
    answer = Client().post(path, {"email": "a"}, headers={"Transfer-Encoding": "chunked"})
    assert turned_away(answer) == 411
    assert "Content-Length" in answer.content.decode()


@proves("V15.2.2", "V5.2.1")
@in_one_world("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "application/json"])
@in_one_world("path", ["/sign-in/", "/nowhere/", LOGIN, "/api/v1/nowhere"])
def test_a_long_body_is_413_unread(path: str, kind: str) -> None:
    """R8.2, B5: 300 MB, signed out, were on the disk before anybody refused them."""
    body = {"wsgi.input": Unread(), "CONTENT_TYPE": kind, "REQUEST_METHOD": "POST", "PATH_INFO": path}
    assert turned_away(Client().request(**body, CONTENT_LENGTH=str(MOST + 1))) == 413
    assert turned_away(Client().request(**body, CONTENT_LENGTH="300000000")) == 413
    for length in ("-1", "9" * 5000, "x"):
        assert turned_away(Client().request(**body, CONTENT_LENGTH=length)) == 413


def test_a_body_that_is_just_short_enough_is_read(alice: Any) -> None:
    fields = b"email=alice%40example.com&password=" + PASSWORD.replace(" ", "+").encode() + b"&more="
    body = fields + b"x" * (MOST - len(fields))
    kind = "application/x-www-form-urlencoded"
    assert Client().generic("POST", "/sign-in/", body, content_type=kind).status_code == 302
    assert turned_away(Client().generic("POST", "/sign-in/", body + b"x", content_type=kind)) == 413


@in_one_world("path", ["/sign-in/", LOGIN])
def test_a_compressed_or_strangely_encoded_body_is_415(path: str) -> None:
    assert turned_away(Client().post(path, {"a": "b"}, headers={"Content-Encoding": "gzip"})) == 415
    kind = "application/x-www-form-urlencoded; charset=utf-7"
    assert turned_away(Client().generic("POST", path, b"a=b", content_type=kind)) == 415


# --- What is in an address ----------------------------------------------------------------------------------------


@proves("V1.2.4")
@in_one_world(
    "text",
    ["1' OR '1'='1", "1;DROP TABLE accounts_user--", "' UNION SELECT password FROM accounts_user--", "1) OR (1=1"],
)
def test_sql_in_an_address_is_404_and_no_fault(
    text: str, alice: Any, browser_of: Any, api_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """R8.3: it passes the firewall, which cannot know what a path means."""
    browser, program = browser_of(alice), api_of(alice)
    with caplog.at_level(logging.ERROR):
        for path in (f"accounts/{text}", f"accounts/{text}/transactions", f"payees/{text}", f"transactions/{text}"):
            assert told(program.get(path)) in {(404, "not_found"), (405, "method_not_allowed")}, path
        for page in (f"/accounts/{text}/", f"/accounts/{text}/statement/", f"/payees/{text}/delete/", f"/{text}/"):
            answer = browser.get(page)
            assert answer.status_code == 404, page
            assert "There is nothing here" in answer.content.decode()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
