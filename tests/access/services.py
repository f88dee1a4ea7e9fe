"""Every service with an actor: the permission, and for the staff's the arguments.

A new one is found by its parameter `actor`, and belongs in one of the tables.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts import people
from accounts.models import AccountKind, AccountStatus, BankAccount, PendingAct, User
from accounts.people import common, email_change, on_request, page_acts, profile
from accounts.permission import administrators, second_person
from accounts.permission.authority import require_authority, require_request
from accounts.programs import credentials as api_credentials
from accounts.programs import sessions as api_sessions
from accounts.roles import Role
from accounts.sign_in import authenticator, devices, fresh_code, pins
from accounts.sign_in.passwords import change as passwords
from accounts.sign_in.sessions import ending, pages
from accounts.sign_in.sessions import rows as user_sessions
from support import tickets
from support.requests import services as requests
from tests import staff_acts
from tests.access.world import World
from tests.access_walk import OURS
from tests.staff_acts import an_origin, approved, stored
from transfers.accounts import closing, freezing, opening, renaming
from transfers.orders import cash, holds, large_reversals, own_limits, ownership, reversals, screening, sending
from transfers.orders import records as order_records
from transfers.payees import services as payees
from transfers.statements import exports

_ON_REQUEST = "support.decide_request"


@dataclass(frozen=True)
class Staffs:
    """A service of the staff: the permission to call it, and its arguments beside actor, reason and codes.

    With `verb`, an approved request for this verb on the first argument is the permission.
    """

    service: Callable[..., Any]
    permission: str
    given: Callable[[World], dict[str, Any]]
    verb: str = ""
    tells: bool = True  # the customer, by mail
    to_colleagues: bool = False  # the mail is for administrators only: the customer is told when it is done

    def parameters(self) -> set[str]:
        return set(inspect.signature(self.service).parameters)

    @property
    def reason_name(self) -> str:
        """Return the name of its reason; "" if it asks for none."""
        return next(iter({"reason", "note"} & self.parameters()), "")

    def call(self, world: World, actor: Any, reason: str = staff_acts.REASON, approve: Any = approved) -> Any:
        given = self.given(world)
        if self.verb:
            given["authority"] = approve(self.verb, next(iter(given.values())))
        fitting: dict[str, Callable[[], Any]] = {
            self.reason_name: lambda: reason,
            "code": lambda: staff_acts.fresh_code(actor),
            "customer_code": lambda: staff_acts.fresh_code(world.alice),
            "idempotency_key": lambda: "a key of this call",
            "origin": an_origin,
        }
        given |= {name: make() for name, make in fitting.items() if name in self.parameters()}
        return self.service(actor=actor, **given)


def _alice(world: World) -> dict[str, Any]:
    return {"user": stored(world.alice)}


def _larry(world: World) -> dict[str, Any]:
    return {"user": stored(world.larry)}


def _held(world: World) -> dict[str, Any]:
    return {"order": world.held}


def _edited(world: World) -> dict[str, Any]:
    PendingAct.objects.all().delete()  # one waits at a time
    row = stored(world.alice)
    names = {"first_name": "Alicia", "last_name": "", "email": "alicia@example.com", "phone": "", "is_active": True}
    return {"user": row, "seen": people.version_of(row)} | names


def _with_a_pin(world: World) -> dict[str, Any]:
    User.objects.filter(pk=world.alice.pk).update(pin_hash="a hash")
    return _alice(world)


def _without_accounts(world: World) -> dict[str, Any]:
    BankAccount.objects.filter(owner=world.alice).update(status=AccountStatus.CLOSED)
    return _alice(world) | {"role": Role.SUPPORT}


def _at_the_counter(world: World) -> dict[str, Any]:
    return {"account": world.account, "amount": Decimal(2)}


def _opened(world: World) -> dict[str, Any]:
    return {"owner": world.bob, "kind": AccountKind.SAVINGS, "opening_deposit": Decimal(1)}


def _a_name(world: World) -> dict[str, Any]:
    return _alice(world) | {"first_name": "A", "last_name": "B", "address": "C"}


def _more(world: World) -> dict[str, Any]:
    return {"customer": world.alice, "amount": Decimal(30_000)}


def _ticket(world: World) -> dict[str, Any]:
    return {"public_id": world.ticket.public_id}


def _words(world: World) -> dict[str, Any]:
    return _ticket(world) | {"text": "It is in the post."}


def _asked(world: World) -> dict[str, Any]:
    return {"public_id": world.asked.public_id}


def _waits(world: World) -> dict[str, Any]:
    return {"act": PendingAct.objects.get(pk=world.waits.pk)}


STAFF: dict[str, Staffs] = {
    "lock_user": Staffs(people.lock_user, "accounts.lock_user", _alice),
    "unlock_user": Staffs(people.unlock_user, "accounts.unlock_user", _larry),
    "change_role": Staffs(people.change_role, "accounts.change_role", _without_accounts, to_colleagues=True),
    "edit_user": Staffs(people.edit_user, "accounts.edit_user", _edited),
    "approve": Staffs(second_person.approve, "accounts.decide_pendingact", _waits),
    "stop": Staffs(second_person.stop, "accounts.decide_pendingact", _waits, to_colleagues=True),
    "freeze_account": Staffs(
        freezing.freeze_account, "accounts.freeze_account", lambda world: {"account": world.account}
    ),
    "unfreeze_account": Staffs(
        freezing.unfreeze_account, "accounts.unfreeze_account", lambda world: {"account": world.frozen}
    ),
    "open_account": Staffs(opening.open_account, "transfers.open_account_for_customer", _opened),
    "reverse_or_ask": Staffs(
        large_reversals.reverse_or_ask, "transfers.reverse_transaction", lambda world: {"transaction": world.payment}
    ),
    "reverse_transaction": Staffs(
        reversals.reverse_transaction, "transfers.reverse_transaction", lambda world: {"transaction": world.payment}
    ),
    "deposit_at_counter": Staffs(cash.deposit_at_counter, "transfers.deposit_at_counter", _at_the_counter),
    "withdraw_at_counter": Staffs(cash.withdraw_at_counter, "transfers.withdraw_at_counter", _at_the_counter),
    "release_order": Staffs(holds.release_order, "transfers.decide_held_transfer", _held),
    "reject_order": Staffs(holds.reject_order, "transfers.decide_held_transfer", _held),
    "close_alert": Staffs(
        screening.close_alert, "transfers.close_fraud_alert", lambda world: {"alert": world.alert}, tells=False
    ),
    "approve_request": Staffs(requests.approve_request, "support.decide_request", _asked),
    "reject_request": Staffs(requests.reject_request, "support.decide_request", _asked),
    "answer_ticket": Staffs(tickets.answer_ticket, "support.handle_ticket", _words),
    "note_on_ticket": Staffs(tickets.note_on_ticket, "support.handle_ticket", _words, tells=False),
    "take_ticket": Staffs(tickets.take_ticket, "support.handle_ticket", _ticket),
    "resolve_ticket": Staffs(tickets.resolve_ticket, "support.handle_ticket", _ticket),
    "reopen_ticket": Staffs(
        tickets.reopen_ticket, "support.handle_ticket", lambda world: {"public_id": world.resolved.public_id}
    ),
    "update_identity": Staffs(on_request.update_identity, _ON_REQUEST, _a_name, "update_identity"),
    "reset_two_factor": Staffs(on_request.reset_two_factor, _ON_REQUEST, _alice, "reset_two_factor"),
    "reset_pin": Staffs(on_request.reset_pin, _ON_REQUEST, _with_a_pin, "reset_pin"),
    "raise_daily_limit": Staffs(own_limits.raise_daily_limit, _ON_REQUEST, _more, "raise_daily_limit"),
    "close_account": Staffs(
        closing.close_account_on_request, _ON_REQUEST, lambda world: {"account": world.empty}, "close_account"
    ),
    "freeze_account by request": Staffs(
        freezing.freeze_account, _ON_REQUEST, lambda world: {"account": world.empty}, "freeze_account"
    ),
    "unfreeze_account by request": Staffs(
        freezing.unfreeze_account, _ON_REQUEST, lambda world: {"account": world.frozen}, "unfreeze_account"
    ),
}

# Services of customers for their own things, by permission. Each is 403 before its arguments are looked at.
CUSTOMERS: dict[str, tuple[Callable[..., Any], ...]] = {
    "transfers.open_own_account": (
        closing.close_account,
        exports.download_receipt,
        exports.download_statement,
        exports.export_history,
        exports.export_statement,
        freezing.freeze_own_account,
        renaming.rename_account,
    ),
    "transfers.deposit_own": (cash.deposit, cash.foresee_deposit),
    "transfers.withdraw_own": (cash.challenge_for, cash.withdraw),
    "transfers.transfer_own_money": (
        holds.cancel_order,
        own_limits.lower_daily_limit,
        payees.find_payee,
        payees.find_sides,
        payees.remove_payee,
        payees.rename_payee,
        sending.challenge_for,
        sending.transfer,
    ),
    "support.open_ticket": (tickets.open_ticket, tickets.reply_to_ticket),
    "support.file_request": (requests.cancel_request, requests.file_request),
}
# Services about oneself, for any role; without a role nothing, before the arguments are looked at.
EVERYBODYS: tuple[Callable[..., Any], ...] = (
    api_credentials.begin_replacement,
    authenticator.new_pending_device,
    authenticator.renew_recovery_codes,
    authenticator.replace_by,
    email_change.confirm_change,
    email_change.request_change,
    pins.remove_pin,
    pins.set_pin,
    profile.update_details,
)
# Parts of other services, whose session, link or caller has already been let through.
PARTS: tuple[Callable[..., Any], ...] = (
    # signing in and out, and one's own sessions and password
    api_credentials.change_password,
    api_sessions.renew_all,
    api_sessions.sign_out,
    devices.meet,
    devices.meet_program,
    pages.begin,
    passwords.change_password,
    ending.end_one,
    ending.end_others,
    user_sessions.new_row,
    # checks before something is done
    api_credentials.complete_replacement,
    common.locked_row,
    common.refuse_self,
    fresh_code.verify_fresh_code,
    page_acts.replacement_device,
    ownership.require_owner,
    ownership.served_customer,
    passwords.check_own_password,
    passwords.choose_password,
    fresh_code.require_recent_code,
    require_authority,
    require_request,
    reversals.refuse_unfit,
    screening.refuse_parties,
    administrators.take_turn,
    # acts after those checks
    second_person.ask,
    common.record_act,
    common.told_if_nobody_could_agree,
    order_records.report_of,
    requests.perform,
    screening.close_alerts_of,
    opening.counted_try,
)


def services_with_an_actor() -> Iterator[Callable[..., Any]]:
    """Yield every public function of the three apps with an actor, in any module."""
    for app in OURS:
        package = importlib.import_module(app)
        for found in pkgutil.walk_packages(package.__path__, f"{app}."):
            if {"tests", "migrations"} & set(found.name.split(".")):
                continue
            module = importlib.import_module(found.name)
            for name, one in vars(module).items():
                is_own = inspect.isfunction(one) and one.__module__ == found.name and not name.startswith("_")
                if is_own and "actor" in inspect.signature(one).parameters:
                    yield one
