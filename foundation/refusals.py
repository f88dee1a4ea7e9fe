"""How the bank says no: the base of all such exceptions, and those that know nothing of what was asked.

A page shows a refusal's text; the API answers with its status, its code, what programs read and more, all generically
(`foundation.rest.problems`). So a new refusal is one class, beside the service that raises it.
"""

from typing import Any


class Refusal(Exception):
    """The bank says no, and nothing was changed. Each kind has a stable `code` and a plain text for whoever asked.

    Raised inside a transaction, it rolls that back. One that is to be kept, with a place in a limit and its audit
    entry, is returned from the transaction and raised after the commit.

    Attributes:
        status: of the API's answer.
        detail: what programs read instead of the text, where a page says it otherwise; "" if they read the same.
    """

    code = "refused"
    text = "This is not possible."
    status = 409
    detail = ""

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)

    def more(self) -> dict[str, Any]:
        """Further members of the API's answer: texts, moments, and dicts of them."""
        return {}


class NotNow(Refusal):
    """The bank says no for `retry_after` whole seconds, whatever is asked. Pages have an answer of their own for it:
    what shows refusals in a form lets this one through."""

    status = 429

    def __init__(self, retry_after: int, text: str | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class NotFound(Refusal):
    """There is no such thing, or it is somebody else's: both are answered alike (R1.7)."""

    code = "not_found"
    text = "There is nothing here, or it is not yours."
    status = 404


class NotYourself(Refusal):
    """Nobody decides on their own: neither on their user nor on what they did themselves (R5.2)."""

    code = "not_yourself"
    text = "Nobody does this to themselves or for themselves. Ask a colleague."


class WrongStatus(Refusal):
    """The row is not in a state in which this makes sense; mostly somebody else was faster."""

    code = "wrong_status"
    text = "This is not possible any more: something has changed meanwhile."
