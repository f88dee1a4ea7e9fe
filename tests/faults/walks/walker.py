"""The walker: lets the model and the bank do the same, and compares their answers and their records.

The bank is the real one: each step is a call of a service, committed, at the time that the walk's clock says.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django_otp.oath import hotp
from time_machine import Traveller

from accounts.models import TotpDevice, User
from accounts.people.registration import create_user
from accounts.people.the_bank import the_bank
from accounts.roles import Role
from accounts.sign_in.origin import Origin
from foundation.refusals import Refusal
from tests.faults.fault import Violation
from tests.faults.model.bank import Bank
from tests.faults.model.books import BANK, Account, Facts, Refused
from tests.faults.walks.rows import Beside
from tests.faults.walks.steps import EDGES, Step

BEGINS = datetime(2027, 1, 29, 21, 30, tzinfo=UTC)
CUSTOMERS = {"alice": "Archer", "bob": "Brandt", "carla": "Conway"}
CLERKS, ADMINISTRATORS = ["sam", "sue"], ["ada", "ann"]
REASON = "As it was asked for, on the walk."
ORIGIN = Origin(ip="192.0.2.7")
_STEP_SECONDS = 30


class Nothing(Exception):
    """There is nothing yet to take the step with."""


class Walker:
    """One bank and its model, from the first step on.

    Args:
        administrators: one or two: with one, an act that needs a second one waits a day.
    """

    def __init__(self, rules: Facts, administrators: int, clock: Traveller) -> None:
        self.clock = clock
        self.admins = ADMINISTRATORS[:administrators]
        self.users = {name: _user(name, Role.CUSTOMER) for name in CUSTOMERS}
        self.users |= {name: _user(name, Role.SUPPORT) for name in CLERKS}
        self.users |= {name: _user(name, Role.ADMIN) for name in self.admins}
        self.staff = [*CLERKS, *self.admins]
        self.model = Bank(rules, self.admins, int(BEGINS.timestamp()))
        self.beside = Beside(self.model, {name: user.pk for name, user in self.users.items()} | {BANK: the_bank().pk})
        self.rows = dict[Any, Any]()  # the bank's objects, by the model's
        self.decided = list[str]()  # keys of decisions, recent ones
        self.codes = dict[str, int]()  # the step of the last code that each has given
        self.also = set[str]()  # what else a step touches (`Beside.check_touched`)
        self.model_refusal: Any = None  # of the last act
        self.bank_refusal: Any = None
        self.count = 0
        self.done, self.said = Counter[str](), Counter[str]()

    def take(self, step: Step) -> None:
        """Take one step, and check the rows that it touched.

        Raises:
            Violation
        """
        name, pause, *numbers = step
        self.pass_time(int(pause))
        self.also.clear()
        try:
            with suppress(Nothing):
                getattr(self, str(name))(*numbers)
        except Violation:
            raise
        except Exception as error:
            raise Violation(f"{name} ended with {type(error).__name__}: {error}") from error
        self.beside.check_touched(self.also)

    def both(self, act: str, ought: Callable[[], Any], does: Callable[[], Any]) -> tuple[Any, Any] | str:
        """Return the results of the same act in the model and in the bank, or the word with which both refuse it.

        Raises:
            Violation: they disagree.
        """
        made = done = None
        self.model_refusal, self.bank_refusal = None, None
        try:
            made = ought()
        except Refused as refusal:
            self.model_refusal = refusal
        try:
            done = does()
        except Refusal as refusal:
            self.bank_refusal = refusal
        said, word = (one.code if one else "" for one in (self.bank_refusal, self.model_refusal))
        if word != said:
            raise Violation(f"{act}: the bank says {said or 'yes'}, the model {word or 'yes'}")
        self.done[act] += 1
        self.said[word or "done"] += 1
        return word or (made, done)

    def bind(self, made: Any, done: Any) -> None:
        """Bind an object of the model to the bank's row: the same one each time.

        Raises:
            Violation
        """
        known = self.rows.setdefault(made, done)
        if known.pk != done.pk:
            raise Violation(f"the bank answers with {done.pk}, and it was {known.pk}")

    # --- Time and codes ----------------------------------------------------------------------------------------------

    def pass_time(self, seconds: int) -> None:
        if seconds:
            self.model.now += seconds
            self.clock.move_to(self.model.now, tick=False)

    def code_of(self, person: str) -> str:
        """Return a code that was not used yet; a person who has used the code of this half minute waits for the next
        one."""
        step = self.model.now // _STEP_SECONDS
        if self.codes.get(person, -1) >= step:
            self.pass_time((step + 1) * _STEP_SECONDS - self.model.now)
            step += 1
        self.codes[person] = step
        return f"{hotp(bytes.fromhex(_key_of(person)), step):06d}"

    def wrong_code_of(self, person: str) -> str:
        now = hotp(bytes.fromhex(_key_of(person)), self.model.now // _STEP_SECONDS)
        return f"{(now + 111_111) % 1_000_000:06d}"

    # --- What the numbers of a step mean -----------------------------------------------------------------------------

    def key(self) -> str:
        """Return a new idempotency key."""
        self.count += 1
        return f"walk-key-{self.count}"

    def one_of(self, things: Any, number: int) -> Any:
        """Return one of these.

        Raises:
            Nothing
        """
        if not things:
            raise Nothing
        return things[number % len(things)]

    def latest(self, things: list[Any], number: int) -> Any:
        return self.one_of(things[-40:], number)

    def account(self, number: int, owner: str = "", *, but: str = "") -> Account:
        """Return an open account, of this owner if one is named, or not of that one; sometimes the one closed last."""
        mine = [one for one in self.model.accounts if one.owner != but and owner in ("", one.owner)]
        there = [one for one in mine if not one.is_closed]
        closed = [one for one in mine if one.is_closed][-1:] if number % 50 == 0 else []
        return self.one_of(closed or there, number)

    def amount(self, drawn: int, account: Account) -> int:
        """Return the drawn amount; or one at an edge of what may be paid from the account, or into it."""
        if drawn >= 0:
            return drawn
        model, customer, rules = self.model, account.owner, self.model.rules
        left = model.limit(customer) - model.days["used", customer, model.today]
        edges = {
            "all": account.available,
            "one too many": account.available + 1,
            "limit": left,
            "above limit": left + 1,
            "alert": rules.alert,
            "above alert": rules.alert + 1,
            "suspicious": rules.suspicious,
            "above suspicious": rules.suspicious + 1,
            "code": rules.step_up - model.since_code[customer],
            "above code": rules.step_up - model.since_code[customer] + 1,
        }
        return max(edges[EDGES[-1 - drawn]], 1)


def money(minor: int) -> Decimal:
    return Decimal(minor) / 100


def _key_of(person: str) -> str:
    """Return the secret of a person's app: always the same, so that a walk has the same codes."""
    return person.encode().ljust(20, b".").hex()


def _user(name: str, role: Role) -> User:
    user = create_user(
        email=f"{name}@walk.example",
        password_hash="!",
        role=role,
        first_name=name.title(),
        last_name=CUSTOMERS.get(name, "Example"),
    )
    TotpDevice(user=user, name="phone", confirmed=True, key=_key_of(name)).save()
    return user
