"""Things of Alice's to ask for, by any door."""

import json
import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.contrib import admin
from django.utils import timezone

from accounts import account_numbers
from accounts.models import AccountStatus, BankAccount, FreezeKind, PendingAct, User
from accounts.roles import Role
from accounts.staff.acts import ActingAdmin, StaffAct
from audit.sealing import seal
from support import tickets
from support.models import ServiceRequest, Ticket
from support.states import TicketStatus
from tests.access_walk import Hers
from tests.staff_acts import set_status
from transfers.models import FraudAlert, OrderKind, OrderState, Payee, Transaction, TransferOrder
from transfers.orders import fraud

Act = tuple[Any, StaffAct]


@dataclass
class World:
    """Contains `hers`; a held payment of hers, with an alert; a frozen account of hers; and two customers without
    accounts: Larry, who is locked, and Nina, who is not."""

    hers: Hers
    alice: Any
    bob: Any
    larry: Any
    nina: Any
    account: Any
    empty: Any  # an account of hers without money
    frozen: Any
    bobs: Any
    payment: Transaction
    held: TransferOrder
    alert: FraudAlert
    ticket: Ticket
    resolved: Ticket
    asked: ServiceRequest
    waits: PendingAct  # for a second administrator: another address of hers, that Archie asks for
    names: dict[str, Any]  # for each name in a path of the API

    def row_of(self, model: Any) -> Any:
        """Return one row of a model, Alice's if possible."""
        of_hers = {User: self.alice, BankAccount: self.account}
        return of_hers.get(model) or model._default_manager.order_by("-pk")[0]

    def row_for(self, model: Any, act: StaffAct) -> Any:
        """Return a row on which an act is offered now."""
        rows = {
            User: [self.nina, self.larry],
            BankAccount: [self.account, self.frozen],
            Transaction: [self.payment],
            TransferOrder: [self.held],
            Ticket: [self.ticket, self.resolved],
        }.get(model, model._default_manager.order_by("-pk"))
        found: Any = next((row for row in rows if act.is_offered(row)), None)
        assert found is not None, f"no row in tests/access/world.py fits “{act.label}”: add one to `row_for`"
        return found


def acts() -> list[Act]:
    """Return every act of staff on every model, as the admin offers them."""
    pages = admin.site._registry.items()
    return [(model, act) for model, page in pages if isinstance(page, ActingAdmin) for act in page.acts]


def name_of(model: Any, act: StaffAct) -> str:
    return f"{model._meta.model_name}/{act.name}"


def world_of(hers: Hers, alice: Any, bob: Any, make_user: Any, open_account: Any, api_of: Any) -> World:
    accounts: Any = BankAccount.objects  # customers', so each has a number
    account, empty = (accounts.get(public_id=hers.fields[name]) for name in ("source", "target"))
    bobs = accounts.get(pk=Payee.objects.get(customer=alice).account_id)
    frozen = open_account(alice)
    set_status(frozen, AccountStatus.FROZEN, FreezeKind.SUPPORT)
    frozen.refresh_from_db()
    held = TransferOrder.objects.create(
        kind=OrderKind.PAYMENT, initiator=alice, source=account, target=bobs, amount=Decimal(33),
        key_digest="k", inputs_digest="i", state=OrderState.HELD, description="Zanzibar",
    )  # fmt: skip
    hers.of_page["order_cancel"] = {"public_id": held.public_id}
    account.held = held.amount
    account.save(update_fields=["held"])
    resolved = tickets.open_ticket(actor=alice, subject="A card", text="It came.", idempotency_key=secrets.token_hex(8))
    resolved.status = TicketStatus.RESOLVED
    resolved.save(update_fields=["status"])
    larry, nina = make_user("Larry"), make_user("Nina")
    waits = PendingAct(
        kind="edit_user", subject_id=str(alice.public_id), person=alice, reason="She called from home.",
        asked_by=make_user("Archie", Role.ADMIN),
    )  # fmt: skip
    waits.payload = json.dumps({"email": "alicia@example.com", "email_before": alice.email})
    waits.save()
    User.objects.filter(pk=larry.pk).update(locked_at=timezone.now())
    world = World(
        hers=hers, alice=alice, bob=bob, larry=User.objects.get(pk=larry.pk), nina=nina, account=account, empty=empty,
        frozen=frozen, bobs=bobs, payment=Transaction.objects.get(reference=hers.fields["reference"]), held=held,
        alert=FraudAlert.objects.create(order=held, rule=fraud.Rule.SUSPICIOUS_AMOUNT),
        ticket=Ticket.objects.get(public_id=hers.of_page["ticket"]["public_id"]), resolved=resolved,
        asked=ServiceRequest.objects.get(public_id=hers.of_page["service_request"]["public_id"]), waits=waits,
        names={},
    )  # fmt: skip
    world.names = _names(world, api_of(alice).tokens.session)
    seal()
    return world


def _names(world: World, session: Any) -> dict[str, Any]:
    today = timezone.localdate()
    return {
        "number": world.account.number,
        "session_id": session,
        "year": today.year,
        "month": today.month,
        "order_id": world.hers.of_page["receipt"]["public_id"],
        "payee_id": world.hers.of_page["payee"]["public_id"],
        "ticket_id": world.ticket.public_id,
        "request_id": world.asked.public_id,
        "hold_id": world.held.public_id,
        "alert_id": world.alert.public_id,
        "user_id": world.alice.public_id,
        "act_id": world.waits.public_id,
        "reference": world.payment.reference,
    }


def made_up_names(world: World) -> dict[str, Any]:
    """Return, for each name in a path of the API, a value of the right type that belongs to nobody."""
    texts = {"number": account_numbers.new_number(), "reference": "NOBODYS-ONE", "year": 2026, "month": 1}
    return {name: texts.get(name, uuid4()) for name in world.names}
