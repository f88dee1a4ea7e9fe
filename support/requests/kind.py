"""A kind of service request is one class, with its words, its form, its checks and its act (R4.2).

Each kind is one file in `support.requests.kinds`, which finds them. A class that lacks a part is refused when the
program starts.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Set
from decimal import Decimal
from typing import Any, get_args

from accounts.models import AccountStatus, BankAccount, User
from accounts.permission.authority import ApprovedRequest
from foundation.refusals import Refusal
from foundation.rest.schemas import In
from support.models import ACCOUNT_KINDS, MAX_KIND_CHARS, RequestKind, ServiceRequest
from support.requests.common import RequestForm


class KindOfRequest(ABC):
    """One kind of request. `payload_keys` lists everything that people may send with it: so it has no place for a
    secret."""

    kind: RequestKind
    icon: str
    explanation: str  # for the customer: what it means in plain words
    approval_does: str  # for the clerk who is about to agree: goes on after "Approval"
    unless_approved = "Nothing was changed."  # for the customer, after it was cancelled or rejected
    form: type[RequestForm]  # asks for the payload's keys, and for the account if it is about one
    schema: type[In]  # the same for programs
    account_statuses: tuple[AccountStatus, ...] = ()  # of the account; empty: about the customer
    payload_keys: Set[str] = frozenset()
    needs_reason = False
    needs_two_clerks = False
    on_the_page = True  # False: it has neither form nor schema, since signed-in customers do not ask for it
    fields_of_refusals: Mapping[type[Refusal], str] = {}  # the form's field that a refusal is about

    @property
    def label(self) -> str:
        return self.kind.label

    @property
    def is_about_an_account(self) -> bool:
        return bool(self.account_statuses)

    # --- Filing ------------------------------------------------------------------------------------------------

    def differing(self, customer: User, payload: Mapping[str, str]) -> Mapping[str, str]:
        """Return the wishes that differ from what the bank keeps: only those are kept, checked and done."""
        return payload

    @abstractmethod
    def check(self, customer: User, account: BankAccount | None, payload: Mapping[str, str]) -> None:
        """Refuse requests that make no sense. The caller has checked that the account is the customer's, and in one of
        `account_statuses`.

        Raises:
            Refusal
        """

    def noted(self, account: BankAccount | None) -> Mapping[str, str]:
        """Return what the bank also keeps, about the moment of the request; nobody is shown it."""
        return {}

    def begin(self, asked: ServiceRequest) -> None:  # noqa: B027 (most kinds wait for the clerk with all they do)
        """Do what filing does at once, inside its transaction: usually nothing.

        Raises:
            Refusal: nothing was filed.
        """

    def suits(self, customer: User) -> bool:
        """Return whether it is offered to the customer, apart from the need for a fitting account."""
        return True

    def payload_from(self, given: Mapping[str, Any]) -> dict[str, str]:
        """Return what is kept from the fields of a form or a schema: amounts as text."""
        return {
            key: f"{value:f}" if isinstance(value, Decimal) else value
            for key, value in given.items()
            if key in self.payload_keys
        }

    def field_of(self, refusal: Refusal) -> str | None:
        """Return the form's field that a refusal is about; None: the whole form."""
        fields = self.fields_of_refusals.items()
        return next((field for refused, field in fields if isinstance(refusal, refused)), None)

    # --- Words -------------------------------------------------------------------------------------------------

    def wishes(self, payload: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return what the customer reads in their request: label and value, as they wrote it."""
        return [(key.replace("_", " ").capitalize(), value) for key, value in self._asked(payload) if value]

    def wishes_for_clerks(self, customer: User, payload: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return what a clerk compares before deciding: the present value, and the wish."""
        return []

    def wishes_for_programs(self, payload: Mapping[str, str]) -> Mapping[str, str]:
        return dict(self._asked(payload))

    def _asked(self, payload: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        return ((key, value) for key, value in payload.items() if key in self.payload_keys)

    # --- Approval ----------------------------------------------------------------------------------------------

    def takes_two_administrators(self, payload: Mapping[str, str]) -> bool:
        """Return whether an administrator approves it, and a second one has to agree before anything changes (R5.8)."""
        return False

    @abstractmethod
    def perform(self, asked: ServiceRequest, *, actor: User, reason: str, authority: ApprovedRequest) -> None:
        """Make the change, inside the transaction that approves `asked`, by the service whose verb is the kind's
        value.

        Raises:
            Refusal: as the changing service raises it.
        """


def registered(*kinds: type[KindOfRequest]) -> Mapping[RequestKind, KindOfRequest]:
    """Return one instance of each class by its kind, in the order of `RequestKind`.

    Raises:
        TypeError: a class lacks a part or has parts that do not fit together, or a `RequestKind` has no class.
    """
    for kind in kinds:
        where = f"{kind.__module__.replace('.', '/')}.py: "
        if lacking := list(_lacking(kind)):
            raise TypeError(f"{where}{kind.__name__} is no whole kind of request. It lacks: {', '.join(lacking)}.")
        if faults := list(_faults(kind)):
            raise TypeError(f"{where}The parts of {kind.__name__} do not fit together: {'; '.join(faults)}.")
    by_name = {kind.kind: kind for kind in kinds}
    if sorted(kind.kind for kind in kinds) != sorted(RequestKind):
        odd = [name.value for name in RequestKind if sum(kind.kind == name for kind in kinds) != 1]
        raise TypeError(f"Each RequestKind has one class, in support/requests/kinds/; look at {', '.join(odd)}.")
    return {name: by_name[name]() for name in RequestKind}


def _lacking(kind: type[KindOfRequest]) -> Iterator[str]:
    yield from sorted(kind.__abstractmethods__)
    asked_for = ("form", "schema") if kind.on_the_page else ()
    for part in ("kind", "icon", "explanation", "approval_does", *asked_for):
        if not getattr(kind, part, None):
            yield part
    if kind.payload_keys and kind.wishes_for_clerks is KindOfRequest.wishes_for_clerks:
        yield "wishes_for_clerks"


def _faults(kind: type[KindOfRequest]) -> Iterator[str]:
    about_an_account = bool(kind.account_statuses)
    if len(kind.kind.value) > MAX_KIND_CHARS:
        yield f"the value of the kind has more than {MAX_KIND_CHARS} characters"
    if about_an_account != (kind.kind in ACCOUNT_KINDS):
        yield "account_statuses are for those in ACCOUNT_KINDS (support/models.py), and for no others"
    if not kind.on_the_page:
        return
    keys = {"reason", *kind.payload_keys}
    if set(kind.form.base_fields) != (keys | {"account_id"} if about_an_account else keys):
        yield "the form has other fields than payload_keys"
    fields = kind.schema.model_fields
    if set(fields) != keys | {"kind"} | ({"account"} if about_an_account else set()):
        yield "the schema has other fields than payload_keys"
    elif get_args(fields["kind"].annotation) != (kind.kind.value,):
        yield "the schema is of another kind"
    elif fields["reason"].is_required() != kind.needs_reason:
        yield "the schema and needs_reason differ"
