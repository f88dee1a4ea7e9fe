"""What staff do to people and accounts through the API, and the audit log (R1.5, R2.3, R6.4, R7.2). Each act is the
service of the button on their pages; it asks for the permission itself."""

from typing import Annotated, Any, Self
from uuid import UUID

from ninja import Query, Router, Status
from pydantic import BeforeValidator, Field, Strict, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from accounts import people as people_services
from accounts.api.bearer import ApiRequest
from accounts.api.types import AccountNumber, Code, Secret
from accounts.models import AccountFreeze, FreezeKind, PendingAct, PendingState, User
from accounts.permission import second_person
from accounts.permission.reasons import MAX_REASON_CHARS
from accounts.roles import Role, require
from accounts.sign_in import fresh_code
from accounts.sign_in.origin import origin_of
from accounts.staff import selectors as staff_selectors
from accounts.staff.selectors import LogFilters
from audit.actions import Action
from foundation.form_fields import LineField
from foundation.rest.document import refuses
from foundation.rest.schemas import Cursor, In, InQuery, LeftOut, Moment, Out, PageOf, TimeText, text_of

Reason = text_of(LineField(max_length=MAX_REASON_CHARS))


class PageIn(InQuery):
    cursor: Cursor | SkipJsonSchema[None] = None


class ReasonIn(In):
    """`reason` stays in the audit log."""

    reason: Reason  # type: ignore[valid-type]


class CodeReasonIn(ReasonIn):
    """For what a stolen token must not do: with a code of your own authenticator app, given now."""

    code: Code


LatelyCode = Annotated[
    LeftOut[Code],
    Field(description="Needed if none was given in this session within STAFF_CODE_SECONDS, signing in included."),
]


class LatelyCodeIn(ReasonIn):
    """For what moves money, or lets it move: with a code, unless one was given in this session within five minutes."""

    code: LatelyCode = None


def require_code(request: ApiRequest, code: str | None) -> None:
    """Ask a program for a code like `fresh_code.require_recent_code()`, as the staff's pages ask beside the form.

    Raises:
        CodeNeeded, WrongCode, TryAgainIn, TooOften
    """
    fresh_code.require_recent_code(
        actor=request.user, session=request.api_session, code=code or "", origin=origin_of(request)
    )


class LockIn(CodeReasonIn):
    admin_key: Annotated[Secret, Field(description="The administrators’ key, if the bank has set one.")] = ""


class RoleIn(CodeReasonIn):
    role: Annotated[Role, Strict(False)]


class PeopleIn(PageIn):
    email: Annotated[str, Field(max_length=254, description="In full.")] = ""
    locked: Annotated[bool, Field(description="Only those whom an administrator has locked.")] = False


class PersonOut(Out):
    """A person, where they are named beside something else."""

    id: UUID
    email: str
    name: str

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(id=user.public_id, email=user.email, name=user.get_full_name())


class FreezeOut(Out):
    """A freeze of an account: by whom, and why."""

    kind: Annotated[FreezeKind, Field(description="Of an `administrator`: only one lifts it.")]
    frozen_by: Annotated[PersonOut | None, Field(description="Nobody knows of some that are older than these rows.")]
    frozen_at: TimeText
    reason: str

    @classmethod
    def of(cls, freeze: AccountFreeze, **more: Any) -> Self:
        return cls(
            kind=FreezeKind(freeze.kind),
            frozen_by=PersonOut.of(freeze.frozen_by) if freeze.frozen_by is not None else None,
            frozen_at=freeze.frozen_at,
            reason=freeze.reason,
            **more,
        )


def _whole(value: Any) -> Any:
    """Accept `3.0` as a whole number, which it is in JSON and in the document; the strict schemas would refuse it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


FreezesRead = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
FreezesVersion = Annotated[
    int, Field(description="Which freezes these are; send it back when you lift them, and none that came since is.")
]


class PendingActOut(Out):
    """What waits for a second administrator, or did."""

    id: UUID
    kind: Annotated[str, Field(description="Which act: `change_role` say.", max_length=30)]
    what: Annotated[str, Field(description="What it does, in words.")]
    asked_by: PersonOut
    person: Annotated[PersonOut | None, Field(description="Whom it concerns.")]
    reason: str
    state: Annotated[str, WithJsonSchema({"type": "string", "enum": PendingState.values})]
    asked_at: TimeText
    effective_at: Annotated[
        TimeText | None, Field(description="When it takes effect by itself; null: a second administrator has to agree.")
    ]
    decided_at: TimeText | None

    @classmethod
    def of(cls, act: PendingAct) -> Self:
        return cls(
            id=act.public_id,
            kind=act.kind,
            what=second_person.kind_of(act).said(act),
            asked_by=PersonOut.of(act.asked_by),
            person=PersonOut.of(act.person) if act.person else None,
            reason=act.reason,
            state=act.state,
            asked_at=act.asked_at,
            effective_at=act.effective_at,
            decided_at=act.decided_at,
        )


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


router = Router(tags=["Staff"])
log_router = Router(tags=["Staff"])


@router.get("/users", response=PageOf[UserOut])
def users(request: ApiRequest, wanted: Query[PeopleIn]) -> Any:
    """People, newest first. Support sees customers only."""
    return staff_selectors.people(request.user, email=wanted.email, only_locked=wanted.locked, after=wanted.cursor)


@router.get("/users/{uuid:user_id}", response=UserOut)
def user(request: ApiRequest, user_id: UUID) -> Any:
    """One person, as far as your role needs to know."""
    return staff_selectors.person(request.user, user_id)


@router.post("/users/{uuid:user_id}/lock", response={204: None}, openapi_extra=refuses(409, 429))
def lock_user(request: ApiRequest, user_id: UUID, data: LockIn) -> Status:
    """Sign somebody out everywhere at once; they sign in no more until somebody unlocks them."""
    require(request.user, "accounts.lock_user")  # before it is told whether the person exists
    row = staff_selectors.person(request.user, user_id)
    people_services.lock_user(actor=request.user, user=row, origin=origin_of(request), **data.model_dump())
    return Status(204, None)


@router.post("/users/{uuid:user_id}/unlock", response={204: None}, openapi_extra=refuses(409, 429))
def unlock_user(request: ApiRequest, user_id: UUID, data: LockIn) -> Status:
    """Lift the bank's lock, the pause after wrong passwords and codes, and the lock of the PIN."""
    require(request.user, "accounts.unlock_user")
    row = staff_selectors.person(request.user, user_id)
    people_services.unlock_user(actor=request.user, user=row, origin=origin_of(request), **data.model_dump())
    return Status(204, None)


@router.post("/users/{uuid:user_id}/role", response={202: PendingActOut, 204: None}, openapi_extra=refuses(409, 429))
def change_role(request: ApiRequest, user_id: UUID, data: RoleIn) -> Status:
    """Give somebody another role. All their sessions end at once. 202: it waits for a second administrator."""
    require(request.user, "accounts.change_role")
    row = staff_selectors.person(request.user, user_id)
    waits = people_services.change_role(actor=request.user, user=row, origin=origin_of(request), **data.model_dump())
    return Status(204, None) if waits is None else Status(202, PendingActOut.of(waits))


@router.get("/staff/pending-acts", response=PageOf[PendingActOut])
def pending_acts(request: ApiRequest, wanted: Query[PageIn]) -> Any:
    """What waits for a second administrator, or takes effect by itself soon, newest first."""
    page = staff_selectors.pending_acts(request.user, after=wanted.cursor)
    return {"items": [PendingActOut.of(act) for act in page.items], "next_cursor": page.next_cursor}


@router.post("/staff/pending-acts/{uuid:act_id}/approve", response=PendingActOut, openapi_extra=refuses(409, 429))
def approve_pending_act(request: ApiRequest, act_id: UUID, data: CodeReasonIn) -> PendingActOut:
    """Agree as the second administrator: it is done at once. Neither the one who asked may, nor the one concerned."""
    require(request.user, "accounts.decide_pendingact")
    act = staff_selectors.pending_act(request.user, act_id)
    given = data.model_dump()
    return PendingActOut.of(second_person.approve(actor=request.user, act=act, origin=origin_of(request), **given))


@router.post("/staff/pending-acts/{uuid:act_id}/stop", response=PendingActOut, openapi_extra=refuses(409, 429))
def stop_pending_act(request: ApiRequest, act_id: UUID, data: CodeReasonIn) -> PendingActOut:
    """Stop it: nothing changes. Any administrator may, also the one who asked."""
    require(request.user, "accounts.decide_pendingact")
    act = staff_selectors.pending_act(request.user, act_id)
    given = data.model_dump()
    return PendingActOut.of(second_person.stop(actor=request.user, act=act, origin=origin_of(request), **given))


@log_router.get("/audit/entries", response=PageOf[LogEntryOut])
def audit_entries(request: ApiRequest, wanted: Query[LogIn]) -> Any:
    """The audit log, newest first."""
    filters = LogFilters(**wanted.model_dump(exclude={"cursor"}))
    return staff_selectors.log_entries(request.user, filters, after=wanted.cursor)
