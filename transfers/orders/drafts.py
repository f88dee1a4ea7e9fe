"""A payment between its form and its confirmation, kept in the customer's session on the server.

The confirmed payment is the reviewed one: the browser holds only the draft's id, which is also the idempotency key.
Accounts are stored by row id, so that no account number is in the session table.
"""

import uuid
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.utils import timezone

from accounts.models import BankAccount
from transfers.models import NameCheck, StepUpChallenge
from transfers.orders.payee_names import NameGiven

_KEY = "transfer_drafts"
MAX_DRAFTS = 10
MAX_AGE_SECONDS = 15 * 60


@dataclass(frozen=True)
class Draft:
    """`amount` in major units as text: sessions are JSON."""

    source_id: int
    target_id: int  # the same for cash: the draft does not say which cash row it moves with
    amount: str
    description: str
    mode: str  # "own", "send", "deposit" or "withdraw": which form it came from
    made_at: int
    # The challenge that a code must be given for, and why (`transfers.orders.step_up`); "" if none is needed.
    challenge: str = ""
    why: str = ""
    # The payee's name as it was typed, and the result of the check; "" in both where it was not asked for.
    name: str = ""
    name_check: str = ""
    all_the_same: bool = False
    is_another: bool = False

    @property
    def is_transfer(self) -> bool:
        """Return whether it came from a form to send money, not from one for cash."""
        return self.mode in {"own", "send"}

    @property
    def decimal_amount(self) -> Decimal:
        return Decimal(self.amount)

    @property
    def name_given(self) -> NameGiven | None:
        if not self.name_check:
            return None
        return NameGiven(self.name, NameCheck(self.name_check), self.all_the_same, self.is_another)

    @property
    def is_stale(self) -> bool:
        return timezone.now().timestamp() - self.made_at > MAX_AGE_SECONDS


def remember(
    session: SessionBase,
    draft_id: uuid.UUID,
    *,
    source: BankAccount,
    target: BankAccount,
    amount: Decimal,
    description: str,
    mode: str,
    name_given: NameGiven | None = None,
) -> None:
    """Keep a new draft, and forget the oldest beyond ten."""
    draft = Draft(source.pk, target.pk, str(amount), description, mode, int(timezone.now().timestamp()))
    if name_given is not None:
        word: dict[str, Any] = {"all_the_same": name_given.all_the_same, "is_another": name_given.is_another}
        draft = replace(draft, name=name_given.typed, name_check=name_given.check.value, **word)
    _keep(session, draft_id, draft)


def ask_code(session: SessionBase, draft_id: uuid.UUID, challenge: StepUpChallenge) -> None:
    """Let the draft's confirmation ask for a code, for this challenge."""
    draft = draft_of(session, draft_id)
    if draft is not None:
        _keep(session, draft_id, replace(draft, challenge=str(challenge.public_id), why=str(challenge.why)))


def _keep(session: SessionBase, draft_id: uuid.UUID, draft: Draft) -> None:
    others = [item for item in session.get(_KEY, {}).items() if item[0] != str(draft_id)]
    session[_KEY] = dict([*others[-(MAX_DRAFTS - 1) :], (str(draft_id), asdict(draft))])


def draft_of(session: SessionBase, draft_id: uuid.UUID) -> Draft | None:
    """Return this session's draft; None if it has none with that id (another's, forgotten, forged)."""
    stored = session.get(_KEY, {}).get(str(draft_id))
    return Draft(**stored) if stored else None


def sides_of(draft: Draft) -> tuple[BankAccount, BankAccount]:
    """Return the accounts that it goes from and to, with their owners."""
    rows = BankAccount.objects.select_related("owner").in_bulk([draft.source_id, draft.target_id])
    return rows[draft.source_id], rows[draft.target_id]
