"""What the routes of staff take and give: of people, accounts and the audit log."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, Strict
from pydantic.json_schema import SkipJsonSchema

from accounts.forms import LineField
from accounts.models import User
from accounts.reasons import MAX_REASON_CHARS
from accounts.rest.schemas import (
    AccountNumber,
    Code,
    Cursor,
    In,
    InQuery,
    Moment,
    Out,
    Secret,
    TimeText,
    text_of,
)
from accounts.roles import Role
from audit.actions import Action

Reason = text_of(LineField(max_length=MAX_REASON_CHARS))


class PageIn(InQuery):
    cursor: Cursor | SkipJsonSchema[None] = None


class ReasonIn(In):
    """`reason` stays in the audit log."""

    reason: Reason  # type: ignore[valid-type]


class CodeReasonIn(ReasonIn):
    """For what a stolen token must not do: with a code of your own authenticator app, given now."""

    code: Code


class LockIn(CodeReasonIn):
    admin_key: Annotated[Secret, Field(description="The administrators’ key, if the bank has set one.")] = ""


class RoleIn(CodeReasonIn):
    role: Annotated[Role, Strict(False)]


class PeopleIn(PageIn):
    email: Annotated[str, Field(max_length=254, description="In full.")] = ""
    locked: Annotated[bool, Field(description="Only those whom an administrator has locked.")] = False


class PersonOut(Out):
    """Somebody, where they are named beside something else."""

    id: UUID
    email: str
    name: str

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(id=user.public_id, email=user.email, name=user.get_full_name())


class UserOut(Out):
    id: Annotated[UUID, Field(validation_alias="public_id")]
    email: str
    first_name: str
    last_name: str
    role: Role | None
    is_active: bool
    locked_at: TimeText | None
    created_at: TimeText
    last_sign_in_at: Annotated[TimeText | None, Field(validation_alias="last_login")]


class LogIn(PageIn):
    """Filters of the log. `since` is the first moment, `until` the first one no more."""

    action: Action | SkipJsonSchema[None] = None
    actor: Annotated[UUID | SkipJsonSchema[None], Field(description="Who did it, by the id.")] = None
    concerns: Annotated[UUID | SkipJsonSchema[None], Field(description="Whom it concerns, by the id.")] = None
    account: AccountNumber | SkipJsonSchema[None] = None
    since: Moment | SkipJsonSchema[None] = None
    until: Moment | SkipJsonSchema[None] = None


class LogEntryOut(Out):
    at: TimeText
    action: str
    actor: Annotated[str, Field(validation_alias="actor_label")]
    actor_id: Annotated[UUID | None, Field(validation_alias="actor_public_id")]
    concerns_id: Annotated[UUID | None, Field(validation_alias="concerns_public_id")]
    subject_type: str
    subject_id: str
    ip: str | None
    request_id: str
    details: dict[str, Any]
