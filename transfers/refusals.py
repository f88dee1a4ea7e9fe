class Refusal(Exception):
    """The bank says no, and nothing was moved. Each kind has a stable `code` and a plain text for the customer.

    Raised inside the money transaction, so that it rolls back; recorded in the audit log after that.
    """

    code = "refused"
    text = "This is not possible."

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)
