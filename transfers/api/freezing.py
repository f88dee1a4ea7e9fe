"""Freezing an account and lifting the freezes through the API (R2.3, R2.5): its owner freezes it, administrators freeze
and lift, all staff see why."""

from typing import Annotated, Any, Self

from django.core.exceptions import ValidationError
from ninja import Router, Status
from pydantic import Field, Strict

from accounts import freezes
from accounts.api.bearer import ApiRequest
from accounts.api.staff import FreezeOut, FreezesRead, FreezesVersion, LatelyCode, LatelyCodeIn, require_code
from accounts.models import AccountFreeze, FreezeKind
from accounts.roles import Role, require
from accounts.staff import selectors as staff_selectors
from foundation.rest.document import refuses
from foundation.rest.schemas import In, LeftOut, Out, TimeText, text_of
from transfers import history
from transfers.accounts import freezing
from transfers.forms import freeze_reason_field

router = Router(tags=["Accounts and money"])
staff_router = Router(tags=["Staff"])


class FreezeIn(In):
    reason: Annotated[
        text_of(freeze_reason_field()),  # type: ignore[valid-type]  # made of a form's field
        Field(description="Staff say why, which stays in the audit log; the owner of the account need not."),
    ] = ""
    code: LatelyCode = None  # of staff alone


class UnfreezeIn(LatelyCodeIn):
    # The bounds are the list's only: compared with null, they would raise an error.
    kinds: Annotated[
        LeftOut[Annotated[list[Annotated[FreezeKind, Strict(False)]], Field(min_length=1, max_length=len(FreezeKind))]],
        Field(description="Which freezes; all that stand, if not given."),
    ] = None
    freezes_version: Annotated[
        LeftOut[FreezesRead],
        Field(
            description="As it came with the freezes. One of these kinds that has come since is not lifted: 409 "
            "`freeze_came_since`, and nothing is."
        ),
    ] = None


class LiftedFreezeOut(FreezeOut):
    lifted_at: TimeText | None
    lift_reason: str

    @classmethod
    def of(cls, freeze: AccountFreeze, **more: Any) -> Self:
        return super().of(freeze, lifted_at=freeze.lifted_at, lift_reason=freeze.lift_reason, **more)


class FreezesOut(Out):
    items: list[LiftedFreezeOut]
    freezes_version: FreezesVersion


@router.post("/accounts/{number}/freeze", response={204: None}, openapi_extra=refuses(409, 429))
def freeze_account(request: ApiRequest, number: str, data: FreezeIn) -> Status:
    """Let no money in or out of an account of yours, at once and without a code; for administrators, of any customer's.

    Only the bank lifts it: file a request of the kind `unfreeze_account`. The owner is told by mail.
    """
    if request.user.role == Role.CUSTOMER:
        account = history.account_by_number(request.user, number)
        freezing.freeze_own_account(actor=request.user, account=account, reason=data.reason)
        return Status(204, None)
    require(request.user, "accounts.freeze_account")  # before it is told whether the account exists
    if not data.reason:
        raise ValidationError({"reason": ValidationError("Say why: it stays in the audit log.", code="reason_missing")})
    account = staff_selectors.account_numbered(request.user, number)
    require_code(request, data.code)
    freezing.freeze_account(actor=request.user, account=account, reason=data.reason)
    return Status(204, None)


@staff_router.post("/accounts/{number}/unfreeze", response={204: None}, openapi_extra=refuses(409, 429))
def unfreeze_account(request: ApiRequest, number: str, data: UnfreezeIn) -> Status:
    """Lift freezes of an account; once none stands, money moves in and out again. The customer is told by mail."""
    require(request.user, "accounts.unfreeze_account")
    account = staff_selectors.account_numbered(request.user, number)
    require_code(request, data.code)
    freezing.unfreeze_account(
        actor=request.user, account=account, kinds=data.kinds, seen=data.freezes_version, reason=data.reason
    )
    return Status(204, None)


@staff_router.get("/accounts/{number}/freezes", response=FreezesOut)
def account_freezes(request: ApiRequest, number: str) -> Any:
    """The freezes of an account, oldest first, and after them the latest that were lifted."""
    account = staff_selectors.account_numbered(request.user, number)
    standing = freezes.standing_on(account)
    rows = [*standing, *freezes.lifted_on(account)]
    return {"items": [LiftedFreezeOut.of(row) for row in rows], "freezes_version": freezes.version_of(standing)}
