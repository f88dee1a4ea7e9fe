"""The parts of the bank's model: accounts and what they earn, movements, windows of time, codes.

Amounts are minor units, `now` is seconds and a day is days since 1970, in UTC; people are names. Accounts are numbered
in the order of opening, and checked in that order.
"""

from collections import Counter, defaultdict
from datetime import date
from fractions import Fraction
from typing import Any

DAY, BANK = 86_400, "the bank"


class Refused(Exception):
    def __init__(self, code: str, account: Any = None) -> None:
        super().__init__(code)
        self.code, self.account = code, account
        self.challenge: Facts | None = None  # for which a code is asked


class Facts:
    """Values by name: of an order, a movement, an act that waits, a challenge."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value


class Account:
    def __init__(self, number: int, owner: str = "", is_savings: bool = False, opened: int = 0) -> None:
        self.number, self.owner, self.is_savings, self.opened = (
            number,
            owner,
            is_savings,
            opened,
        )  # the bank's have no owner
        self.balance = self.held = self.sequence = 0
        self.is_closed, self.freezes = False, set[str]()
        # For interest: movements by day; the last day counted, all months up to it, the rest, what is paid.
        self.moved, self.through, self.months, self.micro, self.paid = list[tuple[int, int]](), opened - 1, 0, 0, 0

    @property
    def status(self) -> str:
        return "closed" if self.is_closed else "frozen" if self.freezes else "active"

    @property
    def available(self) -> int:
        return self.balance - self.held

    def earned(self, until: int, rate: int) -> tuple[list[int], int]:
        """Return the interest, actual/365, in millionths: each month rounded half-even, to earn from the next day on;
        and the rest."""
        months, left, there, moved = list[int](), 0, 0, Counter[int]()
        for day, amount in self.moved:
            moved[day] += amount
        for day in range(self.opened, until + 1):
            there += moved[day]
            left += (max(there, 0) * rate + 182) // 365
            if date.fromordinal(719_164 + day).day == 1:  # the day after
                months.append(round(Fraction(left, 10**6)))
                left, there = left - months[-1] * 10**6, there + months[-1]
        return months, left


class Books:
    """The state of all accounts, and of the records: `audit`, `outbox` and `entries` grow with each act."""

    def __init__(self, rules: Facts, now: int) -> None:
        self.rules, self.now = rules, now
        self.cash, self.interest = Account(-2), Account(-1)
        self.accounts, self.movements = list[Account](), list[Facts]()
        self.places = defaultdict[tuple[str, str], list[tuple[int, Any]]](list)
        self.audit, self.outbox, self.entries = list[tuple[str, str]](), list[str](), list[tuple[Any, ...]]()

    @property
    def today(self) -> int:
        return self.now // DAY

    def did(self, action: str, by: str, *events: str) -> None:
        """Record an act in the audit log and the outbox."""
        self.audit.append((action, by))
        self.outbox.extend(events)

    def within(self, what: str, who: str, seconds: int) -> list[tuple[int, Any]]:
        self.places[what, who] = [one for one in self.places[what, who] if one[0] + seconds > self.now]
        return self.places[what, who]

    def take(self, what: str, who: str, times: int, seconds: int, token: Any = None) -> None:
        """Take a place in a sliding window (R3.9); the same try takes no second one."""
        places = self.within(what, who, seconds)
        if token is None or all(token != other for _, other in places):
            if len(places) >= times:
                raise Refused("too_often")
            places.append((self.now, token))

    def spend(self, what: str, who: str, token: Any) -> None:
        """Note that the try was refused: sent again it takes another place."""
        self.places[what, who] = [(at, None if other == token else other) for at, other in self.places[what, who]]

    def look_at_code(self, person: str, by: str, is_right: bool, word: str) -> None:
        """Count a code: five wrong ones in ten minutes lock for ten (R1.4); after each comes a pause."""
        if self.within("lock", person, 600):
            raise Refused("too_often")
        if self.within("pause", person, 2):
            raise Refused(word)
        if not is_right:
            self.take("code", person, 5, 600)
            self.take("pause", person, 1, 2)
            if len(self.places["code", person]) == 5:
                self.places["lock", person], self.places["code", person] = [(self.now, None)], []
                self.did("LOCKED_OUT", "", *([] if self.within("told", person, 3600) else ["locked_out"]))
                self.places["told", person] = self.places["told", person] or [(self.now, None)]
            self.did("CODE_REFUSED", by)
            raise Refused(word)

    def look(self, debit: Account, credit: Account, amount: int, *, sets_aside: bool = False) -> None:
        """Check that no money moves in or out of an account that is not active, nor more out than is available
        (R2.3)."""
        for account in sorted((debit, credit), key=lambda one: one.number):
            if account.status != "active":
                raise Refused("account_not_active", account)
            if account is debit and account.owner and not sets_aside and account.available < amount:
                raise Refused("insufficient_funds")
        if debit.owner and debit.available < amount:
            raise Refused("insufficient_funds")

    def move(
        self, kind: str, debit: Account, credit: Account, amount: int, by: str, undoes: Facts | None = None
    ) -> Facts:
        """Move money; for interest, a reversal counts from the day of the original (R3.15)."""
        day = undoes.day if undoes else self.today
        made = Facts(
            kind=kind, debit=debit, credit=credit, amount=amount, by=by, day=day, undone=None, act=None, order=None
        )
        made.number = len(self.movements)
        self.movements.append(made)
        for account, change, way in ((debit, -amount, "debit"), (credit, amount, "credit")):
            account.balance += change if account.owner else -change  # the bank's own grow by debits
            account.sequence += 1
            self.entries.append((account.number, way, amount, account.balance, account.sequence))
            if kind != "interest":
                account.moved.append((day, change))
        return made
