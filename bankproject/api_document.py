"""What the OpenAPI document says of every operation alike, so that no router has to."""

from typing import Any

from django.conf import settings
from ninja.openapi.schema import OpenAPISchema

from accounts.rest.documenting import PROBLEM_SCHEMA, problem_responses, refuses

_DESCRIPTION = (
    "Everything a customer can do, for programs. Amounts are strings, times are RFC 3339 in UTC, errors are "
    "`application/problem+json` with a stable `code`. Walk-through: docs/api.md."
)
_RATE_HEADERS = {
    "RateLimit-Policy": {"schema": {"type": "string"}, "description": 'The limit: `"transfer";q=5;w=60`.'},
    "RateLimit": {"schema": {"type": "string"}, "description": 'What is left of it: `"transfer";r=3;t=60`.'},
}


def complete(document: OpenAPISchema, api: Any) -> None:
    """Add the answers that any operation of its kind can give, and their components."""
    document["info"] |= {"title": f"{settings.BANK_NAME}: API", "description": _DESCRIPTION}
    components = document["components"]
    components["schemas"]["Problem"] = PROBLEM_SCHEMA
    components["responses"] = problem_responses()
    rates = {operation.operation_id: operation for operation in _operations(api)}
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation, is_rated=bool(getattr(rates[operation["operationId"]].view_func, "rate", "")))


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
