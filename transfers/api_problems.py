"""How the exceptions of this app are answered by the API (`accounts.rest.problems`); any other refusal is 409."""

from accounts.rest.problems import Problem, problem_of, refuse_with
from accounts.rest.schemas import time_text
from foundation.idempotency import IdempotencyConflict
from transfers.selectors import NoSuchMonth, StatementTooLong
from transfers.services.cash import CashOnlyAtTheCounter
from transfers.services.ownership import NotACustomer, NotYourAccount
from transfers.services.payees import PayeeNotFound
from transfers.services.sending import SameAccount
from transfers.services.step_up import StepUpRequired, WaitsAfterReset, WrongStepUpCode

refuse_with(403, CashOnlyAtTheCounter, NotACustomer, WrongStepUpCode)
refuse_with(404, NotYourAccount, PayeeNotFound, detail="There is nothing here, or it is not yours.")
refuse_with(409, StatementTooLong, detail="This month has more movements than a statement holds: read them in pages.")
refuse_with(422, SameAccount)
refuse_with(422, IdempotencyConflict, detail="This Idempotency-Key was used with another request: take another.")


@problem_of(NoSuchMonth)
def _no_such_month(error: NoSuchMonth) -> Problem:
    return Problem(404, "not_found", "There is nothing here, or it is not yours.")


@problem_of(WaitsAfterReset)
def _waits(error: WaitsAfterReset) -> Problem:
    return Problem(403, error.code, str(error), more={"until": time_text(error.until)})


@problem_of(StepUpRequired)
def _step_up(error: StepUpRequired) -> Problem:
    """The same request again, with the id of the challenge and a code, goes through."""
    challenge = {
        "id": str(error.challenge.public_id),
        "expires_at": time_text(error.challenge.expires_at),
        "why": str(error.why.value),
    }
    return Problem(403, error.code, str(error), more={"challenge": challenge})
