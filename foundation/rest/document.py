"""What the OpenAPI document says beside the routes: the refusals of each, and what holds for all of them; and how it
says it: as OpenAPI 3.1 has it, and so that generators of clients read one thing in it."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from ninja.openapi.schema import OpenAPISchema

_RATE_HEADERS = {
    "RateLimit-Policy": {"schema": {"type": "string"}, "description": 'The limit: `"transfer";q=5;w=60`.'},
    "RateLimit": {"schema": {"type": "string"}, "description": 'What is left of it: `"transfer";r=3;t=60`.'},
}


def complete(
    document: OpenAPISchema, api: Any, *, description: str, tags: Mapping[str, str], members: Mapping[str, Any]
) -> None:
    """Add the answers that any operation of its kind can give, and their components.

    Args:
        tags: what each group of routes is about.
        members: further members of refusals (`Refusal.more()`), as properties of a schema.
    """
    bank = {"name": settings.BANK_NAME, "url": settings.SITE_URL}
    document["info"] |= {"title": f"{settings.BANK_NAME}: API", "description": description, "contact": bank}
    document["servers"] = [
        {"url": "/", "description": "Where this document came from."},
        {"url": settings.SITE_URL, "description": "The same, for a document that was saved."},
    ]
    document["tags"] = [{"name": name, "description": about} for name, about in tags.items()]
    components = document["components"]
    components["schemas"]["Problem"] = _problem_schema(members)
    components["responses"] = problem_responses()
    rates = {operation.operation_id: operation for operation in _operations(api)}
    for path in document["paths"].values():
        path.pop("head", None)  # answers as GET does; said twice, it would be two methods of a client
        for operation in path.values():
            _complete(operation, is_rated=bool(getattr(rates[operation["operationId"]].view_func, "rate", "")))
    _make_plain(document)


def _make_plain(document: OpenAPISchema) -> None:
    """Change what pydantic and django-ninja write, and OpenAPI 3.1 or a generator of clients reads otherwise."""
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation["parameters"]:
                parameter.pop("examples", None)  # a list, as in schemas; here it would be a map
                _make_schema_plain(parameter["schema"])
            _make_body_plain(operation.get("requestBody", {}))
    for schema in schemas.values():
        _make_schema_plain(schema)
    used = _named_in([document["paths"], document["components"]["responses"]], schemas)
    document["components"]["schemas"] = {name: schema for name, schema in schemas.items() if name in used}


def _make_body_plain(body: Any) -> None:
    """Say by `required` alone that a body may be left out: with null beside it, its schema would have no name."""
    for content in body.get("content", {}).values():
        if "anyOf" in content["schema"]:
            (content["schema"],) = (one for one in content["schema"]["anyOf"] if one != {"type": "null"})


def _make_schema_plain(schema: Any) -> None:
    """Take out defaults, since some generators require a field that has one: it may be left out, and its description
    says what that means. A single schema of `allOf` is put in its place, since some read nothing in it."""
    if isinstance(schema, list):
        for one in schema:
            _make_schema_plain(one)
    if not isinstance(schema, dict):
        return
    schema.pop("default", None)
    if len(schema.get("allOf", ())) == 1:
        (only,) = schema.pop("allOf")
        schema.update(only | schema)
    for name, value in schema.items():
        _make_schema_plain(list(value.values()) if name == "properties" else value)


def _named_in(value: Any, schemas: Mapping[str, Any]) -> set[str]:
    """Return the names of the schemas that are used, also by one another: the filters of lists are written out, as
    parameters, and their schemas are used by nobody."""
    used: set[str] = set()
    waiting = list(_references(value))
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting.extend(_references(schemas[name]))
    return used


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if str(value.get("$ref", "")).startswith(_SCHEMAS):
            yield value["$ref"].removeprefix(_SCHEMAS)
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _references(one)


def _operations(api: Any) -> list[Any]:
    operations = [
        operation
        for router in api._get_bound_routers()
        for view in router.path_operations.values()
        for operation in view.operations
    ]
    for operation in operations:
        operation.operation_id = operation.operation_id or api.get_openapi_operation_id(operation)
    return operations


def _complete(operation: dict[str, Any], *, is_rated: bool) -> None:
    statuses = {400, 422}
    if "security" in operation:
        statuses |= {401, 403}
    if any(parameter["in"] == "path" for parameter in operation["parameters"]):
        statuses.add(404)
    if "requestBody" in operation:
        statuses |= {413, 415}
    answers = operation["responses"]
    if is_rated or 429 in answers:
        statuses |= {429, 503}
    answers |= {status: answer for status, answer in refuses(*statuses)["responses"].items() if status not in answers}
    if is_rated:
        for status, answer in answers.items():
            if status < 400:
                answer["headers"] = _RATE_HEADERS
    operation["responses"] = {str(status): answers[status] for status in sorted(answers)}


_SAID = {
    400: "The request cannot be read: no JSON, a missing Idempotency-Key.",
    401: "No access token, or one that is not good any more.",
    403: "Your role does not allow this, or something has to be done first: see `code`.",
    404: "There is nothing here, or it is not yours.",
    409: "Not possible as things are: see `code`.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "A field or parameter is not valid: see `errors`. Or the key was used with another request.",
    429: "Too often. Wait for as many seconds as Retry-After says.",
    503: "Not possible at present. Wait for as many seconds as Retry-After says.",
}
_REF = "#/components/responses/"
_SCHEMAS = "#/components/schemas/"


def refuses(*statuses: int) -> dict[str, Any]:
    """Return, for a route's `openapi_extra`, the refusals of its service with these statuses.

    Added to each route without being named: 400 and 422, 401 and 403 with a token, 404 with something in the path, 413
    and 415 with a body, 429 with `rated()`.
    """
    return {"responses": {status: {"$ref": f"{_REF}Problem{status}"} for status in statuses}}


def problem_responses() -> dict[str, Any]:
    """Return the components that `refuses()` points at."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = {f"Problem{status}": {"description": said, "content": content} for status, said in _SAID.items()}
    seconds = {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "description": "Seconds to wait."}
    for status in (429, 503):
        responses[f"Problem{status}"] |= {"headers": {"Retry-After": seconds}}
    challenge = {"schema": {"type": "string"}, "description": "Bearer"}
    responses["Problem401"] |= {"headers": {"WWW-Authenticate": challenge}}
    return responses


def _problem_schema(members: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": "An error (RFC 9457). `code` is stable; `detail` is for people and may change.",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "examples": ["insufficient_funds"]},
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["field", "code", "message"],
                    "properties": {name: {"type": "string"} for name in ("field", "code", "message")},
                },
            },
            **members,
            "request_id": {"type": "string", "description": "For questions to the bank: its log knows this id."},
        },
    }
