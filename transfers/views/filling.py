"""The initial values of the forms to send money; names in the address that are not the customer's are ignored."""

from typing import Any
from uuid import UUID

from django.utils.http import urlencode

from accounts.models import BankAccount, SignedInRequest
from foundation.money import as_typed
from transfers import history
from transfers.models import OrderKind
from transfers.names import payee_of
from transfers.orders import drafts
from transfers.payees import selectors as payee_selectors

_STARTS = ("draft", "again", "from", "amount")


def initial_of(request: SignedInRequest, kind: OrderKind) -> dict[str, Any]:
    """Return the draft to go back to, the order to repeat or the account to come from, and the chosen payee."""
    initial = _of_draft(request) or _of_order(request, kind) or _of_account(request)
    payee_id = id_in(request, "payee")
    payee = payee_selectors.payable(request.user, payee_id) if payee_id else None
    return initial | ({"number": payee.number, "name": payee.name} if payee else {})


def payee_choices(request: SignedInRequest, *, most: int) -> list[dict[str, Any]]:
    """Return the latest payees, each with the address that fills the form in for them and keeps its initial values."""
    kept = {name: request.GET[name] for name in _STARTS if request.GET.get(name)}
    chosen = request.GET.get("payee")
    return [
        {
            "payee": row,
            "url": f"{request.path}?{urlencode(kept | {'payee': str(row.public_id)})}",
            "chosen": row.can_receive and str(row.public_id) == chosen,
        }
        for row in payee_selectors.payees_of(request.user, most=most)
    ]


def first_but(accounts: list[BankAccount], other: object) -> str:
    """Return the first of the accounts that is not the other side already."""
    ids = (str(account.public_id) for account in accounts)
    return next((public_id for public_id in ids if public_id != str(other or "")), "")


def _of_draft(request: SignedInRequest) -> dict[str, Any] | None:
    draft_id = id_in(request, "draft")
    draft = drafts.draft_of(request.session, draft_id) if draft_id else None
    if draft is None or not draft.is_transfer:
        return None
    source, target = drafts.sides_of(draft)
    return _filled(source, target, as_typed(draft.decimal_amount), draft.description) | {"name": draft.name}


def _of_order(request: SignedInRequest, kind: OrderKind) -> dict[str, Any] | None:
    order_id = id_in(request, "again")
    order = history.order_to_repeat(request.user, order_id, kind) if order_id else None
    if order is None:
        return None
    initial = _filled(order.source, order.target, as_typed(order.amount), order.description)
    initial["name"] = payee_selectors.typed_name(payee_of(order))
    # Own accounts that are closed or frozen now are not offered any more.
    inactive = [name for name, account in (("source", order.source), ("target", order.target)) if not account.is_active]
    return initial | dict.fromkeys(inactive, "")


def _of_account(request: SignedInRequest) -> dict[str, Any]:
    """Read `?from=`, an account of the user; `&amount=all`: with everything that can be moved out of it."""
    source = id_in(request, "from")
    initial: dict[str, Any] = {"source": request.GET.get("from", "")}
    if source is None or request.GET.get("amount") != "all":
        return initial
    account = BankAccount.objects.filter(owner=request.user, public_id=source).first()
    return initial | ({"amount": as_typed(account.available)} if account is not None and account.available > 0 else {})


def _filled(source: BankAccount, target: BankAccount, amount: str, description: str) -> dict[str, Any]:
    return {
        "source": source.public_id,
        "target": target.public_id,
        "number": payee_selectors.typed_number(target),
        "amount": amount,
        "description": description,
    }


def id_in(request: SignedInRequest, name: str) -> UUID | None:
    """Return the id that the address gives under `name`; None if it gives none."""
    try:
        return UUID(request.GET.get(name, ""))
    except ValueError:
        return None
