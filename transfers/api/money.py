"""Accounts, money and payees for programs (R7.2). Routes parse; services decide, as for the pages.

An account is named by its full number; an account that is not the actor's is 404, existing or not.
"""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status

from accounts import freezes
from accounts.api.bearer import ApiRequest
from accounts.models import AccountKind, BankAccount, User
from accounts.roles import require
from foundation.paging import Cursor, Page
from foundation.rest.document import refuses
from foundation.rest.rates import rated
from foundation.rest.schemas import IdempotencyKey, PageOf
from transfers import history
from transfers.accounts import closing, opening, renaming
from transfers.api.money_schemas import (
    BY_NAME,
    STEP_UP,
    AccountDetailOut,
    AccountHistoryIn,
    AccountOut,
    AccountsOut,
    DepositIn,
    EntryOut,
    FrozenOut,
    HistoryIn,
    LookupIn,
    MonthNumber,
    NamedPayeeOut,
    OpenAccountIn,
    OrderOut,
    OwnNumber,
    PayeeOut,
    PayeesOut,
    RenameAccountIn,
    RenamePayeeIn,
    StatementMonthsOut,
    StatementOut,
    TransferIn,
    WithdrawalIn,
    Year,
    pdf_or,
)
from transfers.models import OrderState, TransferOrder
from transfers.orders import cash, holds, sending
from transfers.payees import selectors as payee_selectors
from transfers.payees import services as payees
from transfers.periods import Month
from transfers.statements import exports
from transfers.views.access import pdf_answer

router = Router(tags=["Accounts and money"])
_ORDERED = {201: OrderOut, 202: OrderOut}


# --- Accounts ------------------------------------------------------------------------------------------------


@router.post("/accounts", response={201: AccountOut}, openapi_extra=refuses(409))
@rated("open")
def open_account(request: ApiRequest, data: OpenAccountIn, key: IdempotencyKey) -> Status:
    """Open an account of yours, with an opening deposit in simulated cash or without.

    A large deposit may be held as any other is: then the account is open and empty, and `waiting` of the account says
    so. It counts towards what you can pay in a day yourself.
    """
    account = opening.open_account(
        actor=request.user,
        kind=AccountKind(data.kind),
        nickname=data.nickname,
        opening_deposit=data.opening_deposit,
        idempotency_key=key,
    )
    return Status(201, AccountOut.of(account))


@router.get("/accounts", response=AccountsOut)
def accounts(request: ApiRequest) -> Any:
    """Your accounts with their balances: open ones first, in the order they were opened."""
    return {"items": [AccountOut.of(account) for account in history.accounts_of(_holder(request))]}


@router.get("/accounts/{number}", response=AccountDetailOut)
def account(request: ApiRequest, number: OwnNumber) -> Any:
    """One account of yours, and what waits for a decision there."""
    row = _own(request, number)
    waiting = [*history.waiting_orders(row), *history.waiting_deposits(row)]
    frozen = [FrozenOut.of(one) for one in freezes.as_its_owner_sees_them(row)]
    return AccountDetailOut.of(row, waiting=waiting, frozen=frozen)


@router.patch("/accounts/{number}", response=AccountOut)
def rename_account(request: ApiRequest, number: OwnNumber, data: RenameAccountIn) -> Any:
    """Give an account of yours another name."""
    row = _own(request, number)
    renaming.rename_account(actor=request.user, account=row, nickname=data.nickname)
    row.nickname = data.nickname
    return AccountOut.of(row)


@router.post("/accounts/{number}/close", response={204: None}, openapi_extra=refuses(409))
@rated("close")
def close_account(request: ApiRequest, number: OwnNumber) -> Status:
    """Close an account of yours for good: one that is active and empty, with nothing held."""
    closing.close_account(actor=request.user, account=_own(request, number))
    return Status(204, None)


# --- Money ---------------------------------------------------------------------------------------------------


@router.post("/accounts/{number}/deposit", response=_ORDERED, openapi_extra=refuses(409))
@rated("deposit")
def deposit(request: ApiRequest, number: OwnNumber, data: DepositIn, key: IdempotencyKey) -> Status:
    """Pay simulated cash into an account of yours, while the bank lets customers do that themselves.

    201: it is on the account. 202: it is held until a member of staff has looked at it, and `explanation` says why.
    Counts towards what you can pay in a day yourself: more is 409 `cash_in_limit_reached`.
    """
    order = cash.deposit(
        actor=request.user,
        account=_own(request, number),
        amount=data.amount,
        description=data.description,
        idempotency_key=key,
    )
    return _ordered(request, order)


@router.post("/accounts/{number}/withdraw", response=_ORDERED, openapi_extra=STEP_UP)
@rated("withdrawal")
def withdraw(request: ApiRequest, number: OwnNumber, data: WithdrawalIn, key: IdempotencyKey) -> Status:
    """Take simulated cash out of an account of yours. Counts towards the daily limit, and may need a code: see 403."""
    order = cash.withdraw(
        actor=request.user,
        account=_own(request, number),
        amount=data.amount,
        description=data.description,
        idempotency_key=key,
        proof=data.proof(request),
    )
    return _ordered(request, order)


@router.post("/accounts/{number}/transfer", response=_ORDERED, openapi_extra=BY_NAME)
@rated("transfer")
def transfer(request: ApiRequest, number: OwnNumber, data: TransferIn, key: IdempotencyKey) -> Status:
    """Send money to another account of yours or to somebody else's.

    201: it is carried out. 202: it is held until a member of staff has looked at it, and `explanation` says why; ask
    for the order again later. A payment to somebody else may need a code: see 403. Whom you have not paid before is
    paid by name: see 422.
    """
    source, found = payees.find_sides(
        actor=_holder(request),
        source_number=number,
        target_number=data.to,
        idempotency_key=key,
        name=data.name,
        skip_check=data.name_check is not None,
    )
    order = sending.transfer(
        actor=request.user,
        source=source,
        target=found.account,
        amount=data.amount,
        description=data.description,
        name_given=found.given,
        idempotency_key=key,
        proof=data.proof(request),
    )
    return _ordered(request, order, label=found.known.label if found.known else "")


@router.get("/orders/{uuid:order_id}", response=OrderOut)
def order(request: ApiRequest, order_id: UUID) -> Any:
    """The receipt of a deposit, withdrawal or transfer, for either side of it."""
    return history.receipt_for(_holder(request), order_id)


@router.post("/orders/{uuid:order_id}/cancel", response=OrderOut, openapi_extra=refuses(409))
def cancel_order(request: ApiRequest, order_id: UUID) -> Any:
    """Take back an order that is held, before anybody has decided on it: the money is yours to spend again. The same
    request again is answered alike; 409 if it was decided, has expired, or was never held."""
    order = history.order_to_cancel(_sender(request), order_id)
    cancelled = holds.cancel_order(actor=request.user, order=order)
    return history.receipt_of(cancelled, request.user, label=order.label or "")


@router.get("/orders/{uuid:order_id}/pdf", response={200: None}, openapi_extra=pdf_or(429))
def order_pdf(request: ApiRequest, order_id: UUID) -> HttpResponse:
    """The same as a PDF."""
    return pdf_answer(exports.download_receipt(actor=request.user, public_id=order_id, at=timezone.now()))


# --- History -------------------------------------------------------------------------------------------------


@router.get("/transactions", response=PageOf[EntryOut])
def transactions(request: ApiRequest, asked: Query[HistoryIn]) -> Any:
    """The movements on all accounts of yours, newest first."""
    return _page(_holder(request), asked)


@router.get("/accounts/{number}/transactions", response=PageOf[EntryOut])
def account_transactions(request: ApiRequest, number: OwnNumber, asked: Query[AccountHistoryIn]) -> Any:
    """The movements on one account of yours, newest first."""
    return _page(request.user, asked, _own(request, number))


@router.get("/accounts/{number}/statements", response=StatementMonthsOut)
def statements(request: ApiRequest, number: OwnNumber) -> Any:
    """The months of an account of yours of which there is a statement, latest first."""
    return {"items": history.statement_months(_own(request, number), at=timezone.now())}


@router.get("/accounts/{number}/statements/{year}/{month}", response=StatementOut, openapi_extra=refuses(409, 429))
def statement(request: ApiRequest, number: OwnNumber, year: Year, month: MonthNumber) -> Any:
    """A month of an account of yours, with its totals and movements. Each one that is read is in the audit log."""
    made = exports.export_statement(
        actor=request.user, account=_own(request, number), month=Month(year, month), at=timezone.now()
    )
    return StatementOut.of(made)


@router.get("/accounts/{number}/statements/{year}/{month}/pdf", response={200: None}, openapi_extra=pdf_or(409, 429))
def statement_pdf(request: ApiRequest, number: OwnNumber, year: Year, month: MonthNumber) -> HttpResponse:
    """The same as a PDF."""
    made = exports.download_statement(
        actor=request.user, account=_own(request, number), month=Month(year, month), at=timezone.now()
    )
    return pdf_answer(made)


# --- Payees --------------------------------------------------------------------------------------------------


@router.get("/payees", response=PayeesOut, tags=["Payees"])
def payees_of(request: ApiRequest) -> Any:
    """Whom you have paid, the latest first. Somebody comes on this list by being paid."""
    return {"items": payee_selectors.payees_of(_sender(request))}


@router.post("/payees/lookup", response=NamedPayeeOut, openapi_extra=refuses(409), tags=["Payees"])
@rated("payee")
def look_up_payee(request: ApiRequest, data: LookupIn) -> Any:
    """Whether a number can be paid, and whether its holder has the name that you send. Those of transfers count as
    look-ups and checks too."""
    return payees.find_payee(actor=request.user, number=data.number, name=data.name).read_by(request.user)


@router.get("/payees/{uuid:payee_id}", response=PayeeOut, tags=["Payees"])
def payee(request: ApiRequest, payee_id: UUID) -> Any:
    """One of those whom you have paid."""
    return payee_selectors.payee_row(_sender(request), payee_id)


@router.patch("/payees/{uuid:payee_id}", response=PayeeOut, tags=["Payees"])
def rename_payee(request: ApiRequest, payee_id: UUID, data: RenamePayeeIn) -> Any:
    """Call a payee by a name of your own; only you see it."""
    payees.rename_payee(actor=request.user, public_id=payee_id, label=data.label)
    return payee_selectors.payee_row(request.user, payee_id)


@router.delete("/payees/{uuid:payee_id}", response={204: None}, tags=["Payees"])
def remove_payee(request: ApiRequest, payee_id: UUID) -> Status:
    """Take a payee off the list. The next payment to them is a first one again, and needs a code."""
    payees.remove_payee(actor=request.user, public_id=payee_id)
    return Status(204, None)


# --- What they share -----------------------------------------------------------------------------------------


def _holder(request: HttpRequest) -> User:
    """Return the user, if their role has accounts. Selectors do not check that; services do, once more."""
    require(request.user, "transfers.open_own_account")
    return request.user  # type: ignore[return-value]


def _sender(request: HttpRequest) -> User:
    """Return the user, if their role sends money."""
    require(request.user, "transfers.transfer_own_money")
    return request.user  # type: ignore[return-value]


def _own(request: HttpRequest, number: str) -> BankAccount:
    """Return the account with this number, if it belongs to the user.

    Raises:
        PermissionDenied
        BankAccount.DoesNotExist: 404, the same for another customer's account and for none.
    """
    return history.account_by_number(_holder(request), number)


def _ordered(request: ApiRequest, order: TransferOrder, *, label: str = "") -> Status:
    """Return 201; 202 if the order was held at first. A repeated request gets the same status, whatever was decided
    since."""
    status = 201 if order.state == OrderState.POSTED else 202
    return Status(status, history.receipt_of(order, request.user, label=label))


def _page(user: User, asked: HistoryIn, account: BankAccount | None = None) -> Page[history.EntryRow]:
    filters = asked.filters(account)
    return history.filtered_page(user, filters, after=Cursor.parse(asked.cursor) if asked.cursor else None)
