"""The API's document is OpenAPI 3.1 and says what the bank does: validators and generators read it (R7.5)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Model
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, TypeAdapter
from pydantic import ValidationError as SchemaError

from accounts.account_numbers import parse_number
from accounts.forms import RegistrationForm
from accounts.models import PendingAct, User
from audit.models import AuditEntry
from bankproject.api import api
from foundation.paging import Cursor
from foundation.rest.schemas import In, InQuery, Out
from support.models import ServiceRequest, Ticket
from tests.asvs import proves
from transfers.models import Entry, FraudAlert, Transaction, TransferOrder


@pytest.fixture(scope="module")
def document() -> Any:
    return json.loads(json.dumps(api.get_openapi_schema()))


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def schemas(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield every schema, the parts of each too, with the way to it."""
    for name, operation in operations(document):
        for parameter in operation["parameters"]:
            yield from parts(f"{name} {parameter['name']}", parameter["schema"])
    for name, schema in document["components"]["schemas"].items():
        yield from parts(name, schema)


def parts(name: str, schema: Any) -> Iterator[tuple[str, Any]]:
    yield name, schema
    inner = [*schema.get("properties", {}).items()]
    inner += [("items", schema["items"])] if "items" in schema else []
    inner += [(key, one) for key in ("anyOf", "oneOf", "allOf") for one in schema.get(key, ())]
    for step, one in inner:
        yield from parts(f"{name}.{step}", one)


def validator(document: Any, schema: Any) -> Draft202012Validator:
    """Return a validator of a schema of the document, whose references it follows."""
    whole = {"components": document["components"]} | schema
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


def kinds(of: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield the schemas of the apps."""
    for kind in of.__subclasses__():
        if ".tests." not in kind.__module__ and not kind.__module__.startswith("tests."):
            yield kind
        yield from kinds(kind)


# --- For validators and generators -------------------------------------------------------------------------------


@proves("V2.1.1")
def test_it_is_valid_openapi_3_1(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [str(error.message) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_it_says_where_the_bank_is_and_what_each_group_is_about(document: Any, settings: Any) -> None:
    assert [server["url"] for server in document["servers"]] == ["/", settings.SITE_URL]
    assert document["info"]["contact"] == {"name": settings.BANK_NAME, "url": settings.SITE_URL}
    about = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert set(about) == {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert all(about.values())


def test_every_body_is_a_schema_with_a_name(document: Any) -> None:
    """A generator makes no class of anything else: the sign-in took anything."""
    for name, operation in operations(document):
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            assert all("$ref" in one for one in schema.get("oneOf", [schema])), name


def test_a_filter_of_a_list_is_a_plain_list_of_values(document: Any) -> None:
    [type_] = [one for one in document["paths"]["/api/v1/transactions"]["get"]["parameters"] if one["name"] == "type"]
    assert type_["schema"]["type"] == "string"
    assert "transfer" in type_["schema"]["enum"]
    assert [name for name, schema in schemas(document) if "allOf" in schema] == []


def test_no_default_makes_a_field_one_that_must_be_sent(document: Any) -> None:
    """Some generators require what has a default; others send it, though the schema refuses it."""
    assert [name for name, schema in schemas(document) if "default" in schema] == []
    published = document["components"]["schemas"]
    sent = [kind for kind in kinds(In) if kind.__name__ in published]
    assert len(sent) > 30
    for kind in sent:
        needed = {name for name, field in kind.model_fields.items() if field.is_required()}
        assert set(published[kind.__name__].get("required", ())) == needed, kind.__name__


def test_every_field_of_an_answer_is_there(document: Any) -> None:
    published = document["components"]["schemas"]
    got = [kind for kind in kinds(Out) if kind.__name__ in published]
    assert len(got) > 30
    for kind in got:
        schema = published[kind.__name__]
        assert sorted(schema["required"]) == sorted(schema["properties"]), kind.__name__


def test_every_schema_in_it_is_used(document: Any) -> None:
    said = str(document["paths"]) + str(document["components"])
    assert [name for name in document["components"]["schemas"] if f"/schemas/{name}'" not in said] == []


# --- Examples ----------------------------------------------------------------------------------------------------


def test_every_example_is_a_value_of_its_schema(document: Any) -> None:
    seen = 0
    for name, schema in schemas(document):
        for example in schema.get("examples", ()):
            seen += 1
            assert list(validator(document, schema).iter_errors(example)) == [], name
    for name, operation in operations(document):
        for answer in [*operation["responses"].values(), operation.get("requestBody", {})]:
            for content in answer.get("content", {}).values():
                for example in content.get("examples", {}).values():
                    seen += 1
                    assert list(validator(document, content["schema"]).iter_errors(example["value"])) == [], name
    assert seen > 100


def test_the_bank_takes_every_example(document: Any) -> None:
    # The number in the document was refused by the bank's own check digits.
    taken = 0
    for kind in [*kinds(In), *kinds(InQuery)]:
        examples = kind.model_json_schema()["properties"]
        for name, field in kind.model_fields.items():
            for example in examples[field.alias or name].get("examples", ()):
                taken += 1
                assert TypeAdapter(field.rebuild_annotation()).validate_python(example) is not None, (kind, name)
    assert taken > 30
    numbers = [
        example
        for _, operation in operations(document)
        for parameter in operation["parameters"]
        if (parameter["in"], parameter["name"]) == ("path", "number")
        for example in parameter["schema"].get("examples", ())
    ]
    assert {parse_number(number) for number in numbers} == {"123456789092"}


# --- What it promises, the bank takes ----------------------------------------------------------------------------

# Which texts the document lets a program send, and the bank takes; and which neither does.
TAKEN = [
    ("ReasonIn", "reason", "Two lines\nand\ta tab"),
    ("FreezeIn", "reason", ""),
    ("TicketIn", "text", "Línea 1\r\nстрока 2 👩‍👩‍👧"),
    ("RegistrationIn", "first_name", "李"),
    ("RegistrationIn", "first_name", "ª"),
    ("RegistrationIn", "last_name", " "),
    ("RegistrationIn", "phone", "+49 (30) 123-4567"),
    ("RegistrationIn", "address", "1"),
    ("UpdateIdentityIn", "first_name", "Zoë"),
    ("DepositIn", "amount", "0.01"),
    ("OpenAccountIn", "opening_deposit", "0"),
    ("LookupIn", "number", "1234\u20115678 9092"),
    ("CodeIn", "code", "123\u202f456"),
]
REFUSED = [
    ("ReasonIn", "reason", "Called\x1b[2J"),
    ("ReasonIn", "reason", " "),
    ("FreezeIn", "reason", "\x7f"),
    ("TicketIn", "text", "\u202egnp.exe"),
    ("CloseAccountIn", "reason", "\ue000"),
    ("RegistrationIn", "first_name", "0"),
    ("RegistrationIn", "first_name", "Ann\x07"),
    ("RegistrationIn", "last_name", "-"),
    ("RegistrationIn", "phone", "0"),
    ("RegistrationIn", "address", " "),
    ("UpdateIdentityIn", "first_name", "0"),
    ("UpdateIdentityIn", "address", ""),
    ("DepositIn", "amount", "0.00"),
    ("LookupIn", "number", "12345"),
    ("CodeIn", "code", "1"),
]


@pytest.mark.parametrize(
    ("kind", "name", "text", "is_taken"), [(*row, True) for row in TAKEN] + [(*row, False) for row in REFUSED]
)
def test_the_document_lets_a_program_send_what_the_bank_takes(
    kind: str, name: str, text: str, is_taken: bool, document: Any
) -> None:
    schema = document["components"]["schemas"][kind]["properties"][name]
    assert validator(document, schema).is_valid(text) == is_taken
    [model] = [one for one in kinds(In) if one.__name__ == kind]
    adapter: Any = TypeAdapter(model.model_fields[name].rebuild_annotation())
    field: Any = RegistrationForm.base_fields[name].clean if kind == "RegistrationIn" else adapter.validate_python
    if is_taken:
        field(text)
    else:
        with pytest.raises((SchemaError, ValidationError)):
            field(text)


def test_null_is_no_value_of_what_may_be_left_out(document: Any) -> None:
    published = document["components"]["schemas"]
    for kind in kinds(In):
        for name, schema in published.get(kind.__name__, {}).get("properties", {}).items():
            assert not validator(document, schema).is_valid(None), (kind.__name__, name)
            with pytest.raises(SchemaError):
                TypeAdapter(kind.model_fields[name].rebuild_annotation()).validate_python(None)


# Each list, the rows that are in it, and what orders them.
LISTS: dict[str, tuple[type[Model], tuple[str, ...]]] = {
    "accounts/{number}/transactions": (Entry, ("sequence",)),
    "alerts": (FraudAlert, ("created_at", "pk")),
    "audit/entries": (AuditEntry, ("at", "pk")),
    "holds": (TransferOrder, ("created_at", "pk")),
    "requests": (ServiceRequest, ("created_at", "pk")),
    "staff/pending-acts": (PendingAct, ("asked_at", "pk")),
    "staff/requests": (ServiceRequest, ("created_at", "pk")),
    "staff/transactions": (Transaction, ("created_at", "pk")),
    "tickets": (Ticket, ("shown_at", "pk")),
    "transactions": (Entry, ("posted_at", "id")),
    "users": (User, ("created_at", "pk")),
}


def cursors(document: Any) -> dict[str, Draft202012Validator]:
    return {
        name.removeprefix("GET /api/v1/"): validator(document, parameter["schema"])
        for name, operation in operations(document)
        for parameter in operation["parameters"]
        if parameter["name"] == "cursor"
    }


def test_a_cursor_looks_as_the_document_says(document: Any, subtests: Any) -> None:
    # Any UUID, and any text, was said to be one.
    assert set(cursors(document)) == set(LISTS)
    for path, cursor in cursors(document).items():
        model, by = LISTS[path]
        for at, number in ((datetime(1970, 1, 1, tzinfo=UTC), 0), (datetime(2281, 12, 31, tzinfo=UTC), 2**63 - 1)):
            row = model(**{name: at if name.endswith("at") else number for name in by})
            if isinstance(row, Transaction):
                row.pk = UUID(int=2**128 - 1)
            with subtests.test(path):
                assert cursor.is_valid(str(Cursor.of(row, by)))
        for text in ("8c0e6a3e-0000-4000-8000-000000000001", "nonsense", "8" * 16):
            assert not cursor.is_valid(text), (path, text)
