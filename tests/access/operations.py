"""Every operation of the API: what opens it, what is sent, and what it then answers."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from bankproject.api import api
from tests.access.doors import Door
from tests.access.visitors import EVERYBODY, Visitor
from tests.access.world import World
from tests.api_client import ApiClient, told
from tests.plugin import PASSWORD
from tests.staff_acts import REASON, fresh_code

ROOT = "/api/v1/"
KEY = "a-key-for-each-thing"
_ACCOUNTS, _DEPOSIT, _WITHDRAW, _PAY, _WRITE, _ASK = (
    "transfers.open_own_account",
    "transfers.deposit_own",
    "transfers.withdraw_own",
    "transfers.transfer_own_money",
    "support.open_ticket",
    "support.file_request",
)


class Sent(NamedTuple):
    """Things of Alice's that can be named, and who asks."""

    world: World
    asker: Any = None

    @property
    def code(self) -> str:
        """Return the code in their authenticator app."""
        return fresh_code(self.asker) if self.asker else ""


class Op(NamedTuple):
    """What it answers to visitors whom `permission` lets in, and what is sent.

    An operation of customers that names something of Alice's is 404 for any other: in its path, or in its body if
    `names_hers` says so.
    """

    permission: str
    status: int
    body: Callable[[Sent], Any] = lambda sent: None
    names_hers: bool = False
    of_owners: str = ""  # opens it to customers, for their own things, where staff do it too

    def permission_of(self, visitor: Visitor) -> str:
        return self.of_owners if self.of_owners and visitor.may(self.of_owners) else self.permission


def a_code(sent: Sent) -> dict[str, Any]:
    return {"code": sent.code}


def a_reason(sent: Sent) -> dict[str, Any]:
    return {"reason": REASON}


def a_reason_and_code(sent: Sent) -> dict[str, Any]:
    return {"reason": REASON, "code": sent.code}


def an_amount(sent: Sent) -> dict[str, Any]:
    return {"amount": "1.00"}


# Asked without a token; sent empty, they only say what they need.
PUBLIC = {
    "POST auth/login",
    "POST auth/password-reset",
    "POST auth/password-reset/confirm",
    "POST auth/refresh",
    "POST auth/register",
    "POST auth/register/confirm",
    "POST auth/two-factor/confirm",
    "POST auth/two-factor/enrol",
}
OPERATIONS = {
    # Signing in
    "DELETE auth/sessions/{session_id}": Op(EVERYBODY, 204, a_code),
    "GET auth/session": Op(EVERYBODY, 200),
    "GET auth/sessions": Op(EVERYBODY, 200),
    "POST auth/logout": Op(EVERYBODY, 204),
    "POST auth/sessions/end-others": Op(EVERYBODY, 200, a_code),
    # Accounts and money
    "GET accounts": Op(_ACCOUNTS, 200),
    "GET accounts/{number}": Op(_ACCOUNTS, 200),
    "GET accounts/{number}/statements": Op(_ACCOUNTS, 200),
    "GET accounts/{number}/statements/{year}/{month}": Op(_ACCOUNTS, 200),
    "GET accounts/{number}/statements/{year}/{month}/pdf": Op(_ACCOUNTS, 200),
    "GET accounts/{number}/transactions": Op(_ACCOUNTS, 200),
    "GET orders/{order_id}": Op(_ACCOUNTS, 200),
    "GET orders/{order_id}/pdf": Op(_ACCOUNTS, 200),
    "GET transactions": Op(_ACCOUNTS, 200),
    "PATCH accounts/{number}": Op(_ACCOUNTS, 200, lambda sent: {"nickname": "Mine"}),
    # For a payment that was never held.
    "POST orders/{order_id}/cancel": Op(_PAY, 409),
    "POST accounts": Op(_ACCOUNTS, 201, lambda sent: {"kind": "checking"}),
    "POST accounts/{number}/close": Op(_ACCOUNTS, 409),
    "POST accounts/{number}/deposit": Op(_DEPOSIT, 201, an_amount),
    "POST accounts/{number}/transfer": Op(_PAY, 201, lambda sent: {"amount": "1.00", "to": sent.world.bobs.number}),
    "POST accounts/{number}/withdraw": Op(_WITHDRAW, 201, an_amount),
    # Payees
    "DELETE payees/{payee_id}": Op(_PAY, 204),
    "GET payees": Op(_PAY, 200),
    "GET payees/{payee_id}": Op(_PAY, 200),
    "PATCH payees/{payee_id}": Op(_PAY, 200, lambda sent: {"label": "Mine"}),
    # Hers, but he is about to pay her.
    "POST payees/lookup": Op(_PAY, 200, lambda sent: {"number": sent.world.account.number}),
    # Profile
    "DELETE profile/pin": Op(EVERYBODY, 409, a_code),
    "GET profile": Op(EVERYBODY, 200),
    "GET profile/sign-ins": Op(EVERYBODY, 200),
    "PATCH profile": Op(EVERYBODY, 200, lambda sent: {"address": "Mine 1", "code": sent.code}),
    "POST profile/authenticator": Op(EVERYBODY, 201, a_code),
    "POST profile/authenticator/confirm": Op(
        EVERYBODY, 409, lambda sent: {"replacement_token": "x" * 40, "code": sent.code}
    ),
    "POST profile/email": Op(
        EVERYBODY, 202, lambda sent: {"email": "mine@example.com", "password": PASSWORD, "code": sent.code}
    ),
    "POST profile/email/confirm": Op(EVERYBODY, 404, lambda sent: {"token": "x" * 43}),
    "POST profile/password": Op(
        EVERYBODY,
        200,
        lambda sent: {"current_password": PASSWORD, "new_password": "a sentence of mine and no other"},
    ),
    "POST profile/recovery-codes": Op(EVERYBODY, 201, a_code),
    "PUT profile/pin": Op(EVERYBODY, 204, lambda sent: {"pin": "271828", "code": sent.code}),
    # Daily limit
    "GET daily-limit": Op(_PAY, 200),
    "PUT daily-limit": Op(_PAY, 200, lambda sent: {"amount": "10.00"}),
    # Tickets and requests
    "GET requests": Op(_ASK, 200),
    "GET requests/{request_id}": Op(_ASK, 200),
    "GET tickets": Op(_WRITE, 200),
    "GET tickets/{ticket_id}": Op(_WRITE, 200),
    "POST requests": Op(
        _ASK, 201, lambda sent: {"kind": "close_account", "account": sent.world.empty.number}, names_hers=True
    ),
    "POST requests/{request_id}/cancel": Op(_ASK, 204),
    "POST tickets": Op(_WRITE, 201, lambda sent: {"subject": "Mine", "text": "Mine"}),
    "POST tickets/{ticket_id}/replies": Op(_WRITE, 204, lambda sent: {"text": "Mine"}),
    # Staff
    "GET alerts": Op("transfers.view_fraudalert", 200),
    "GET audit/entries": Op("audit.view_auditentry", 200),
    "GET holds": Op("transfers.view_transferorder", 200),
    "GET staff/requests": Op("support.view_servicerequest", 200),
    "GET staff/requests/{request_id}": Op("support.view_servicerequest", 200),
    "GET staff/transactions": Op("transfers.view_transaction", 200),
    "GET users": Op("accounts.view_user", 200),
    "GET users/{user_id}": Op("accounts.view_user", 200),
    "GET accounts/{number}/freezes": Op("accounts.view_bankaccount", 200),
    "POST accounts/{number}/freeze": Op("accounts.freeze_account", 204, a_reason, of_owners=_ACCOUNTS),
    "POST accounts/{number}/unfreeze": Op("accounts.unfreeze_account", 409, a_reason),
    "POST alerts/{alert_id}/close": Op("transfers.close_fraud_alert", 204, a_reason),
    "POST holds/{hold_id}/reject": Op("transfers.decide_held_transfer", 200, a_reason),
    "POST holds/{hold_id}/release": Op("transfers.decide_held_transfer", 200, a_reason),
    "POST staff/requests/{request_id}/approve": Op("support.decide_request", 200, a_reason),
    "POST staff/requests/{request_id}/reject": Op("support.decide_request", 200, a_reason),
    "POST transactions/{reference}/reverse": Op("transfers.reverse_transaction", 201, a_reason),
    "GET staff/pending-acts": Op("accounts.view_pendingact", 200),
    "POST staff/pending-acts/{act_id}/approve": Op("accounts.decide_pendingact", 200, a_reason_and_code),
    "POST staff/pending-acts/{act_id}/stop": Op("accounts.decide_pendingact", 200, a_reason_and_code),
    "POST users/{user_id}/lock": Op("accounts.lock_user", 204, a_reason_and_code),
    "POST users/{user_id}/role": Op(
        "accounts.change_role", 409, lambda sent: a_reason_and_code(sent) | {"role": "Support"}
    ),
    "POST users/{user_id}/unlock": Op("accounts.unlock_user", 409, a_reason_and_code),
}


def status_for(name: str, visitor: Visitor) -> int:
    op = OPERATIONS[name]
    if not visitor.may(op.permission_of(visitor)):
        return 403
    is_of_staff = visitor.is_staff and op.permission != EVERYBODY
    if ("{" in name or op.names_hers) and not visitor.is_alice and not is_of_staff:
        return 404
    return op.status


def doors(visitor: Visitor, world: World) -> Iterator[Door]:
    """Yield each operation about Alice's things, called by a program with a valid token."""
    for name, op in OPERATIONS.items():
        yield Door(
            name=name,
            permission=op.permission_of(visitor),
            answers=str(status_for(name, visitor)),
            ask=lambda walker, name=name: asked(walker.program, name, Sent(world, walker.user)),  # type: ignore[misc]
            look=_look,
            is_to_look=name.startswith("GET"),
        )


def asked(program: ApiClient, name: str, sent: Sent | None, names: dict[str, Any] | None = None) -> Any:
    """Return the answer to an operation, sent as the table says, or empty."""
    method, path = name.split()
    body = OPERATIONS[name].body(sent) if sent and name in OPERATIONS else {}
    names = names or (sent.world.names if sent else {})
    return program.send(method, path.format(**names), _as_json(body), Idempotency_Key=KEY)


def _as_json(body: Any) -> bytes:
    return b"" if body is None else json.dumps(body).encode()


def _look(answer: Any) -> str:
    if answer.status_code >= 400:
        told(answer)
    return ""


documented_paths = cache(lambda: api.get_openapi_schema()["paths"])


def documented(name: str) -> Any:
    """Return what the OpenAPI document says about an operation."""
    method, path = name.split()
    return documented_paths()[ROOT + path][method.lower()]
