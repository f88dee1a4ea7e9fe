from collections.abc import Mapping
from typing import Any, Literal

from accounts import people
from accounts.forms import PersonForm
from accounts.models import BankAccount, User
from accounts.permission.authority import ApprovedRequest
from foundation.refusals import Refusal
from foundation.rest.schemas import In, text_of
from support.models import RequestKind, ServiceRequest
from support.requests.common import Reason, RequestForm
from support.requests.kind import KindOfRequest

_KEYS = ("first_name", "last_name", "address")


class NothingToChange(Refusal):
    code = "nothing_to_change"
    text = "This is what we have already. Change what is to be different."


class IdentityRequestForm(RequestForm, PersonForm):
    """Name and address; a phone number is changed on the profile."""

    phone = None  # type: ignore[assignment]
    field_order = [*_KEYS, "reason"]

    def __init__(self, *args: Any, customer: User, **kwargs: Any) -> None:
        super().__init__(*args, customer=customer, **kwargs)
        self.initial.update({key: getattr(customer, key) for key in _KEYS})


FirstName: Any = text_of(PersonForm.base_fields["first_name"])  # type: ignore[arg-type]
LastName: Any = text_of(PersonForm.base_fields["last_name"])  # type: ignore[arg-type]
Address: Any = text_of(PersonForm.base_fields["address"])  # type: ignore[arg-type]


class UpdateIdentityIn(In):
    kind: Literal["update_identity"]
    first_name: FirstName
    last_name: LastName = ""
    address: Address
    reason: Reason


class UpdateIdentity(KindOfRequest):
    kind = RequestKind.UPDATE_IDENTITY
    icon = "user"
    explanation = "For example after a marriage or a move. We check it against your documents before we change it."
    approval_does = (
        "changes the name and the address that the bank keeps. Compare them with the customer’s documents first."
    )
    form = IdentityRequestForm
    schema = UpdateIdentityIn
    payload_keys = frozenset(_KEYS)
    needs_reason = True

    def check(self, customer: User, account: BankAccount | None, details: Mapping[str, str]) -> None:
        """Refuse what is kept already.

        Raises:
            NothingToChange
        """
        if all(getattr(customer, key) == value for key, value in details.items()):
            raise NothingToChange

    def wishes_for_clerks(self, customer: User, details: Mapping[str, str]) -> list[tuple[str, str]]:
        return [
            ("Name now", customer.get_full_name()),
            ("New name", f"{details['first_name']} {details['last_name']}".strip()),
            ("New address", details["address"]),
        ]

    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        wanted = {key: asked.details[key] for key in _KEYS}
        people.update_identity.joined(actor=actor, user=asked.customer, **wanted, reason=reason, authority=authority)
