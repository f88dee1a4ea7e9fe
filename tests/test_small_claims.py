"""What ASVS asks for in one sentence, and one look at the bank shows."""

import math
import re
from typing import Any

import pytest
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.test import Client

from accounts.programs.tokens import new_jti
from accounts.sign_in.sessions.engine import SessionStore
from bankproject.api import api
from foundation.mail_links import new_token
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

ENOUGH_BITS = 128
ADDRESSES = {
    "/sign-in/": "text/html; charset=utf-8",
    "/nowhere/": "text/html; charset=utf-8",
    "/dashboard/": "text/html; charset=utf-8",
    "/history/movements.csv": "text/csv; charset=utf-8",
    "/admin/": "text/html; charset=utf-8",
    "/healthz": "text/plain; charset=utf-8",
    "/readyz": "application/json",
    "/api/v1/profile": "application/problem+json",
    "/api/v1/openapi.json": "application/json",
}


@proves("V4.1.1")
def test_every_answer_says_what_it_is_and_in_which_encoding(alice: Any, browser_of: Any) -> None:
    browser = browser_of(alice)
    assert {path: browser.get(path)["Content-Type"] for path in ADDRESSES} == ADDRESSES


@proves("V4.2.2")
@in_one_world("path", ["/sign-in/", "/nowhere/", "/dashboard/", "/api/v1/profile"])
def test_an_answer_is_as_long_as_it_says(path: str, alice: Any, browser_of: Any) -> None:
    answer = browser_of(alice).get(path)
    assert int(answer["Content-Length"]) == len(answer.content)
    assert "Transfer-Encoding" not in answer


@proves("V3.3.5")
def test_cookies_are_short(alice: Any, browser_of: Any) -> None:
    """A browser drops one that has more than 4,096 characters."""
    browser = browser_of(alice)
    browser.get("/transfer/send/")
    assert browser.cookies
    assert all(len(name) + len(cookie.value) < 200 for name, cookie in browser.cookies.items())


@proves("V6.2.6")
def test_what_is_secret_is_masked_while_it_is_typed(alice: Any, browser_of: Any) -> None:
    pages = [Client().get("/sign-in/"), Client().get("/register/"), browser_of(alice).get("/password/")]
    fields = [tag for page in pages for tag in re.findall(r"<input[^>]*>", page.content.decode()) if "password" in tag]
    assert len(fields) >= 5
    assert [tag for tag in fields if 'type="password"' not in tag] == []


@proves("V6.4.2")
def test_nobody_is_asked_for_a_hint_or_a_secret_answer(alice: Any, browser_of: Any) -> None:
    pages = [Client().get(path) for path in ("/register/", "/sign-in/", "/password/forgot/")]
    pages += [browser_of(alice).get(path) for path in ("/profile/", "/password/")]
    names = {name for page in pages for name in re.findall(r'\bname="(\w+)"', page.content.decode())}
    assert "email" in names
    assert [name for name in names if re.search("hint|question|answer|maiden|pet", name)] == []


@proves("V6.4.6")
def test_no_act_of_staff_takes_a_password_for_somebody() -> None:
    """Staff have a reset mailed; whoever follows it chooses."""
    schema = api.get_openapi_schema()
    fields = {
        path: name
        for path, operations in schema["paths"].items()
        for operation in operations.values()
        for name in body_of(operation, schema)
        if "password" in name
    }
    assert fields
    assert [path for path in fields if not path.startswith(("/api/v1/auth/", "/api/v1/profile"))] == []


def body_of(operation: Any, schema: Any) -> list[str]:
    """Return the names of the fields that an operation's body takes."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = content.get("$ref", "").rpartition("/")[2]
    return list(schema["components"]["schemas"].get(name, content).get("properties", {}))


@proves("V7.2.3")
def test_nobody_guesses_a_session_a_token_or_a_link() -> None:
    session = SessionStore()
    session.create()
    assert session.session_key
    assert set(session.session_key) <= set(VALID_KEY_CHARS)
    assert len(session.session_key) * math.log2(len(VALID_KEY_CHARS)) >= ENOUGH_BITS
    for make in (new_jti, new_token):
        made = {make() for _ in range(100)}
        assert len(made) == 100
        assert all(len(text) * 6 >= 2 * ENOUGH_BITS for text in made)


@proves("V13.4.3")
@in_one_world("path", ["/static/", "/static/js/", "/static/css/", "/demo/", "/api/", "/api/v1/"])
def test_no_folder_is_listed(path: str, client: Client) -> None:
    answer = client.get(path)
    assert answer.status_code in {301, 302, 404}
    assert "Index of" not in answer.content.decode()


@proves("V15.3.1")
def test_every_answer_of_the_api_names_its_fields_one_by_one() -> None:
    """No operation gives an object whatever it holds: `additionalProperties` would let more out than was thought of."""
    schemas = api.get_openapi_schema()["components"]["schemas"]
    answers = {name: schema for name, schema in schemas.items() if schema.get("type") == "object"}
    assert len(answers) > 30
    assert [name for name, schema in answers.items() if schema.get("additionalProperties") is True] == []
    fields = {field for name, schema in answers.items() if name.endswith("Out") for field in schema["properties"]}
    assert fields
    assert [name for name in fields if re.search(r"password|code_hash|digest|secret_key|stored", name)] == []
