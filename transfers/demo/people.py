"""The demo's users and their accounts, made through the services, safe to run again."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import transaction

from accounts import demo_people
from accounts.demo_people import Person
from accounts.models import BankAccount, User
from accounts.people import registration
from accounts.roles import Role
from accounts.sign_in import two_factor
from audit.actions import Action
from audit.services import record
from transfers.accounts import opening
from transfers.demo.lives import HOLDINGS
from transfers.demo.planning import first_month, opening_times
from transfers.periods import Month, end_of_day


def make_people() -> dict[str, User]:
    """Return the demo's users by their login, and an administrator who must change the password: makes all or none."""
    password = make_password(demo_people.DEMO_PASSWORD)
    first_password = make_password(demo_people.ADMIN_FIRST_PASSWORD)
    people = {}
    with transaction.atomic():
        for person in (*demo_people.PEOPLE, *demo_people.NEIGHBOURS):
            people[person.login] = _make(person, password, must_change_password=False)
            two_factor.enrol_for_demo(people[person.login])
        _make(demo_people.ADMIN, first_password, must_change_password=True)
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


def open_accounts(people: dict[str, User], now: datetime) -> tuple[Month, dict[str, BankAccount]]:
    """Return the accounts by key, empty where they are new, and the first month of their history.

    The first account says which month that is, not `now`: a seed that goes on later keeps the same history. The opening
    deposits are part of it.
    """
    first, accounts = first_month(now), {}
    for holding in HOLDINGS:
        accounts[holding.key] = opening.open_account(
            actor=people[holding.owner],
            kind=holding.kind,
            nickname=holding.nickname,
            idempotency_key=f"seed-open-{holding.key}",
            at=opening_times(first)[holding.key],
        )
        first = _month_after(accounts[HOLDINGS[0].key].opened_at)
    return first, accounts


def _month_after(moment: datetime) -> Month:
    return Month.of(end_of_day(Month.of(moment).last_day))
