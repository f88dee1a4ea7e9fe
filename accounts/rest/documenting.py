"""What the OpenAPI document says of answers that are no success; `bankproject.api_document` adds what holds for all."""

from typing import Any

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


def refuses(*statuses: int) -> dict[str, Any]:
    """For a route's `openapi_extra`: the refusals of its service, of these statuses.

    Added to each route without being named: 400 and 422, 401 and 403 with a token, 404 with something in the path, 413
    and 415 with a body, 429 with `rated()`.
    """
    return {"responses": {status: {"$ref": f"{_REF}Problem{status}"} for status in statuses}}


def problem_responses() -> dict[str, Any]:
    """The components that `refuses()` points at."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses = {f"Problem{status}": {"description": said, "content": content} for status, said in _SAID.items()}
    seconds = {"schema": {"type": "string", "pattern": "^[0-9]+$"}, "description": "Seconds to wait."}
    for status in (429, 503):
        responses[f"Problem{status}"] |= {"headers": {"Retry-After": seconds}}
    challenge = {"schema": {"type": "string"}, "description": "Bearer"}
    responses["Problem401"] |= {"headers": {"WWW-Authenticate": challenge}}
    return responses


PROBLEM_SCHEMA: dict[str, Any] = {
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
        "challenge": {
            "type": "object",
            "description": "With `step_up_required`: send the same request again with this id and a code.",
            "required": ["id", "expires_at", "why"],
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "expires_at": {"type": "string", "format": "date-time"},
                "why": {"type": "string"},
            },
        },
        "until": {
            "type": "string",
            "format": "date-time",
            "description": "With `waits_after_reset`: when this becomes possible.",
        },
        "request_id": {"type": "string", "description": "For questions to the bank: its log knows this id."},
    },
}
