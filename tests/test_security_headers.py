"""Headers, cookies and the answers to errors (R8.2)."""

import json
import os
import subprocess
import sys
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from csp.constants import NONCE
from csp.decorators import csp, csp_exempt, csp_replace, csp_update
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from bankproject.middleware import SecurityHeadersMiddleware
from tests.acts import give_code, give_password
from tests.asvs import proves
from tests.plugin import PASSWORD
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db


def policy(answer: Any) -> dict[str, list[str]]:
    directives = (part.split() for part in answer["Content-Security-Policy"].split(";") if part.strip())
    return {name: values for name, *values in directives}


def answered_by(view: Any, rf: Any) -> HttpResponse:
    return SecurityHeadersMiddleware(view)(rf.get("/"))  # type: ignore[return-value]


def test_an_answer_may_have_a_policy_of_its_own(rf: Any) -> None:
    def view(request: Any) -> HttpResponse:
        return HttpResponse("A page.")

    usual = policy(answered_by(view, rf))
    images = {"img-src": ["https://images.example"]}
    assert policy(answered_by(csp_update(images)(view), rf)) == usual | {
        "img-src": usual["img-src"] + images["img-src"]
    }
    assert policy(answered_by(csp_replace(images)(view), rf)) == usual | images
    assert policy(answered_by(csp(images)(view), rf)) == images
    exempt = answered_by(csp_exempt()(view), rf)
    assert "Content-Security-Policy" not in exempt
    assert "Permissions-Policy" in exempt

    def with_nonce(request: Any) -> HttpResponse:
        return HttpResponse(str(request.csp_nonce))

    answer = answered_by(csp_update({"script-src": [NONCE]})(with_nonce), rf)
    assert f"'nonce-{answer.content.decode()}'" in policy(answer)["script-src"]


def pages(alice: Any, ada: Any, browser_of: Any) -> dict[str, Any]:
    """Return one answer of each kind."""
    customer, admin = browser_of(alice), browser_of(ada)
    return {
        "a public page": Client().get("/sign-in/"),
        "a redirect": Client().get("/dashboard/"),
        "a private page": customer.get("/dashboard/"),
        "a form": customer.get("/accounts/open/"),
        "not found": customer.get("/nowhere/"),
        "forbidden": customer.get("/admin/"),
        "wrong method": customer.get("/sign-out/"),
        "the staff area": admin.get("/admin/"),
        "a list of the staff area": admin.get("/admin/accounts/user/"),
    }


@proves("V3.2.1", "V3.4.4", "V3.4.5", "V3.4.6", "V3.4.8", "V14.2.2", "V14.3.2")
def test_every_answer_has_the_headers(alice: Any, ada: Any, browser_of: Any) -> None:
    # R8.2
    for kind, answer in pages(alice, ada, browser_of).items():
        assert answer["X-Content-Type-Options"] == "nosniff", kind
        assert answer["X-Frame-Options"] == "DENY", kind
        assert answer["Referrer-Policy"] == "same-origin", kind
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", kind
        assert "camera=()" in answer["Permissions-Policy"], kind
        assert "geolocation=()" in answer["Permissions-Policy"], kind
        cache = answer["Cache-Control"]
        assert all(word in cache for word in ("no-store", "private", "max-age=0")), kind
        assert len(answer["X-Request-ID"]) == 32, kind
        assert "Server" not in answer, kind


@proves("V3.4.3", "V3.7.1")
def test_the_content_policy_allows_our_own_files_and_nothing_inline(alice: Any, ada: Any, browser_of: Any) -> None:
    # R8.2, R8.3
    for kind, answer in pages(alice, ada, browser_of).items():
        rules = policy(answer)
        assert rules["default-src"] == ["'none'"], kind
        assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == rules["font-src"] == ["'self'"], (
            kind
        )
        assert rules["img-src"] == ["'self'", "data:"], kind
        assert rules["frame-ancestors"] == rules["base-uri"] == ["'none'"], kind
        text = answer["Content-Security-Policy"]
        assert "unsafe" not in text
        assert "http" not in text
        assert "*" not in text


def test_a_page_that_sets_its_own_caching_keeps_it(rf: Any) -> None:
    # R8.2: static files and downloads set their own.
    answer = answered_by(lambda request: HttpResponse(headers={"Cache-Control": "max-age=60"}), rf)
    assert answer["Cache-Control"] == "max-age=60"


def cookies_of(answer: Any) -> SimpleCookie:
    return answer.cookies


@proves("V3.3.2", "V3.3.4")
def test_cookies_are_out_of_reach_of_scripts_and_other_sites(alice: Any, client: Client, code_of: Any) -> None:
    # R8.2
    page = client.get("/sign-in/")
    csrf = page.cookies["csrftoken"]
    assert (csrf["httponly"], csrf["samesite"], csrf["max-age"]) == (True, "Lax", 3600)
    give_password(client, alice.email)
    session = give_code(client, code_of(alice)).cookies["sessionid"]
    assert (session["httponly"], session["samesite"], session["path"]) == (True, "Lax", "/")
    assert not session["domain"]


@proves("V3.3.1")
def test_over_https_the_cookies_are_secure(alice: Any, client: Client, settings: Any, code_of: Any) -> None:
    # R8.2
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    names = ["__Host-bank-csrf", "__Host-bank-device", "__Host-bank-session"]
    settings.CSRF_COOKIE_NAME, settings.DEVICE_COOKIE_NAME, settings.SESSION_COOKIE_NAME = names
    client.get("/sign-in/", secure=True)
    give_password(client, alice.email, secure=True)
    client.post("/sign-in/code/", {"code": code_of(alice)}, secure=True)
    assert client.get("/dashboard/", secure=True).status_code == 200
    assert sorted(client.cookies) == names
    # A browser's conditions for the prefix; without one of them it would not take the cookie.
    for cookie in client.cookies.values():
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", ""), cookie.key


@proves("V3.4.1", "V12.2.1")
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "max-age=31536000"),
        # Both bind other hosts, and a preload list is hard to leave: only when asked (V3.7.4).
        (
            {"SECURE_HSTS_INCLUDE_SUBDOMAINS": "on", "SECURE_HSTS_PRELOAD": "on"},
            "max-age=31536000; includeSubDomains; preload",
        ),
    ],
)
def test_production_turns_http_away_and_remembers_https(repository: Path, asked: dict[str, str], told: str) -> None:
    # R8.2: with the defaults, as a server runs.
    program = """
import json, django
django.setup()
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
plain, safe = Client().get("/", headers={"Host": "bank.example"}), Client().get(
    "/", headers={"Host": "bank.example"}, secure=True)
print(json.dumps([plain.status_code, plain["Location"], safe.status_code, safe["Strict-Transport-Security"],
    settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE]))
"""
    names = ("PATH", "HOME", "ENV_FILE", "SECRET_KEY", "FIELD_KEYS", "LOOKUP_KEYS", "AUDIT_KEYS", "TOKEN_KEYS")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "bankproject.settings",
        "DATABASE_URL": "sqlite:///:memory:",
        "ALLOWED_HOSTS": "bank.example",
    } | asked
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=repository, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    plain, location, safe, remembered, session_secure, csrf_secure = json.loads(run.stdout.splitlines()[-1])
    assert (plain, location) == (301, "https://bank.example/")
    assert safe == 302
    assert remembered == told
    assert session_secure is csrf_secure is True


# --- A form without a valid token -------------------------------------------------------------------------

OURS, THEIRS = {"Origin": "http://testserver"}, {"Origin": "https://evil.example"}


@pytest.fixture
def strict(alice: Any, browser_of: Any) -> Client:
    """Return Alice's browser, which the bank asks for a token."""
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = browser_of(alice).cookies
    return browser


def test_a_form_of_ours_that_waited_too_long_can_be_sent_again(strict: Client) -> None:
    # R8.2: the typed text is kept, nothing has happened.
    data = {"kind": "checking", "nickname": 'Holidays "2027" <b>', "csrfmiddlewaretoken": "x" * 64}
    answer = strict.post("/accounts/open/?a=1&b=2", data, headers=OURS)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Send it again" in page
    assert 'name="nickname" value="Holidays &quot;2027&quot; &lt;b&gt;"' in page
    assert 'action="/accounts/open/?a=1&amp;b=2"' in page
    assert "x" * 64 not in page
    again = {"kind": "checking", "nickname": "Holidays", "key": "5b1f0f0e-0000-4000-8000-000000000001"}
    token = strict.cookies["csrftoken"].value
    sent = strict.post("/accounts/open/", again | {"csrfmiddlewaretoken": token}, headers=OURS)
    assert sent.status_code == 302, "the page brought a fresh token"


@in_one_world("headers", [THEIRS, {"Origin": "null"}, {"Referer": "http://testserver/accounts/open/"}, {}])
def test_a_form_from_elsewhere_is_only_refused(strict: Client, headers: dict[str, str]) -> None:
    # R8.2: offered with a fresh token, the person would carry out the forgery by hand.
    from accounts.models import BankAccount

    answer = strict.post("/accounts/open/", {"kind": "checking", "nickname": "Mallory"}, headers=headers)
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "Send it again" not in page
    assert "Mallory" not in page
    assert not BankAccount.objects.filter(owner__isnull=False).exists()


@in_one_world(
    ("address", "data"),
    [
        ("/sign-in/", {"email": "alice@example.com", "password": PASSWORD}),
        ("/sign-in/code/", {"code": "123456"}),
        ("/two-factor/enrol/", {"code": "123456"}),
        ("/register/", {"email": "n@example.com", "password1": PASSWORD, "password2": PASSWORD}),
        ("/register/confirm/token/", {"password": PASSWORD}),
        ("/profile/pin/", {"pin": "805913", "pin_again": "805913"}),
        ("/password/", {"old_password": PASSWORD, "new_password1": "x" * 20, "new_password2": "x" * 20}),
    ],
)
def test_secrets_are_never_written_into_the_page(strict: Client, address: str, data: dict[str, str]) -> None:
    # R8.2: not even into hidden fields of the person's own form.
    for_visitors = address in {"/sign-in/", "/sign-in/code/", "/two-factor/enrol/", "/register/"}
    for browser in (strict, Client(enforce_csrf_checks=True)):
        answer = browser.post(address, data, headers=OURS)
        page = answer.content.decode()
        # Somebody signed in, who has sent a form for visitors in another tab, is sent home.
        assert answer.status_code == (302 if browser is strict and for_visitors else 403)
        assert "Send it again" not in page
        assert not any(f'value="{value}"' in page for value in data.values())


@proves("V3.5.1")
def test_every_form_that_changes_something_asks_for_a_token(strict: Client) -> None:
    # R8.2
    for address in ("/sign-out/", "/sign-in/", "/register/", "/password/", "/accounts/open/", "/transfer/send/"):
        assert strict.post(address, {}, headers=THEIRS).status_code == 403, address


# --- Pages for what went wrong ----------------------------------------------------------------------------


def _break(request: Any) -> HttpResponse:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT secret_column FROM secret_table")
    return HttpResponse()


_break.login_required = False  # type: ignore[attr-defined]


def _too_often(request: Any) -> HttpResponse:
    from foundation.limiter.limiter import TooOften

    raise TooOften(42)


_too_often.login_required = False  # type: ignore[attr-defined]

urlpatterns: list[Any] = [path("break/", _break), path("too-often/", _too_often)]


def with_broken_pages() -> None:
    from bankproject import urls

    urlpatterns.extend(pattern for pattern in urls.urlpatterns if pattern not in urlpatterns)


@proves("V16.5.1", "V16.5.4")
@in_one_world("headers", [{}, {"Accept": "application/json"}])
def test_a_fault_of_ours_tells_nothing(settings: Any, headers: dict[str, str]) -> None:
    # A peer's fault: SQL error text reaching the client.
    with_broken_pages()
    settings.ROOT_URLCONF = "tests.test_security_headers"
    answer = Client(raise_request_exception=False).get("/break/", headers=headers)
    page = answer.content.decode()
    assert answer.status_code == 500
    assert "Something went wrong on our side" in page
    assert not any(word in page for word in ("secret_", "Traceback", "OperationalError", "SELECT", "sqlite", "Django"))
    assert answer["Cache-Control"]
    assert policy(answer)["default-src"] == ["'none'"]


def test_a_full_limit_is_429_with_the_time_to_wait(settings: Any, client: Client) -> None:
    # R3.9: for every page that does not have a better answer itself.
    with_broken_pages()
    settings.ROOT_URLCONF = "tests.test_security_headers"
    answer = client.get("/too-often/")
    assert (answer.status_code, answer["Retry-After"]) == (429, "42")
    assert "42 seconds" in answer.content.decode()


@proves("V16.5.1")
@in_one_world("address", ["/nowhere/", "/accounts/not-a-uuid/", "/static/../manage.py", "/admin.php", "/%00"])
def test_an_unknown_page_tells_nothing(client: Client, address: str) -> None:
    # R8.2
    answer = client.get(address)
    page = answer.content.decode()
    assert answer.status_code == 404
    assert "There is nothing here" in page
    assert not any(word in page for word in ("URLconf", "Traceback", "urlpatterns", "SECRET"))


@proves("V1.5.3")
@in_one_world(("charset", "status"), [("utf-7", 415), ("zlib", 415), ("UTF-8", 200), ("utf-8", 200), ("utf8", 200)])
def test_a_body_in_another_encoding_is_refused(client: Client, charset: str, status: int) -> None:
    # R8.2: Python knows encodings that no form ever had.
    kind = f"application/x-www-form-urlencoded; charset={charset}"
    answer = client.generic("POST", "/sign-in/", b"email=a&password=b", content_type=kind)
    assert answer.status_code == status


@proves("V1.5.3")
def test_an_unreadable_request_tells_nothing(client: Client) -> None:
    # R8.2
    answer = client.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "evil.example" not in answer.content.decode()
    assert "We could not read that" in answer.content.decode()
