"""The name under which a payee is paid: what the payer typed, and whether that was confirmed (R3.6).

`transfers.payees` does the check itself, before the order. This module decides, with the payer's limit row locked,
whether the payment may go to a payee of this name, and what the order and the list of payees keep.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from foundation.refusals import Refusal
from transfers.models import NameCheck, TransferOrder
from transfers.names import SeenName, payee_read_by_payer
from transfers.orders.known_payees import KnownPayee


class NameNeeded(Refusal):
    """A first payment without the payee's name. Nothing was checked."""

    code = "name_needed"
    text = "Enter the name of the person or business that you are paying."
    detail = (
        "You have not paid this account before: send `name`, the name of its holder, or "
        '`"name_check": "skipped"` to pay without a check.'
    )
    status = 422


class NameNotConfirmed(Refusal):
    """The name is not the account holder's, or was not checked, and the payer has not agreed to send anyway."""

    code = "name_not_confirmed"
    text = "The name was not confirmed. Check the number and the name, or tick “Send all the same”."
    detail = (
        'The name was not confirmed. Check number and name, or send `"name_check": "skipped"` to pay all the same: '
        "whom you have not paid before is then shown by the name that you sent, as not confirmed."
    )
    status = 422

    def __init__(self, check: NameCheck) -> None:
        super().__init__()
        self.check = check

    def more(self) -> dict[str, Any]:
        return {"name_check": self.check.value}


@dataclass(frozen=True)
class NameGiven:
    """The name that the payer typed, "" for none, and its result: what the check said; for a payee whom they know by a
    name, the result for that name, and whether they typed `is_another`."""

    typed: str
    check: NameCheck
    all_the_same: bool = False  # they send it although the name was not confirmed, or is another
    is_another: bool = False  # than the one by which they know the payee, whose own it is

    @classmethod
    def skipped(cls, typed: str = "") -> "NameGiven":
        return cls(typed, NameCheck.SKIPPED, all_the_same=True)

    def read_as(self, payee_name: str) -> SeenName:
        """Return the payee as the payer reads them, whose own name is `payee_name`."""
        return payee_read_by_payer(payee_name, self.typed, self.check.value)

    @property
    def needs_a_word(self) -> bool:
        """Return whether the payer still has to agree that it is sent anyway."""
        return not (self.typed_check.is_confirmed or self.all_the_same)

    @property
    def typed_check(self) -> NameCheck:
        """Return the result for the typed name, even if the payer knows the payee."""
        return NameCheck.NO_MATCH if self.is_another else self.check


class KnownBy(Protocol):
    """The name by which a payer knows a payee: a row of `Payee`, as far as it has been read."""

    @property
    def typed_name(self) -> str: ...

    @property
    def name_check(self) -> str: ...


def read_by_payer(given: NameGiven | None, known: KnownBy | None) -> tuple[str, NameCheck]:
    """Return the name that the payer typed for the payee, and its result.

    A known payee keeps the name by which they are known, unless another one is given; a payee known by their own name
    is never hidden again.
    """
    if known is not None and (given is None or not given.typed or NameCheck(known.name_check).is_confirmed):
        return known.typed_name, NameCheck(known.name_check)
    return (given.typed, given.typed_check) if given is not None else ("", NameCheck.NOT_CHECKED)


def word_given(given: NameGiven | None) -> dict[str, str]:
    """Return what the audit log adds for a payment to a known payee whose name was typed differently: the payer was
    told, and sent it anyway. It leaves the name out, which is personal."""
    return {"name_check": given.typed_check.value} if given is not None and given.is_another else {}


def put_on_order(order: TransferOrder, given: NameGiven | None, known: KnownPayee | None) -> None:
    """Set on a payment the result for the payee's name, and whether it is a first payment.

    Raises:
        NameNeeded, NameNotConfirmed
    """
    order.is_first_payment = known is None
    if given is not None and given.needs_a_word:
        raise NameNotConfirmed(given.typed_check)
    if known is None and given is None:
        raise NameNeeded
    typed, check = read_by_payer(given, known)
    order.name_check, order.payee_name_typed = check.value, "" if check.is_confirmed else typed
