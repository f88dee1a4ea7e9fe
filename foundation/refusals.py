"""How the bank says no: the base of all such exceptions, and those that any service may raise.

A page shows a refusal's text; the API answers with its status, its code, its text for programs and more, all in one
place (`foundation.rest.problems`). So a new refusal is one class, beside the service that raises it.
"""

from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.http import Http404

_NOT_FOUND = 404
CURSOR_FORGED = "cursor_forged"


class Refusal(Exception):
    """The bank says no, and nothing was changed. Each kind has a stable `code` and a plain text for the person who
    asked.

    Raised inside a transaction, it rolls that back. A refusal that is to be recorded, with a place in a limit and its
    audit entry, is returned from the transaction and raised after the commit.

    Attributes:
        status: of the API's answer.
        detail: the text for programs, where the page's differs; "" if they read the same.
        forgery: what was forged, where no honest client is ever refused like this; "" for all others. It is recorded,
            whoever asked (`audit.refused`).
    """

    code = "refused"
    text = "This is not possible."
    status = 409
    detail = ""
    forgery = ""

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)

    def more(self) -> dict[str, Any]:
        """Return further members of the API's answer: texts, moments, and dicts of them."""
        return {}


class NotNow(Refusal):
    """The bank says no for `retry_after` whole seconds, whatever is asked. Pages have their own answer for it: code
    that shows refusals in a form lets this one through."""

    status = 429

    def __init__(self, retry_after: int, text: str | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class NotFound(Refusal):
    """There is no such thing, or it belongs to another person: both get the same answer (R1.7)."""

    code = "not_found"
    text = "There is nothing here, or it is not yours."
    status = 404


class NotYourself(Refusal):
    """Nobody decides alone about their own user, nor about what they did themselves (R5.2)."""

    code = "not_yourself"
    text = "Nobody does this to themselves or for themselves. Ask a colleague."


class WrongStatus(Refusal):
    """The row is not in a state that allows this; usually another person was faster."""

    code = "wrong_status"
    text = "This is not possible any more: something has changed meanwhile."


def access_refused(error: Exception) -> str:
    """Return the reason to record where this exception refuses somebody what is not theirs: a role that does not allow
    it, something that is not there or not theirs, a forgery; "" for all other refusals, which are about the act."""
    if isinstance(error, PermissionDenied):
        return "forbidden"
    if isinstance(error, Http404 | ObjectDoesNotExist):
        return NotFound.code
    if isinstance(error, Refusal):
        return error.forgery or (error.code if error.status == _NOT_FOUND else "")
    # Beside what else is wrong with the filters of a list.
    of_cursor = getattr(error, "error_dict", {}).get("cursor", []) if isinstance(error, ValidationError) else []
    return CURSOR_FORGED if of_cursor else ""
