"""What staff do to people and accounts through the API, and the audit log (R1.5, R2.3, R6.4, R7.2). Each act is the
service of the button on their pages; it asks for the permission itself."""

from typing import Any
from uuid import UUID

from ninja import Query, Router, Status

from accounts import staff_selectors
from accounts.api_staff_schemas import LockIn, LogEntryOut, LogIn, PeopleIn, ReasonIn, RoleIn, UserOut
from accounts.origin import origin_of
from accounts.rest.bearer import ApiRequest
from accounts.rest.documenting import refuses
from accounts.rest.schemas import PageOf
from accounts.services import account_status
from accounts.services import people as people_services
from accounts.staff_selectors import LogFilters

router = Router(tags=["Staff"])


@router.get("/users", response=PageOf[UserOut])
def users(request: ApiRequest, wanted: Query[PeopleIn]) -> Any:
    """People, the last to come first. Support sees customers only."""
    return staff_selectors.people(request.user, email=wanted.email, only_locked=wanted.locked, after=wanted.cursor)


@router.get("/users/{uuid:user_id}", response=UserOut)
def user(request: ApiRequest, user_id: UUID) -> Any:
    """One person, as far as your role needs to know."""
    return staff_selectors.person(request.user, user_id)


@router.post("/users/{uuid:user_id}/lock", response={204: None}, openapi_extra=refuses(409, 429))
def lock_user(request: ApiRequest, user_id: UUID, data: LockIn) -> Status:
    """Sign somebody out everywhere at once; they sign in no more until somebody unlocks them."""
    row = staff_selectors.person(request.user, user_id)
    people_services.lock_user(actor=request.user, user=row, origin=origin_of(request), **data.model_dump())
    return Status(204, None)


@router.post("/users/{uuid:user_id}/unlock", response={204: None}, openapi_extra=refuses(409, 429))
def unlock_user(request: ApiRequest, user_id: UUID, data: LockIn) -> Status:
    """Lift the bank's lock, the pause after wrong passwords and codes, and the lock of the PIN."""
    row = staff_selectors.person(request.user, user_id)
    people_services.unlock_user(actor=request.user, user=row, origin=origin_of(request), **data.model_dump())
    return Status(204, None)


@router.post("/users/{uuid:user_id}/role", response={204: None}, openapi_extra=refuses(409, 429))
def change_role(request: ApiRequest, user_id: UUID, data: RoleIn) -> Status:
    """Give somebody another role. All their sessions end at once."""
    row = staff_selectors.person(request.user, user_id)
    people_services.change_role(actor=request.user, user=row, origin=origin_of(request), **data.model_dump())
    return Status(204, None)


@router.post("/accounts/{number}/freeze", response={204: None}, openapi_extra=refuses(409))
def freeze_account(request: ApiRequest, number: str, data: ReasonIn) -> Status:
    """Let no money in or out of a customer's account. The customer is told by mail."""
    account = staff_selectors.account_numbered(request.user, number)
    account_status.freeze_account(actor=request.user, account=account, reason=data.reason)
    return Status(204, None)


@router.post("/accounts/{number}/unfreeze", response={204: None}, openapi_extra=refuses(409))
def unfreeze_account(request: ApiRequest, number: str, data: ReasonIn) -> Status:
    """Let money in and out of a frozen account again. The customer is told by mail."""
    account = staff_selectors.account_numbered(request.user, number)
    account_status.unfreeze_account(actor=request.user, account=account, reason=data.reason)
    return Status(204, None)


@router.get("/audit/entries", response=PageOf[LogEntryOut])
def audit_entries(request: ApiRequest, wanted: Query[LogIn]) -> Any:
    """The audit log, newest first."""
    filters = LogFilters(**wanted.model_dump(exclude={"cursor"}))
    return staff_selectors.log_entries(request.user, filters, after=wanted.cursor)
