"""Acts other than orders, under a caller's key: openings of accounts, and decisions of staff about money. A repeated
one is answered again and nothing moves (R3.5, R7.3).

The state also guards decisions of staff, since an order is decided once and a movement reversed once. The key lets a
program whose answer was lost ask again and learn that it did it itself.
"""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from foundation.idempotency import IdempotencyConflict, check_key, digest_of_inputs, digest_of_key
from transfers.models import DecisionKey


@dataclass(frozen=True)
class Once:
    """One act: who, which, on what, why; `key` is None where nobody chose one, as on the pages of staff."""

    actor: User
    act: str
    subject: str
    reason: str
    key: str | None

    def __post_init__(self) -> None:
        if self.key is not None:
            check_key(self.key)

    def was_done(self) -> bool:
        """Return whether this person has done it already, under this key.

        Raises:
            IdempotencyConflict: the key was for another act.
        """
        if self.key is None:
            return False
        used = DecisionKey.objects.filter(actor=self.actor, key_digest=digest_of_key(self.key)).first()
        if used is not None and used.inputs_digest != self._inputs_digest:
            raise IdempotencyConflict
        return used is not None

    def keep(self, *, at: datetime) -> None:
        """Write the key, in the transaction of the act: of two at once, one fails with IntegrityError."""
        if self.key is not None:
            DecisionKey.objects.create(
                actor=self.actor,
                key_digest=digest_of_key(self.key),
                inputs_digest=self._inputs_digest,
                created_at=at,
            )

    @property
    def _inputs_digest(self) -> str:
        return digest_of_inputs(self.act, self.subject, self.reason)
