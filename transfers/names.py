"""How a customer reads the name of the other side of a payment (R2.6, R3.6).

An order keeps the names of its day. The payee reads the payer's name. The payer reads the payee's name only where the
check confirmed it, and otherwise what they typed, marked as such: a payment must not buy a name. Every page, document,
mail and answer of the API uses this module.
"""

from dataclasses import dataclass

from transfers.models import NameCheck, TransferOrder

NOT_CONFIRMED = "name not confirmed"
NO_NAME = "No name given"


@dataclass(frozen=True)
class SeenName:
    """A name as one customer may read it; `label` is what they call the person themselves, "" if nothing."""

    name: str
    is_confirmed: bool = True
    label: str = ""

    def __str__(self) -> str:
        """Return the name for a line of text: `Landlord (Bob Brandt)`, `Bobby (name not confirmed)`."""
        notes = [self.name] if self.label else []
        notes += [] if self.is_confirmed else [NOT_CONFIRMED]
        said = self.label or self.name
        return f"{said} ({', '.join(notes)})" if notes else said


def payee_read_by_payer(payee_name: str, typed: str, name_check: str, label: str = "") -> SeenName:
    """Return the payee of an order, or of a row of `Payee`, as the payer reads them; `payee_name` is their own name."""
    if NameCheck(name_check).is_confirmed:
        return SeenName(payee_name, label=label)
    return SeenName(typed or NO_NAME, is_confirmed=False, label=label)


def payee_of(order: TransferOrder, label: str = "") -> SeenName:
    """Return the payee of an order, as its payer reads them."""
    return payee_read_by_payer(order.payee_name, order.payee_name_typed, order.name_check, label)
