"""What the bank says no to, in plain words: the base of all such exceptions, and those that several services raise."""


class Refusal(Exception):
    """The bank says no, and nothing was changed. Each kind has a stable `code` and a plain text for whoever asked.

    Raised inside the transaction, so that it rolls back; money's refusals are recorded in the audit log after that.
    """

    code = "refused"
    text = "This is not possible."

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)


class NotYourself(Refusal):
    """Nobody decides on their own: neither on their user nor on what they did themselves (R5.2)."""

    code = "not_yourself"
    text = "Nobody does this to themselves or for themselves. Ask a colleague."


class WrongStatus(Refusal):
    """The row is not in a state in which this makes sense; mostly somebody else was faster."""

    code = "wrong_status"
    text = "This is not possible any more: something has changed meanwhile."
