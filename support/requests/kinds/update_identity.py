from collections.abc import Mapping
from typing import Any, Literal

from accounts.forms import PersonForm
from accounts.models import BankAccount, User
from accounts.people import on_request
from accounts.people.names import NameRefused, check_name
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
        self.fields["address"].required = bool(customer.address)


FirstName: Any = text_of(PersonForm.base_fields["first_name"], letter=True)  # type: ignore[arg-type]
LastName: Any = text_of(PersonForm.base_fields["last_name"], letter=True)  # type: ignore[arg-type]
Address: Any = text_of(PersonForm.base_fields["address"])  # type: ignore[arg-type]


class UpdateIdentityIn(In):
    kind: Literal["update_identity"]
    first_name: FirstName
    last_name: LastName = ""
    address: Address = ""
    reason: Reason


class UpdateIdentity(KindOfRequest):
    """A request keeps only changes: an empty first name leaves the whole name, an empty address leaves the address of
    the day of the approval."""

    kind = RequestKind.UPDATE_IDENTITY
    icon = "user"
    explanation = (
        "For example after a marriage. We check a new name against your documents before we change it. "
        "If you have only moved, you change your address at once on your profile."
    )
    approval_does = (
        "writes the new name or address in the place of the one that the bank keeps now. "
        "Compare it with the customer’s documents first."
    )
    form = IdentityRequestForm
    schema = UpdateIdentityIn
    payload_keys = frozenset(_KEYS)
    needs_reason = True
    fields_of_refusals = {NameRefused: "first_name"}

    def differing(self, customer: User, payload: Mapping[str, str]) -> Mapping[str, str]:
        another = dict(payload)
        if not asks_for_another_name(customer, payload):
            another |= {"first_name": "", "last_name": ""}
        if payload["address"] == customer.address:
            another["address"] = ""
        return another

    def check(self, customer: User, account: BankAccount | None, payload: Mapping[str, str]) -> None:
        """Refuse what is the same already, and names that nobody may have.

        Raises:
            NothingToChange, NameRefused
        """
        if not any(payload.values()):
            raise NothingToChange
        if payload["first_name"]:
            check_name(payload["first_name"], payload["last_name"])

    def wishes(self, payload: Mapping[str, str]) -> list[tuple[str, str]]:
        wished = [("New name", name_in(payload)), ("New address", payload["address"])]
        return [(label, value) for label, value in wished if value]

    def wishes_for_clerks(self, customer: User, payload: Mapping[str, str]) -> list[tuple[str, str]]:
        now = {"New name": ("Name now", customer.get_full_name()), "New address": ("Address now", customer.address)}
        return [row for wish in self.wishes(payload) for row in (now[wish[0]], wish)]

    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        wanted = {key: asked.opened[key] for key in _KEYS}
        on_request.update_identity.joined(
            actor=actor, user=asked.customer, **wanted, reason=reason, authority=authority
        )


def asks_for_another_name(customer: User, payload: Mapping[str, str]) -> bool:
    """Return whether the name changes, even if only the split between first and last name does."""
    wanted = (payload["first_name"], payload["last_name"])
    return bool(wanted[0]) and wanted != (customer.first_name, customer.last_name)


def name_in(payload: Mapping[str, str]) -> str:
    """Return the whole name that is asked for; "" if it stays."""
    return f"{payload['first_name']} {payload['last_name']}".strip()
