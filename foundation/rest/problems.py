"""How the API says no: one shape for every error, with a stable `code` (RFC 9457).

`answer_to()` alone turns an exception into an answer. A `Refusal` says what the answer holds; an unexpected exception
becomes 500 and is logged, and the answer does not say why.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import Error
from django.http import Http404, HttpResponse
from ninja.errors import AuthenticationError, HttpError
from ninja.errors import ValidationError as SchemaError

from foundation.idempotency import KEY_HEADER
from foundation.refusals import NotFound, NotNow, Refusal
from foundation.request_context import current
from foundation.rest.schemas import time_text
from foundation.transactions import OutcomeUnknown, is_away, is_deadlock_victim, is_locked_out

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_FAULT = "Something went wrong on our side. Nothing is known to have been changed."
# The request may have been carried out before the database went away: an answer is read after the commit.
_AWAY = (
    "A part of the bank is away for a moment. If this was to change something, it may have. With the same"
    " Idempotency-Key send it again; without one, look first."
)
_UNKNOWN = (
    "The bank lost its database while it wrote this down: it is done whole, or not at all. With the same"
    " Idempotency-Key send it again; without one, look first."
)


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field; `field` is its dotted name, "" for the whole."""

    field: str
    code: str
    message: str


@dataclass(eq=False)
class Problem(Exception):
    """An answer that is not a success. Code that belongs to the API alone may raise it; services raise their own
    exceptions."""

    status: int
    code: str
    detail: str = ""
    errors: list[FieldError] = field(default_factory=list)
    more: Mapping[str, Any] = field(default_factory=dict)  # further members of the answer
    headers: Mapping[str, str] = field(default_factory=dict)


_Maker = Callable[[Any], Problem]
_makers: dict[type[Exception], _Maker] = {}


def _problem_of(*kinds: type[Exception]) -> Callable[[_Maker], _Maker]:
    """Register the function that turns exceptions of these kinds, and of their subclasses, into problems."""

    def register(maker: _Maker) -> _Maker:
        _makers.update(dict.fromkeys(kinds, maker))
        return maker

    return register


def to_problem(error: Exception) -> Problem:
    """Return the problem for an exception."""
    if isinstance(error, Problem):
        return error
    if isinstance(error.__cause__, Problem) and isinstance(error, HttpError):  # what our parser said about the body
        return error.__cause__
    for kind in type(error).__mro__:
        if kind in _makers:
            return _makers[kind](error)
    return _unexpected(error)


def _unexpected(error: Exception) -> Problem:
    logger.error("The API could not answer", exc_info=error)
    return Problem(500, "internal_error", _FAULT)


def answer_to(error: Exception) -> HttpResponse:
    """Return the API's answer to an exception."""
    return as_response(to_problem(error))


def as_response(problem: Problem) -> HttpResponse:
    content: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
    }
    if problem.errors:
        content["errors"] = [vars(error) for error in problem.errors]
    content |= problem.more
    content["request_id"] = current().request_id
    # ASCII only: a client's text, if there is any, must not break the answer.
    response = HttpResponse(json.dumps(content, default=time_text), status=problem.status, content_type=CONTENT_TYPE)
    for name, value in problem.headers.items():
        response[name] = value
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response["WWW-Authenticate"] = "Bearer"
    return response


def wait(status: int, code: str, detail: str, seconds: int) -> Problem:
    """Return a problem that is over after this many seconds."""
    return Problem(status, code, detail, headers={"Retry-After": str(seconds)})


def without_route(status: int) -> Problem:
    """Return the answer to an error that came before any route was asked, or from none."""
    if status == HTTPStatus.NOT_FOUND:
        return to_problem(Http404())
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return Problem(status, "method_not_allowed", "Nothing here answers to this method; see `Allow`.")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return _away()
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Problem(status, "internal_error", _FAULT)
    return Problem(status, "bad_request", "This request cannot be read.")


# --- What any route may meet ------------------------------------------------------------------------------


@_problem_of(Refusal)
def _refused(error: Refusal) -> Problem:
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, NotNow) else {}
    return Problem(error.status, error.code, error.detail or str(error), more=error.more(), headers=headers)


@_problem_of(AuthenticationError)
def _unknown(error: AuthenticationError) -> Problem:
    return Problem(401, "token_invalid", "Send an access token that is still good: Authorization: Bearer ….")


@_problem_of(PermissionDenied)
def _forbidden(error: PermissionDenied) -> Problem:
    return Problem(403, "forbidden", "Your role does not allow this.")


@_problem_of(Http404, ObjectDoesNotExist)
def _not_found(error: Exception) -> Problem:
    return _refused(NotFound())


def _away() -> Problem:
    return wait(503, "database_away", _AWAY, 5)


@_problem_of(Error)
def _of_database(error: Error) -> Problem:
    """Return the problem where others' transactions win five times (those of the same request, for example, R3.5); or
    where one holds what this one waits for, the database went away, or its disk takes nothing."""
    if isinstance(error, OutcomeUnknown):
        return wait(503, "outcome_unknown", _UNKNOWN, 5)
    if is_away(error) or is_locked_out(error):
        logger.error("The database cannot be worked with: %s", error)
        return _away()
    if is_deadlock_victim(error):
        return wait(409, "still_running", "Another request of yours is still running. Send the same one again.", 1)
    return _unexpected(error)


@_problem_of(RequestDataTooBig)
def _too_big(error: RequestDataTooBig) -> Problem:
    return Problem(413, "body_too_large", "The body is too large.")


@_problem_of(SuspiciousOperation)
def _suspicious(error: SuspiciousOperation) -> Problem:
    return Problem(400, "bad_request", "This request cannot be read.")


@_problem_of(HttpError)
def _http(error: HttpError) -> Problem:
    return Problem(error.status_code, "bad_request", "This request cannot be read.")


@_problem_of(ValidationError)
def _invalid(error: ValidationError) -> Problem:
    """Return the problem for what a Django form or validator found, as services and forms raise it."""
    faults = error.error_dict if hasattr(error, "error_dict") else {"": error.error_list}
    return invalid(
        FieldError("" if name == "__all__" else name, fault.code or "invalid", " ".join(fault.messages))
        for name, found in faults.items()
        for fault in found
    )


@_problem_of(SchemaError)
def _misshapen(error: SchemaError) -> Problem:
    """Return the problem for what a schema found; never with the text that was sent, which may be a secret."""
    errors = [_field_error(fault) for fault in _without_null(error.errors)]
    missing = next((fault for fault in errors if (fault.field, fault.code) == (KEY_HEADER, "missing")), None)
    if missing is not None:
        text = "Send an Idempotency-Key of your own: a repeated request then moves nothing twice."
        return Problem(400, "idempotency_key_missing", text, [missing])
    return invalid(errors)


def invalid(errors: Any) -> Problem:
    """Return a 422: the request can be read, and these fields of it are wrong."""
    return Problem(422, "invalid", "Some of what was sent is not valid; see `errors`.", list(errors))


def _without_null(faults: Any) -> list[dict[str, Any]]:
    """Return the faults without those about null: `X | None` is two types, each with its own fault, and "not null"
    tells the reader nothing."""
    nullable = {tuple(fault["loc"][:-1]) for fault in faults if fault["type"] == "none_required"}
    kept = []
    for fault in faults:
        way = tuple(fault["loc"])
        # The name of the type follows the field.
        names = [end for end in range(len(way)) if way[:end] in nullable]
        if fault["type"] != "none_required":
            kept.append({**fault, "loc": way[: names[0]] + way[names[0] + 1 :] if names else way})
    return kept


def _field_error(fault: Mapping[str, Any]) -> FieldError:
    # Source, then the parameter's own name if it is a body or a schema of a query, then the way to the field.
    source, *way = fault["loc"]
    way = way[1:] if source == "body" or (source == "query" and len(way) > 1) else way
    return FieldError(".".join(str(step) for step in way), str(fault["type"]), str(fault["msg"]))
