"""Rules for every route of the API: who is let in, what can be sent, how the bank says no (R7.3, R8.2)."""

import codecs
import gzip
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import uuid4

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, ValidationError
from django.db import Error, OperationalError
from django.http import Http404, HttpRequest
from django.test import Client
from django.urls import path
from ninja import Query, Router, Status
from ninja.errors import HttpError

from accounts.api.types import AccountNumber
from accounts.models import User
from accounts.sign_in.signing_in import TryAgainIn
from bankproject import urls as bank_urls
from bankproject.api import BankApi, api
from bankproject.middleware import AROUND_PAGES
from foundation.form_fields import LineField
from foundation.limiter import limiter
from foundation.limiter.limiter import LimitsUnavailable, TooOften
from foundation.refusals import NotYourself, Refusal, WrongStatus
from foundation.rest.document import refuses
from foundation.rest.problems import Problem
from foundation.rest.rates import rated
from foundation.rest.schemas import (
    Amount,
    AmountOrZero,
    AmountText,
    Id,
    IdempotencyKey,
    In,
    InQuery,
    Out,
    PageOf,
    TimeText,
    text_of,
)
from foundation.transactions import OutcomeUnknown
from tests.api_client import ApiClient, told
from tests.asvs import proves
from tests.tables import in_one_world

pytestmark = pytest.mark.django_db

# Everything that a client without a token may ask; a new one is added here on purpose.
PUBLIC = {
    "register",
    "confirm_registration",
    "enrol",
    "confirm_enrolment",
    "login",
    "refresh",
    "request_password_reset",
    "reset_password",
}


def operations(of: BankApi = api) -> list[Any]:
    routers = of._get_bound_routers()
    return [one for router in routers for view in router.path_operations.values() for one in view.operations]


# --- A router as an app has one -----------------------------------------------------------------------------------

router = Router(tags=["Test"])
raised: list[Exception] = []


class PayIn(In):
    amount: Amount
    rest: AmountOrZero | None = None
    number: AccountNumber | None = None
    payee: Id | None = None
    label: text_of(LineField(max_length=10, required=False)) = ""  # type: ignore[valid-type]
    more: dict[str, Any] | None = None


class PaidOut(Out):
    amount: AmountText
    at: TimeText
    label: str


class Filters(InQuery):
    min_amount: Amount | None = None
    limit: Annotated[int, Query(ge=1, le=100)] = 50


@router.post("/pay", response={201: PaidOut}, openapi_extra=refuses(409))
@rated("pay")
def pay(request: HttpRequest, data: PayIn, key: IdempotencyKey) -> Status:
    limiter.take(f"pay:{request.user.pk}", limiter.Limit(2, 60))
    row = type("Row", (), {"amount": data.amount, "at": datetime(2026, 11, 3, 9, tzinfo=UTC), "label": key})
    return Status(201, row())


@router.get("/list", response=PageOf[PaidOut])
def page(request: HttpRequest, filters: Query[Filters]) -> Any:
    return {"items": [], "next_cursor": None}


@router.get("/raise", response=PaidOut)
def fail(request: HttpRequest) -> Any:
    raise raised.pop()


@router.get("/of/{name}", response=PaidOut)
def named(request: HttpRequest, name: str) -> Any:
    raise Http404


trial = BankApi(router, namespace="trial")
urlpatterns = [path("api/v1/trial/", trial.urls), *bank_urls.urlpatterns]


@pytest.fixture
def alices(alice: Any, api_of: Any, settings: Any) -> ApiClient:
    settings.ROOT_URLCONF = "tests.test_api_foundation"
    return api_of(alice)


def sent(client: ApiClient, body: bytes, kind: str = "application/json", **headers: str) -> Any:
    return client.send("POST", "trial/pay", body, kind, **({"Idempotency_Key": "a-key-of-mine"} | headers))


# --- Who is let in -----------------------------------------------------------------------------------------------


@proves("V8.3.1")
def test_every_route_asks_for_a_token_but_those_by_which_one_gets_one() -> None:
    # R1.7: deny by default.
    open_to_all = {one.view_func.__name__ for one in operations() if not one.auth_callbacks}
    assert open_to_all == PUBLIC
    assert all(type(auth).__name__ == "AccessToken" for one in operations() for auth in one.auth_callbacks)


@proves("V8.3.1")
def test_without_a_token_every_route_is_401(client: Client, alice: Any, browser_of: Any) -> None:
    # R1.3: nor by the cookies of a browser that is signed in.
    paths = api.get_openapi_schema()["paths"]
    asked = 0
    for route, methods in paths.items():
        for method, operation in methods.items():
            if operation["operationId"] not in PUBLIC:
                address = re.sub("{.*?}", str(uuid4()), route)
                for browser in (client, browser_of(alice)):
                    answer = browser.generic(method.upper(), address, b"{}", content_type="application/json")
                    assert told(answer) == (401, "token_invalid"), route
                    asked += 1
    assert asked


@in_one_world(
    ("query", "answer"),
    [
        ("nothing=1", (422, "invalid")),
        ("a=1&a=2", (422, "invalid")),
        ("%00=1", (400, "unreadable_text")),
        ("a=%00", (400, "unreadable_text")),
        ("=", (422, "invalid")),
    ],
)
def test_a_route_without_parameters_refuses_any(query: str, answer: tuple[int, str], alices: ApiClient) -> None:
    assert told(alices.get(f"auth/session?{query}")) == answer
    assert told(alices.post(f"auth/logout?{query}")) == answer
    assert alices.get("auth/session").status_code == 200


@proves("V3.5.1")
def test_a_program_goes_past_what_surrounds_pages(alices: ApiClient, alice: Any, browser_of: Any) -> None:
    """The session of its cookie is not read; the page that shows the document is a page."""
    browser = browser_of(alice)
    token = {"Authorization": f"Bearer {alices.tokens.access_token}"}  # type: ignore[union-attr]
    answer = browser.get("/api/v1/auth/session", headers=token)
    assert answer.status_code == 200
    assert not hasattr(answer.wsgi_request, "session")
    assert not answer.cookies
    assert browser.get("/api/v1/docs/").wsgi_request.session.accessed
    assert browser.get("/sign-in/").wsgi_request.session.accessed


def test_django_calls_no_hook_of_what_surrounds_pages_alone() -> None:
    # It looks for these in MIDDLEWARE, and not for their content: one of them would never run.
    hooks = ("process_view", "process_exception", "process_template_response")
    assert not [f"{kind.__name__}.{hook}" for kind in AROUND_PAGES for hook in hooks if hasattr(kind, hook)]


def test_a_route_needs_no_csrf_token_and_is_sent_to_no_page(alices: ApiClient) -> None:
    # R8.2: a browser adds no bearer token by itself.
    strict = Client(enforce_csrf_checks=True, headers={"Authorization": f"Bearer {alices.tokens.access_token}"})  # type: ignore[union-attr]
    assert strict.get("/api/v1/auth/session").status_code == 200
    assert strict.post("/api/v1/auth/logout").status_code == 204


@proves("V3.5.1")
def test_the_page_of_another_site_is_not_let_in_by_its_browser(alices: ApiClient) -> None:
    # As docs/api.md says: no preflight (CORS) is answered, and no answer lets another site read it.
    asks = {"Origin": "https://evil.example", "Access_Control_Request_Method": "POST"}
    preflight = alices.send("OPTIONS", "accounts", b"", **asks)
    assert told(preflight) == (405, "method_not_allowed")
    for answer in (preflight, alices.get("accounts", **asks)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


# --- What can be sent --------------------------------------------------------------------------------------------

HARD_BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 422, "invalid"),
    "no JSON": (b"amount=1", 400, "body_unreadable"),
    "two documents": (b"{}{}", 400, "body_unreadable"),
    "not UTF-8": (b'{"amount": "\xff"}', 400, "body_unreadable"),
    "UTF-16": ('{"amount": "1"}'.encode("utf-16"), 400, "body_unreadable"),
    "a mark before it": (b"\xef\xbb\xbf{}", 400, "body_unreadable"),
    "a key twice": (b'{"amount": "1", "amount": "2"}', 400, "duplicate_key"),
    "a key twice further down": (b'{"amount": "1", "more": {"a": 1, "a": 2}}', 400, "duplicate_key"),
    "NaN": (b'{"amount": NaN}', 400, "number_out_of_range"),
    "Infinity": (b'{"amount": -Infinity}', 400, "number_out_of_range"),
    "a number beyond all bounds": (b'{"amount": 1e999}', 400, "number_out_of_range"),
    "a number of many digits": (b'{"amount": ' + b"9" * 10_000 + b"}", 400, "body_unreadable"),
    "NUL in a text": (b'{"amount": "1\\u0000"}', 400, "unreadable_text"),
    "NUL in a key": (b'{"a\\u0000": "1"}', 400, "unreadable_text"),
    "half of a pair": (b'{"amount": "\\ud800"}', 400, "unreadable_text"),
    "deep": (b'{"more": ' + b'{"a":' * 20 + b"1" + b"}" * 21, 400, "too_deep"),
    "very deep": (b"[" * 60_000, 400, "too_deep"),
    "large": (b'{"amount": "' + b"1" * 70_000 + b'"}', 413, "body_too_large"),
    "a list": (b"[]", 422, "invalid"),
    "a text": (b'"amount"', 422, "invalid"),
    "null": (b"null", 422, "invalid"),
    "an unknown field": (b'{"amount": "1", "is_admin": true}', 422, "invalid"),
    "a number for an amount": (b'{"amount": 1.5}', 422, "invalid"),
    "true for an amount": (b'{"amount": true}', 422, "invalid"),
    "a list for an amount": (b'{"amount": ["1"]}', 422, "invalid"),
    "nothing for an amount": (b'{"amount": "0"}', 422, "invalid"),
    "a debt": (b'{"amount": "-1"}', 422, "invalid"),
    "an exponent": (b'{"amount": "1e3"}', 422, "invalid"),
    "digits of another script": ('{"amount": "١"}'.encode(), 422, "invalid"),
    "NaN as text": (b'{"amount": "NaN"}', 422, "invalid"),
    "too precise": (b'{"amount": "1.001"}', 422, "invalid"),
    "a number for an account": (b'{"amount": "1", "number": 123456789012}', 422, "invalid"),
    "a mistyped account": (b'{"amount": "1", "number": "123456789012"}', 422, "invalid"),
    "a number for an id": (b'{"amount": "1", "payee": 1}', 422, "invalid"),
    "too long a text": (b'{"amount": "1", "label": "12345678901"}', 422, "invalid"),
    "a text that reverses": ('{"amount": "1", "label": "\u202eevil"}'.encode(), 422, "invalid"),
}


@proves("V1.5.2", "V1.5.3", "V2.2.1", "V15.2.2", "V15.3.5")
@in_one_world("kind", HARD_BODIES)
def test_a_hard_body_is_refused_with_a_code(kind: str, alices: ApiClient) -> None:
    # R7.3, R3.2: and nothing of it comes back.
    body, status, code = HARD_BODIES[kind]
    answer = sent(alices, body)
    assert told(answer) == (status, code)
    assert not any(word in answer.content.decode() for word in ("Traceback", "pydantic", "input_value", "is_admin':"))


@proves("V3.5.1")
@in_one_world("kind", ["text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_another_kind_of_body_is_415(kind: str, alices: ApiClient) -> None:
    # R7.3: a form on another site can send these kinds without asking.
    assert told(sent(alices, b'{"amount": "1"}', kind)) == (415, "content_type")


def test_another_encoding_is_refused(alices: ApiClient) -> None:
    answer = sent(alices, b"{}", "application/json; charset=utf-7")
    assert told(answer) == (415, "content_type")
    assert answer.json()["detail"] == "Send text in UTF-8."


@in_one_world("charset", ["utf-8", "utf8", "UTF8"])
def test_utf8_is_taken_by_all_its_names(charset: str, alices: ApiClient) -> None:
    """F13: programs write it without the dash."""
    body = '{"amount": "1", "label": "Zoë"}'.encode()
    answer = sent(alices, body, f"application/json; charset={charset}")
    assert (answer.status_code, answer.json()["label"]) == (201, "a-key-of-mine")


def test_a_byte_order_mark_is_named(alices: ApiClient) -> None:
    """F14: "not JSON in UTF-8" is what it is not."""
    answer = sent(alices, codecs.BOM_UTF8 + b'{"amount": "1"}')
    assert told(answer) == (400, "body_unreadable")
    assert "byte order mark" in answer.json()["detail"]


@proves("V15.2.2")
@in_one_world("encoding", ["gzip", "br", "GZIP", "gzip, identity"])
def test_a_compressed_body_is_415(encoding: str, alices: ApiClient) -> None:
    """F14: and none can unpack to more than the bank reads."""
    answer = alices.send("POST", "trial/pay", gzip.compress(b'{"amount": "1"}'), Content_Encoding=encoding)
    assert told(answer) == (415, "content_type")
    assert answer["Accept-Encoding"] == "identity"
    assert "Content-Encoding" in answer.json()["detail"]


@in_one_world("path", ["openapi.json", "auth/login"])
def test_another_method_is_405_whatever_the_address_is(path: str) -> None:
    """F14: where people read the document, a program's POST was 403 for want of a form's token."""
    answer = ApiClient().send("POST" if path == "openapi.json" else "PUT", path, b"{}")
    assert told(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == ("GET, HEAD" if path == "openapi.json" else "POST")


def test_where_no_route_is_a_post_is_404_too() -> None:
    assert told(ApiClient().post("", {})) == (404, "not_found")


def test_a_body_is_not_read_further_than_its_length_is_allowed(alices: ApiClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert told(sent(alices, b" " * 2000)) == (413, "body_too_large")


def test_the_errors_name_their_fields(alices: ApiClient) -> None:
    # R7.3
    answer = sent(alices, b'{"amount": 5, "number": "1", "other": 1}')
    errors = {error["field"]: error["code"] for error in answer.json()["errors"]}
    assert errors == {"amount": "string_type", "number": "invalid_account_number", "other": "extra_forbidden"}


def test_what_is_right_goes_in_and_comes_out_in_one_spelling(alices: ApiClient) -> None:
    # R7.3: amounts are texts, times are UTC.
    answer = sent(alices, b'{"amount": "1234.5", "rest": "0", "payee": "8c0e6a3e-0000-4000-8000-000000000001"}')
    assert answer.status_code == 201
    assert answer.json() == {"amount": "1234.50", "at": "2026-11-03T09:00:00.000000Z", "label": "a-key-of-mine"}
    assert "no-store" in answer["Cache-Control"]


@proves("V2.2.1", "V15.3.7")
@in_one_world(
    ("query", "status"),
    [
        ("", 200),
        ("?min_amount=1.50&limit=10", 200),
        ("?min_ammount=1", 422),
        ("?limit=1&limit=2", 422),
        ("?limit=0", 422),
        ("?limit=ten", 422),
        ("?min_amount=-1", 422),
        ("?min_amount=%00", 400),
        ("?%ff=1", 422),
    ],
)
def test_a_query_is_read_as_strictly(query: str, status: int, alices: ApiClient) -> None:
    # A misspelt filter must not show everything.
    assert alices.get(f"trial/list{query}").status_code == status


@in_one_world(
    ("key", "code"),
    [
        (None, "idempotency_key_missing"),
        ("", "invalid"),
        ("short", "invalid"),
        ("x" * 201, "invalid"),
        ("with a space", "invalid"),
        ("schlüssel-neun", "invalid"),
    ],
)
def test_the_key_of_a_request_is_eight_to_two_hundred_visible_characters(
    key: str | None, code: str, alices: ApiClient
) -> None:
    # R3.5
    headers = {} if key is None else {"Idempotency_Key": key}
    answer = alices.post("trial/pay", {"amount": "1"}, **headers)
    assert told(answer) == (400 if key is None else 422, code)
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]
    assert alices.post("trial/pay", {"amount": "1"}, Idempotency_Key="x" * 200).status_code == 201


# --- How the bank says no ----------------------------------------------------------------------------------------


class Unheard(Exception):
    code = "unheard"


SAID: list[tuple[Exception, int, str]] = [
    (Refusal(), 409, "refused"),
    (WrongStatus(), 409, "wrong_status"),
    (NotYourself(), 409, "not_yourself"),
    (PermissionDenied("alice may not"), 403, "forbidden"),
    (Http404("secret"), 404, "not_found"),
    (User.DoesNotExist("secret"), 404, "not_found"),
    (TooOften(42), 429, "too_often"),
    (TryAgainIn(2), 429, "try_again_in"),
    (LimitsUnavailable(), 503, "limits_unavailable"),
    (RequestDataTooBig("secret"), 413, "body_too_large"),
    (SuspiciousOperation("secret"), 400, "bad_request"),
    (HttpError(400, "secret"), 400, "bad_request"),
    (ValidationError("This will not do.", code="weak"), 422, "invalid"),
    (ValidationError({"name": ["No."], "__all__": ["Neither."]}), 422, "invalid"),
    (Problem(409, "of_the_api", more={"challenge": {"id": "1"}}), 409, "of_the_api"),
    (Unheard("secret"), 500, "internal_error"),
    (OperationalError("no such table: secret_table"), 500, "internal_error"),
    (OutcomeUnknown("secret"), 503, "outcome_unknown"),
    (OperationalError("Communication link failure: secret"), 503, "database_away"),
    (Error("[40001] secret was deadlocked (1205)"), 409, "still_running"),
    (KeyError("secret"), 500, "internal_error"),
]


@proves("V16.5.1")
@in_one_world(("error", "status", "code"), SAID, ids=[type(error).__name__ for error, *_ in SAID])
def test_every_exception_has_one_answer(error: Exception, status: int, code: str, alices: ApiClient) -> None:
    # R7.3: and none says what it was about.
    raised.append(error)
    answer = alices.get("trial/raise")
    assert told(answer) == (status, code)
    assert "secret" not in answer.content.decode()
    assert ("Retry-After" in answer) == (status in {429, 503} or code == "still_running")


@proves("V16.3.4", "V16.5.4")
def test_what_nobody_expected_is_logged(alices: ApiClient, caplog: Any) -> None:
    # R9.5
    raised.append(Unheard("a fault of ours"))
    alices.get("trial/raise")
    assert "a fault of ours" in caplog.text


def test_the_members_of_a_problem_are_all_told(alices: ApiClient) -> None:
    raised.append(Problem(403, "step_up_required", "A code, please.", more={"challenge": {"id": "1"}}))
    answer = alices.get("trial/raise").json()
    assert answer.pop("request_id")
    assert answer == {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "A code, please.",
        "code": "step_up_required",
        "challenge": {"id": "1"},
    }


@proves("V16.5.1")
def test_where_there_is_no_route_the_shape_is_the_same(alices: ApiClient) -> None:
    # R7.3
    assert told(alices.get("nowhere")) == (404, "not_found")
    assert told(alices.get("")) == (404, "not_found")
    assert told(alices.get("auth/sessions/")) == (404, "not_found")
    assert told(alices.post("../nowhere", {})) == (404, "not_found")
    assert alices.client.get("/api/v1/docs")["Location"] == "/api/v1/docs/"
    assert told(alices.get("trial/of/a%00b")) == (404, "not_found")
    answer = alices.delete("auth/login")
    assert (told(answer), answer["Allow"]) == ((405, "method_not_allowed"), "POST")
    assert told(alices.get("auth/session", Host="evil.example")) == (400, "bad_request")
    page = alices.client.get("/nowhere/")
    assert page["Content-Type"].startswith("text/html"), "pages go on answering with pages"


def test_a_fault_before_any_route_has_the_shape_too(alices: ApiClient, settings: Any) -> None:
    settings.ALLOWED_HOSTS = None  # so that a middleware fails
    assert told(alices.get("auth/session"))[0] == 500


def test_a_limit_is_told_with_what_is_left(alices: ApiClient) -> None:
    # R7.4
    answers = [sent(alices, b'{"amount": "1"}') for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert {answer["RateLimit-Policy"] for answer in answers} == {'"pay";q=2;w=60'}
    assert [answer["RateLimit"] for answer in answers[:2]] == ['"pay";r=1;t=60', '"pay";r=0;t=60']
    wait = answers[2]["Retry-After"]
    assert answers[2]["RateLimit"] == f'"pay";r=0;t={wait}'
    assert "RateLimit" not in sent(alices, b"{}"), "what was not counted is not told"


# --- The document ------------------------------------------------------------------------------------------------


def test_the_document_says_what_each_route_may_answer(alices: ApiClient) -> None:
    # R7.3
    document = alices.get("trial/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    paying = document["paths"]["/api/v1/trial/pay"]["post"]
    assert set(paying["responses"]) == set(["201", "400", "401", "403", "409", "413", "415", "422", "429", "503"])
    assert set(paying["responses"]["201"]["headers"]) == {"RateLimit", "RateLimit-Policy"}
    assert paying["responses"]["409"] == {"$ref": "#/components/responses/Problem409"}
    assert paying["security"] == [{"AccessToken": []}]
    [key] = [one for one in paying["parameters"] if one["in"] == "header"]
    assert (key["name"], key["required"], key["schema"]["minLength"]) == ("Idempotency-Key", True, 8)
    amount = document["components"]["schemas"]["PayIn"]["properties"]["amount"]
    assert (amount["type"], amount["pattern"]) == ("string", r"^(?=.*[1-9])[0-9]{1,12}(\.[0-9]{1,2})?$")
    assert document["components"]["schemas"]["PayIn"]["additionalProperties"] is False
    assert document["components"]["securitySchemes"]["AccessToken"]["scheme"] == "bearer"
    assert set(document["paths"]["/api/v1/trial/of/{name}"]["get"]["responses"]) == set(
        ["200", "400", "401", "403", "404", "422"]
    )


def test_everything_it_points_at_is_there() -> None:
    document = json.loads(json.dumps(api.get_openapi_schema()))
    names = {
        f"#/components/{kind}/{name}" for kind in ("schemas", "responses") for name in document["components"][kind]
    }

    def references(value: Any) -> Any:
        if isinstance(value, dict):
            yield from [value["$ref"]] if "$ref" in value else []
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from references(item)

    assert set(references(document)) <= names
    ids = [operation["operationId"] for way in document["paths"].values() for operation in way.values()]
    assert len(ids) == len(set(ids))


def test_every_route_is_described() -> None:
    assert [one.view_func.__name__ for one in operations() if not one.description] == []


def test_the_page_about_it_is_open_and_has_no_code_in_it(client: Client) -> None:
    # R8.2
    answer = client.get("/api/v1/docs/")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert 'data-document-url="/api/v1/openapi.json"' in page
    assert "http://" not in page
    assert client.get("/api/v1/openapi.json").json()["info"]["title"] == "Alder Bank: API"


def test_an_amount_is_as_exact_as_it_is_stored() -> None:
    assert (
        PaidOut(amount=Decimal("-0.1"), at=datetime(2026, 1, 1, tzinfo=UTC), label="").model_dump()["amount"] == "-0.10"
    )
