"""A bank in which the fuzzed API finds something: its ids, numbers, passwords and tokens."""

import json
import re
import secrets
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from accounts.models import AccountKind, AccountStatus, BankAccount, PendingAct, TotpDevice, User
from accounts.people import email_change, registration
from accounts.programs import credentials as api_credentials
from accounts.programs import enrolment as api_enrolment
from accounts.programs import sessions as api_sessions
from accounts.programs.sessions import Tokens
from accounts.roles import Role
from accounts.sign_in import pins
from accounts.sign_in.origin import Origin
from accounts.sign_in.passwords import reset as password_reset
from support import tickets
from support.models import RequestKind
from support.requests import services as requests
from tests import acts
from tests.plugin import PASSWORD
from tests.staff_acts import set_status
from transfers.accounts import opening
from transfers.models import FraudAlert, Payee, Transaction

ALICE, ADMINISTRATOR, NOBODY = "Alice", "an administrator", "nobody"
WHO = (ALICE, ADMINISTRATOR, NOBODY)
NEW_PASSWORD = "seven grey herons on a jetty"
PIN = "284057"
ORIGIN = Origin(ip="127.0.0.1")

Known = dict[str, list[Any]]  # by the name of a field or parameter; a callable is called for each case


@dataclass
class Bank:
    """`known` by person; `known_to` by operation, which wins."""

    people: dict[str, User]
    known: dict[str, Known]
    known_to: dict[str, Known]
    tokens: dict[str, Tokens] = field(default_factory=dict)

    def values_for(self, who: str, operation_id: str) -> Known:
        begun = {"replacement_token": [lambda: self._replacement_token(who)]}
        return self.known[who] | begun | self.known_to.get(operation_id, {})

    def sign_in(self, who: str) -> str:
        """Return an access token that is good now."""
        self.tokens[who] = tokens_of(self.people[who])
        return self.tokens[who].access_token

    def _replacement_token(self, who: str) -> str:
        user, session = self.people[who], self.tokens[who].session
        code = code_of(user)
        begun = api_credentials.begin_replacement(actor=user, session=session, code=code, origin=ORIGIN)
        return begun.replacement_token


def tokens_of(user: User) -> Tokens:
    device = TotpDevice.objects.get(user=user, confirmed=True)
    return api_sessions.begin(user=user, device=device, origin=ORIGIN)


def code_of(user: User) -> str:
    """Return the code of the app begun last; its use is forgotten."""
    device = TotpDevice.objects.filter(user=user).latest("pk")
    TotpDevice.objects.filter(pk=device.pk).update(last_step=-1, throttling_failure_count=0)
    return f"{device.totp().token():06d}"


def make_bank() -> Bank:
    """Make Alice with one of everything that she can have, and one of everything that waits for an administrator."""
    hashed = make_password(PASSWORD)

    def person(name: str, role: Role = Role.CUSTOMER, *, two_factor: bool = True) -> User:
        email = f"{name.lower()}@example.com"
        user = registration.create_user(
            password_hash=hashed, role=role, first_name=name, last_name="Example", email=email,
            phone="+49 30 5550101", address="Lindenallee 4\nBerlin",
        )  # fmt: skip
        if two_factor:
            TotpDevice(user=user, name="phone", confirmed=True, key=secrets.token_hex(20)).save()
        return user

    alice, bob, locked = person("Alice"), person("Bob"), person("Lena")
    ada, clerk = person("Ada", Role.ADMIN), person("Sam", Role.SUPPORT)
    newcomer = person("Nils", two_factor=False)
    User.objects.filter(pk=locked.pk).update(locked_at=timezone.now())
    of_money = _money_of(alice, bob)
    of_help = _help_of(alice, of_money["account"][2])
    of_help["act_id"] = [_waiting_act(person("Archie", Role.ADMIN), locked).public_id]
    of_help["user_id"] = [bob.public_id, locked.public_id, clerk.public_id, alice.public_id]
    of_all: Known = of_money | of_help | _texts() | {"cursor": []}
    known = {
        ALICE: of_all | _secrets_of(alice),
        ADMINISTRATOR: of_all | _secrets_of(ada),
        NOBODY: of_all | _secrets_of(alice),
    }
    numbers = of_money["account"]
    known_to = _links(alice) | {
        "enrol": {"email": [newcomer.email], "link_token": [""]},
        "confirm_enrolment": _enrolment_of(newcomer),
        "unlock_user": {"user_id": [locked.public_id]},
        "unfreeze_account": {"number": [numbers[3]]},
        "close_account": {"number": [numbers[1]]},
        "login": {"pin": []},
        # Customers with accounts stay customers, and nobody gets the role that they have.
        "change_role": {"user_id": [clerk.public_id], "role": [Role.AUDITOR.value, Role.CUSTOMER.value]},
    }
    return Bank({ALICE: alice, ADMINISTRATOR: ada, NOBODY: alice}, known, known_to)


def _waiting_act(asker: User, person: User) -> PendingAct:
    """Return an act that waits for a second administrator: another address for a person."""
    act = PendingAct(
        kind="edit_user", subject_id=str(person.public_id), person=person, asked_by=asker, reason="They have called."
    )
    act.payload = json.dumps({"email": "elsewhere@example.com", "email_before": person.email})
    act.save()
    return act


def _money_of(alice: User, bob: User) -> Known:
    """Return numbers: one with money, an empty one, one asked to be frozen, a frozen one, and one of Bob's."""

    def account(owner: User, deposit: str = "0") -> BankAccount:
        with acts.any_cash(owner):
            return opening.open_account(
                actor=owner,
                kind=AccountKind.CHECKING,
                opening_deposit=Decimal(deposit),
                idempotency_key=secrets.token_hex(8),
            )

    rich, *others, bobs = account(alice, "50000.00"), account(alice), account(alice), account(alice), account(bob)
    acts.know(alice, bobs)

    def pay(amount: int) -> Any:
        key = secrets.token_hex(8)
        return acts.transfer(actor=alice, source=rich, target=bobs, amount=Decimal(amount), idempotency_key=key)

    paid, held = pay(5), pay(12_000)
    set_status(others[2], AccountStatus.FROZEN)
    reference = Transaction.objects.get(pk=paid.transaction_id).reference
    today = timezone.localdate()
    numbers = [rich.number, *(other.number for other in others), bobs.number]
    return {
        "number": numbers,
        "account": numbers,
        "to": [bobs.number, others[0].number],
        "amount": ["1.00", "0.01"],
        "opening_deposit": ["0", "1.00"],
        "order_id": [paid.public_id, held.public_id],
        "hold_id": [held.public_id],
        "alert_id": [alert.public_id for alert in FraudAlert.objects.order_by("pk")],
        "payee_id": [Payee.objects.get(customer=alice).public_id],
        "reference": [reference],
        "year": [today.year],
        "month": [today.month],
    }


def _help_of(alice: User, number: str) -> Known:
    account = next(one for one in alice.bank_accounts.all() if one.number == number)
    ticket = tickets.open_ticket(actor=alice, subject="Quokka", text="Where is it?", idempotency_key="a-ticket")
    asked = requests.file_request(actor=alice, kind=RequestKind.FREEZE_ACCOUNT, account=account, reason="Stolen.")
    return {"ticket_id": [ticket.public_id], "request_id": [asked.public_id]}


def _secrets_of(user: User) -> Known:
    pins.set_pin(actor=user, pin=PIN, code=code_of(user), origin=ORIGIN)
    user.refresh_from_db()
    sessions = user.sessions
    return {
        "email": [user.email],
        "password": [PASSWORD],
        "current_password": [PASSWORD],
        "new_password": [NEW_PASSWORD],
        "pin": ["730164"],
        "code": [lambda: code_of(user)],
        "session_id": [lambda: sessions.latest("pk").public_id],
        "refresh_token": [lambda: tokens_of(user).refresh_token],
    }


def _texts() -> Known:
    return {name: ["Because of the Zanzibar business"] for name in ("reason", "note", "text", "subject")} | {
        "description": ["Zanzibar", ""],
        "nickname": ["Moonfund", ""],
        "label": ["Wisteria", ""],
        "name": ["Bob Example", "Carla Cole", ""],
        "first_name": ["Nora"],
        "last_name": ["Newton"],
        "phone": ["+49 40 5550199"],
        "address": ["Hafenstraße 9, Hamburg"],
    }


def _links(alice: User) -> dict[str, Known]:
    """Return the tokens of mails, each for the operation that takes it."""
    registration.register(
        first_name="Nora", last_name="", email="nora@example.com", phone="+49 40 5550199", address="Hafenstraße 9",
        password=PASSWORD, ip="127.0.0.1",
    )  # fmt: skip
    password_reset.request_reset(email=alice.email, ip="127.0.0.1")
    reset = _token_for(alice.email)
    email_change.request_change(
        actor=alice, new_email="alice@elsewhere.example", password=PASSWORD, code=code_of(alice), origin=ORIGIN
    )
    return {
        "confirm_registration": {"token": [_token_for("nora@example.com")]},
        "reset_password": {"token": [reset]},
        "confirm_email_change": {"token": [_token_for("alice@elsewhere.example")]},
        "request_email_change": {"email": ["alice@another.example"]},
        "register": {"email": ["nobody@example.com"]},
    }


def _token_for(email: str) -> str:
    found = re.search(r"([^/\s]+)/?$", acts.link_for(email))
    assert found
    return found.group(1)


def _enrolment_of(newcomer: User) -> Known:
    begun = api_enrolment.begin(email=newcomer.email, password=PASSWORD, origin=ORIGIN)
    return {"enrolment_token": [begun.enrolment_token], "code": [lambda: code_of(newcomer)]}
