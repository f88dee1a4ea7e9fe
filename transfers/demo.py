"""The demo bank's people and some weeks of their lives, made through the services, safe to run again."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from accounts import demo_people
from accounts.demo_people import Person
from accounts.models import AccountKind, BankAccount, User
from accounts.roles import Role
from accounts.services import registration, two_factor
from audit.actions import Action
from audit.services import record
from transfers.identifiers import digest_of_key
from transfers.models import TransferOrder
from transfers.services import cash, opening, sending

WEEKS = 6
_SEED = 1880  # the same lives in every demo bank
_FINISHED = "seed-finished"


@dataclass(frozen=True)
class Event:
    """Something that happened on `at`; `key` makes it happen once, however often the demo is seeded."""

    at: datetime
    key: str
    happen: Callable[["Event"], object]


def is_seeded() -> bool:
    return TransferOrder.objects.filter(key_digest=digest_of_key(_FINISHED)).exists()


def make_people() -> dict[str, User]:
    """The demo's users by first name, and an administrator who must change the password."""
    password = make_password(demo_people.DEMO_PASSWORD)
    people = {}
    for person in demo_people.PEOPLE:
        people[person.first_name] = _make(person, password, must_change_password=False)
        two_factor.enrol_for_demo(people[person.first_name])
    _make(demo_people.ADMIN, make_password(demo_people.ADMIN_FIRST_PASSWORD), must_change_password=True)
    return people


def _make(person: Person, password_hash: str, *, must_change_password: bool) -> User:
    user = User.objects.filter(email=person.email).first()
    if user is not None:
        return user
    user = registration.create_user(
        email=person.email,
        password_hash=password_hash,
        role=person.role,
        first_name=person.first_name,
        last_name=person.last_name,
        phone=person.phone,
        address=person.address,
        must_change_password=must_change_password,
    )
    action = Action.REGISTER_SUCCESS if person.role == Role.CUSTOMER else Action.USER_CREATED
    record(action, actor=None, actor_label="demo", subject=user, details={"role": person.role.value})
    return user


def live(people: dict[str, User], now: datetime | None = None) -> Iterator[int]:
    """Let the weeks pass up to now, oldest event first; yields how many events have happened."""
    now = now or timezone.now()
    first_day = timezone.localtime(now - timedelta(weeks=WEEKS)).replace(hour=0, minute=0, second=0, microsecond=0)
    accounts = _open_accounts(people, first_day - timedelta(hours=15))
    events = sorted(_events(_Acts(people, accounts), first_day, now), key=lambda event: event.at)
    for number, event in enumerate(events, 1):
        event.happen(event)
        yield number


def _open_accounts(people: dict[str, User], at: datetime) -> dict[str, BankAccount]:
    wanted = [
        ("Alice", AccountKind.CHECKING, "Everyday", "2150.00"),
        ("Alice", AccountKind.SAVINGS, "Holidays", "800.00"),
        ("Bob", AccountKind.CHECKING, "", "940.50"),
        ("Bob", AccountKind.SAVINGS, "House", "12500.00"),
        ("Zoë", AccountKind.CHECKING, "Studio", "310.75"),
    ]
    return {
        f"{name} {kind.value}": opening.open_account(
            actor=people[name],
            kind=kind,
            nickname=nickname,
            opening_deposit=Decimal(deposit),
            idempotency_key=f"seed-open-{name}-{kind.value}",
            at=at + timedelta(minutes=5 * number),
        )
        for number, (name, kind, nickname, deposit) in enumerate(wanted)
    }


@dataclass(frozen=True)
class _Acts:
    """What the demo's people do; each act waits for the event that it becomes part of."""

    people: dict[str, User]
    accounts: dict[str, BankAccount]

    def deposit(self, name: str, amount: Decimal, text: str) -> Callable[[Event], object]:
        return lambda event: cash.deposit(
            actor=self.people[name],
            account=self.accounts[f"{name} checking"],
            amount=amount,
            description=text,
            idempotency_key=event.key,
            at=event.at,
        )

    def withdraw(self, name: str, amount: Decimal) -> Callable[[Event], object]:
        return lambda event: cash.withdraw(
            actor=self.people[name],
            account=self.accounts[f"{name} checking"],
            amount=amount,
            description="Cash machine",
            idempotency_key=event.key,
            at=event.at,
        )

    def pay(self, name: str, target: str, amount: Decimal, text: str) -> Callable[[Event], object]:
        return lambda event: sending.transfer(
            actor=self.people[name],
            source=self.accounts[f"{name} checking"],
            target=self.accounts[target],
            amount=amount,
            description=text,
            idempotency_key=event.key,
            at=event.at,
        )


def _events(acts: _Acts, first_day: datetime, now: datetime) -> Iterator[Event]:
    """Salaries, rent, shared dinners, cash and savings. Amounts differ from week to week, the same each time."""
    chance = random.Random(_SEED)  # noqa: S311 - the demo's lives, not a secret

    def between(low: int, high: int) -> Decimal:
        return Decimal(chance.randrange(low * 100, high * 100)) / 100

    # Weekday, hour, and what happens then.
    weekly: list[tuple[int, int, Callable[[], Callable[[Event], object]]]] = [
        (0, 9, lambda: acts.deposit("Zoë", between(320, 640), "Ceramics market")),
        (1, 12, lambda: acts.withdraw("Alice", Decimal(chance.choice([40, 60, 80])))),
        (2, 19, lambda: acts.pay("Alice", "Zoë checking", between(18, 42), "Pottery class")),
        (3, 20, lambda: acts.pay("Bob", "Alice checking", between(12, 35), "Dinner, thanks!")),
        (4, 8, lambda: acts.pay("Zoë", "Bob checking", between(20, 60), "Van rental")),
        (4, 18, lambda: acts.pay("Alice", "Alice savings", Decimal(75), "Set aside")),
        (5, 11, lambda: acts.withdraw("Bob", Decimal(chance.choice([30, 50])))),
    ]
    monthly = [
        (2, acts.deposit("Alice", Decimal("2480.00"), "Salary")),
        (3, acts.deposit("Bob", Decimal("2210.00"), "Salary")),
        (4, acts.pay("Alice", "Bob savings", Decimal("890.00"), "Rent")),
    ]
    for week in range(WEEKS):
        for number, (weekday, hour, make) in enumerate(weekly):
            at = first_day + timedelta(weeks=week, days=weekday, hours=hour, minutes=chance.randrange(60))
            yield Event(at, f"seed-week-{week}-{number}", make())
    for month in range(0, WEEKS, 4):
        for number, (day, act) in enumerate(monthly):
            at = first_day + timedelta(weeks=month, days=day, hours=6)
            yield Event(at, f"seed-month-{month}-{number}", act)
    cinema = acts.pay("Bob", "Alice checking", Decimal("24.90"), "Cinema tickets")
    yield Event(now - timedelta(minutes=30), _FINISHED, cinema)
