"""What the routes of `transfers.api.money` take and give.

All of it is here, although that makes a long file: accounts, orders, entries and statements are made of one another's
parts, and the document of the API describes them in the same words.
"""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from ninja import Path
from pydantic import AliasPath, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from accounts.api.types import EXAMPLE_NUMBER, AccountNumber, TotpCode
from accounts.freezes import Frozen
from accounts.models import CUSTOMER_KINDS, AccountStatus, BankAccount
from accounts.sign_in.origin import origin_of
from foundation.form_fields import LineField
from foundation.paging import MOMENT_PATTERN, NUMBER_PATTERN
from foundation.rest.document import refuses
from foundation.rest.schemas import Amount, AmountOrZero, AmountText, Id, In, InQuery, LeftOut, Out, TimeText, text_of
from transfers import history
from transfers.forms import PayeeLabelForm, description_field, nickname_field, payee_name_field
from transfers.history import Statement
from transfers.history.filters import DayField, HistoryFilters, contradictions
from transfers.models import MAX_DESCRIPTION_CHARS, NameCheck, OrderKind, OrderState, TransactionKind
from transfers.orders.step_up import Proof
from transfers.payees import selectors as payee_selectors
from transfers.periods import FIRST_DAY, LAST_DAY

# Each value of `NameCheck`, for the document of the API.
_WHAT_A_CHECK_SAYS = (
    "`match`: the holder's name; case, accents, the order of words and titles do not count. `near`: given name and "
    "surname are each close. `no_match`: anything else, such as a surname alone or initials. `not_checked`: no name "
    "was sent, or five different ones for this account today. `skipped`: paid without a check. `not_needed`: an "
    "account of yours, cash, or a payee from before there was a check."
)


def _one_of(values: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [str(value) for value in values]})


# --- In an address -------------------------------------------------------------------------------------------

OwnNumber = Annotated[
    str,
    Path(
        description="The number of an account of yours in full; spaces and hyphens are allowed. Any other is 404, "
        "whether it is somebody else's, mistyped, or nobody's.",
        examples=[EXAMPLE_NUMBER],
    ),
]
Year = Annotated[int, Path(ge=FIRST_DAY.year, le=LAST_DAY.year)]
MonthNumber = Annotated[int, Path(ge=1, le=12)]


def _day(value: Any) -> date:
    """Read a day as the pages' filters do: in one spelling, within the years that a customer can mean."""
    try:
        return DayField().clean(value)
    except ValidationError as error:
        fault = error.error_list[0]
        raise PydanticCustomError("invalid_date", "{text}", {"text": " ".join(fault.messages)}) from error


Day = Annotated[date, PlainValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


def _cursor(pattern: str) -> Any:
    """Return the type of a cursor that `filters()` reads, since it depends on them; an empty one begins again."""
    said = "`next_cursor` of the page before, asked for with the same filters."
    return Annotated[str, Field(max_length=40, description=said, json_schema_extra={"pattern": f"^({pattern})?$"})]


class HistoryIn(InQuery):
    """The filters of the history page, every one optional. Days are the bank's, both included."""

    type: TransactionKind | SkipJsonSchema[None] = None
    date_from: Day | SkipJsonSchema[None] = None
    date_to: Day | SkipJsonSchema[None] = None
    min_amount: AmountOrZero | SkipJsonSchema[None] = None
    max_amount: AmountOrZero | SkipJsonSchema[None] = None
    text: Annotated[
        text_of(LineField(max_length=MAX_DESCRIPTION_CHARS, required=False)),  # type: ignore[valid-type]
        Field(description="Part of a name, description or reference."),
    ] = ""
    cursor: _cursor(MOMENT_PATTERN) = ""  # type: ignore[valid-type]

    def filters(self, account: BankAccount | None = None) -> HistoryFilters:
        """Return the same filters as the pages', for one account or for all.

        Raises:
            ValidationError: two contradict each other, or the cursor is not of a list like this.
        """
        asked = {name: value for name, value in self if name != "cursor" and value is not None}
        wrong = [(name, ValidationError(text, code="invalid")) for name, text in contradictions(asked)]
        filters = HistoryFilters(account=account, **asked | {"type": self.type.value if self.type else ""})
        if self.cursor and not history.is_page_key(filters, self.cursor):
            wrong.append(("cursor", ValidationError("This is no cursor of this list.", code="invalid_cursor")))
        if wrong:
            raise ValidationError(dict(wrong))
        return filters


class AccountHistoryIn(HistoryIn):
    """The same for one account, whose movements are numbered."""

    cursor: _cursor(NUMBER_PATTERN) = ""  # type: ignore[valid-type]


# --- In a body -----------------------------------------------------------------------------------------------


class OpenAccountIn(In):
    kind: Literal["checking", "savings"]
    nickname: Annotated[text_of(nickname_field()), Field(description="Only you see it.")] = ""  # type: ignore[valid-type]
    opening_deposit: Annotated[AmountOrZero, Field(description="Paid in in cash; counts as a deposit.")] = Decimal(0)


class RenameAccountIn(In):
    nickname: Annotated[text_of(nickname_field()), Field(description='"" is none.')]  # type: ignore[valid-type]


class RenamePayeeIn(In):
    label: Annotated[
        text_of(PayeeLabelForm.base_fields["label"]),  # type: ignore[valid-type]
        Field(description='What you call them; "" is their own name.'),
    ]


_NAME = payee_name_field(required=False)


class LookupIn(In):
    number: AccountNumber
    name: Annotated[
        text_of(_NAME),  # type: ignore[valid-type]  # made of a form's field
        Field(description="The name of the person or business, to be checked. Different ones for one account count."),
    ] = ""


class DepositIn(In):
    amount: Amount
    description: text_of(description_field()) = ""  # type: ignore[valid-type]


_TOGETHER: dict[str, Any] = {"dependentRequired": {"challenge": ["code"], "code": ["challenge"]}}


class WithdrawalIn(DepositIn):
    """`challenge` and `code` are sent when the same request was answered with `step_up_required`, not before."""

    model_config = ConfigDict(json_schema_extra=_TOGETHER)

    challenge: LeftOut[Annotated[Id, Field(description="`challenge.id` of the answer before.")]] = None
    code: LeftOut[TotpCode] = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.challenge is None) != (self.code is None):
            raise ValueError("Send `challenge` and `code` together.")
        return self

    def proof(self, request: HttpRequest) -> Proof | None:
        """Return the code, for the service; None if none was sent."""
        if self.challenge is None or self.code is None:
            return None
        return Proof(origin_of(request), self.challenge, self.code)


class TransferIn(WithdrawalIn):
    """`challenge` and `code` are sent when the same request was answered with `step_up_required`, not before."""

    to: Annotated[AccountNumber, Field(description="The payee's account number; of an account of yours too.")]
    name: Annotated[
        text_of(_NAME),  # type: ignore[valid-type]  # made of a form's field
        Field(
            description="The name of the person or business, to be checked. Accounts of yours, and those that you "
            "have paid before, need none; another one than theirs is refused."
        ),
    ] = ""
    name_check: Annotated[
        LeftOut[Literal["skipped"]],
        Field(
            description="You pay without a check of the name, or though it is not the name of a payee whom you know. "
            "A new one is then shown by the `name` that you send, as not confirmed, with this payment and later ones."
        ),
    ] = None


# --- Out -----------------------------------------------------------------------------------------------------


class AccountOut(Out):
    """An account of yours. `number` is what addresses take; it is null only if the bank cannot read it at present."""

    id: UUID
    number: str | None
    masked_number: str
    name: str
    nickname: str
    kind: Annotated[str, _one_of(CUSTOMER_KINDS)]
    status: Annotated[str, _one_of(AccountStatus)]
    balance: AmountText
    held: Annotated[AmountText, Field(description="Set aside for transfers that wait for a decision.")]
    available: Annotated[AmountText, Field(description="The balance without what is held.")]
    opened_at: TimeText
    closed_at: TimeText | None

    @classmethod
    def of(cls, account: BankAccount, **more: Any) -> Self:
        return cls(
            id=account.public_id,
            number=payee_selectors.typed_number(account).replace(" ", "") or None,
            masked_number=account.masked_number,
            name=account.display_name,
            nickname=account.nickname,
            kind=account.kind,
            status=account.status,
            balance=account.balance,
            held=account.held,
            available=account.available,
            opened_at=account.opened_at,
            closed_at=account.closed_at,
            **more,
        )


class AccountsOut(Out):
    items: list[AccountOut]


class WaitingOut(Out):
    id: Annotated[UUID, Field(validation_alias="public_id")]
    kind: Annotated[str, _one_of(OrderKind)]
    label: str
    amount: AmountText
    since: TimeText


class FrozenOut(Out):
    by: Annotated[Literal["owner", "bank"], Field(description="Only the bank lifts either.")]
    since: TimeText

    @classmethod
    def of(cls, frozen: Frozen) -> Self:
        return cls(by="owner" if frozen.by_its_owner else "bank", since=frozen.since)


class AccountDetailOut(AccountOut):
    waiting: Annotated[
        list[WaitingOut],
        Field(
            description="Orders that wait for a decision: those for which money is held, then deposits, oldest first."
        ),
    ]
    frozen: Annotated[list[FrozenOut], Field(description="Who has frozen it; empty unless its status is `frozen`.")]


class EntryOut(Out):
    """A movement on an account of yours. `amount` is signed: what it did to the balance."""

    account_id: UUID
    account_number: Annotated[str, Field(description="Masked.")]
    sequence: Annotated[int, Field(description="1, 2, 3, … within the account.")]
    posted_at: TimeText
    type: Annotated[str, _one_of(TransactionKind), Field(validation_alias="kind")]
    label: str
    description: str
    counterpart_name: Annotated[
        str, Field(description="As it was on the day. Of a payee whose name was not confirmed, what you sent.")
    ]
    counterpart_name_confirmed: Annotated[bool, Field(validation_alias="counterpart_confirmed")]
    counterpart_label: Annotated[str, Field(description='What you call them; "" if nothing.')]
    counterpart_number: Annotated[str, Field(validation_alias="counterpart", description='Masked; "" if none.')]
    amount: AmountText
    balance_after: AmountText
    reference: str
    order_id: UUID | None
    reversed_at: TimeText | None
    reversed_by: Annotated[str, Field(description='The reference of the movement that took it back; "" if none did.')]
    reverses: Annotated[str, Field(description='The reference of what it takes back; "" if it is no reversal.')]


class OrderOut(Out):
    """What was ordered, and its state; `explanation` says why it waits, or was not carried out."""

    id: Annotated[UUID, Field(validation_alias="public_id")]
    kind: Annotated[str, _one_of(OrderKind)]
    state: Annotated[str, _one_of(OrderState), Field(validation_alias="status")]
    explanation: str
    amount: AmountText
    created_at: Annotated[TimeText, Field(validation_alias="at")]
    source_name: Annotated[str, Field(validation_alias=AliasPath("source", "name"))]
    source_number: Annotated[str, Field(description="Masked.")]
    target_name: Annotated[
        str,
        Field(
            validation_alias=AliasPath("target", "name"),
            description="As it was on the day. Of a payee whose name was not confirmed, what you sent.",
        ),
    ]
    target_name_confirmed: Annotated[bool, Field(validation_alias=AliasPath("target", "is_confirmed"))]
    target_number: Annotated[str, Field(description="Masked.")]
    name_check: Annotated[str, _one_of(NameCheck), Field(description="What the check of the payee's name said.")]
    counterpart_label: Annotated[str, Field(description='What you call the other side; "" if nothing.')]
    description: str
    reference: Annotated[str, Field(description='"" while nothing has moved.')]
    initiated_by: str
    reversed_at: TimeText | None
    reversed_by: Annotated[str, Field(description='The reference of the movement that took it back; "" if none did.')]


class StatementMonthOut(Out):
    year: int
    month: Annotated[int, Field(validation_alias="number")]


class StatementMonthsOut(Out):
    items: list[StatementMonthOut]


class StatementOut(Out):
    """A month of an account, oldest movement first: `opening + money_in - money_out = closing`."""

    account_id: UUID
    account_number: Annotated[str, Field(description="Masked.")]
    holder: str
    year: int
    month: int
    made_at: TimeText
    is_so_far: Annotated[bool, Field(description="The month is not over.")]
    opening: AmountText
    money_in: AmountText
    money_out: AmountText
    closing: AmountText
    items: list[EntryOut]

    @classmethod
    def of(cls, statement: Statement) -> Self:
        return cls(
            account_id=statement.account.public_id,
            account_number=statement.account.masked_number,
            holder=statement.holder,
            year=statement.month.year,
            month=statement.month.number,
            made_at=statement.made_at,
            is_so_far=statement.is_so_far,
            opening=statement.opening,
            money_in=statement.money_in,
            money_out=statement.money_out,
            closing=statement.closing,
            items=[EntryOut.model_validate(row) for row in statement.rows],
        )


class PayeeOut(Out):
    id: Annotated[UUID, Field(validation_alias="public_id")]
    name: Annotated[str, Field(description="Your own label, else `account_name`.")]
    account_name: Annotated[str, Field(description="The holder's name; if it was not confirmed, what you sent.")]
    name_confirmed: bool
    label: str
    masked_number: str
    last_paid_at: TimeText
    can_receive: bool


class PayeesOut(Out):
    items: list[PayeeOut]


class NamedPayeeOut(Out):
    """Whom a number belongs to: the holder's name after a match or a near match, otherwise the one that you sent."""

    name: str
    name_check: Annotated[
        str,
        _one_of(NameCheck),
        Field(
            validation_alias="typed_check",
            description="What the check said; of a payee of yours without a name, when theirs was last checked. "
            + _WHAT_A_CHECK_SAYS,
        ),
    ]
    name_confirmed: bool
    label: str
    masked_number: str
    is_own: bool
    is_known: bool


# --- In the document -----------------------------------------------------------------------------------------

_STEP_UP_EXAMPLE = {
    "type": "about:blank",
    "title": "Forbidden",
    "status": 403,
    "detail": "A first transfer to an account needs a code.",
    "code": "step_up_required",
    "challenge": {
        "id": "8c0e6a3e-0000-4000-8000-000000000001",
        "expires_at": "2026-11-03T08:02:00.000000Z",
        "why": "new_payee",
    },
    "request_id": "1f0c9a7e5b3d4f21",
}
# What the refusals of payments also tell programs (`transfers.orders.step_up`).
PROBLEM_MEMBERS: dict[str, Any] = {
    "challenge": {
        "type": "object",
        "description": "With `step_up_required`: send the same request again with this id and a code.",
        "required": ["id", "expires_at", "why"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "expires_at": {"type": "string", "format": "date-time"},
            "why": {"type": "string"},
        },
    },
    "name_check": {
        "type": "string",
        "enum": list(NameCheck),
        "description": "What the check of the payee's name said: with `name_not_confirmed`, and with "
        "`step_up_required` where you sent a name. " + _WHAT_A_CHECK_SAYS,
    },
    "payee_name": {
        "type": "string",
        "description": "With `step_up_required` where you sent a name: whom the code pays. After a near match it is "
        "not the name that you sent: show it before the code is given.",
    },
    "until": {
        "type": "string",
        "format": "date-time",
        "description": "With `waits_after_reset`: when this becomes possible.",
    },
}
NAMED = {
    "description": '`name_needed`: you have not paid this account before. Send `name`, or `"name_check": '
    '"skipped"`. `name_not_confirmed`: the name is not the holder\'s (`name_check` of this answer is `no_match`), or '
    "was not checked, since you have sent five others for this account today (`not_checked`). Nothing has moved. Else "
    "a field is not valid, or the key was used with another request.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
# For `openapi_extra` of routes that may need a code.
STEP_UP = refuses(409)
STEP_UP["responses"][403] = {
    "description": "`step_up_required`: nothing has moved yet. Send the same request again, with the same "
    "Idempotency-Key, and with `challenge` (the `challenge.id` of this answer) and `code`, before "
    "`challenge.expires_at`. `wrong_step_up_code`: the code was wrong or used; the challenge is still good for the "
    "next one. `waits_after_reset`: not possible before `until`. Else your role does not allow this.",
    "content": {
        "application/problem+json": {
            "schema": {"$ref": "#/components/schemas/Problem"},
            "examples": {"step_up_required": {"value": _STEP_UP_EXAMPLE}},
        }
    },
}
# And of routes that pay a person by name.
BY_NAME: dict[str, Any] = {"responses": STEP_UP["responses"] | {422: NAMED}}


def pdf_or(*statuses: int) -> dict[str, Any]:
    """Return, for `openapi_extra`, the answers of a route that returns a document, or a refusal with these statuses."""
    extra = refuses(*statuses)
    content = {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}
    extra["responses"][200] = {"description": "The document.", "content": content}
    return extra
