"""The steps in which customers and clerks ask for something: accounts, cash, transfers, codes, repeats."""

from dataclasses import dataclass, replace
from typing import Any

from accounts.models import AccountKind
from tests.faults.fault import Violation
from tests.faults.model.books import Account, Facts
from tests.faults.model.orders import Name, Sides
from tests.faults.walks.walker import CUSTOMERS, ORIGIN, REASON, Walker, money
from transfers.accounts import closing, opening
from transfers.models import TransferOrder
from transfers.orders import cash, sending
from transfers.orders.payee_names import NameGiven
from transfers.orders.step_up import Proof
from transfers.payees import services as payees

# How a payer may spell a name; the right result of the check; whether they send it anyway. "" means no name.
_SPELLINGS = (
    *(("right", "match", False),) * 4,
    ("near", "near", False),
    ("wrong", "no_match", False),
    ("wrong", "no_match", True),
    ("none", "", False),
    ("none", "skipped", True),
    ("wrong", "skipped", True),
)
_KEPT = 30


@dataclass(frozen=True)
class Opening:
    by: str
    customer: str
    is_savings: bool
    amount: int
    key: str


@dataclass(frozen=True)
class Ask:
    """An order that is asked for; `code`: the challenge of a code, None at the counter, and whether it is right."""

    kind: str
    by: str
    sides: Sides
    amount: int
    key: str
    name: Name | None = None
    given: NameGiven | None = None
    code: tuple[Facts | None, bool] | None = None


class Ordering(Walker):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asks = list[Opening | Ask]()  # recently
        self.waiting = list[Ask]()  # for a code, recently

    # --- Opening and closing -----------------------------------------------------------------------------------------

    def open(self, owner: int, kind: int, by: int, deposit: int) -> None:
        """Open an account, sometimes by an administrator, or without a deposit. Carla mostly has savings."""
        customer = self.one_of(list(CUSTOMERS), owner)
        actor = self.one_of(self.admins, by) if by % 10 == 9 else customer
        is_savings = kind % 100 > 0 if customer == "carla" else kind % 5 > 2
        self._open(Opening(actor, customer, is_savings, max(deposit, 0) if by % 3 != 2 else 0, self.key()))

    def _open(self, asked: Opening) -> None:
        self.asks = [*self.asks[1 - _KEPT :], asked]
        outcome = self.both(
            "open" if asked.by in CUSTOMERS else "open for a customer",
            lambda: self.model.open(asked.by, asked.customer, asked.amount, asked.key, is_savings=asked.is_savings),
            lambda: opening.open_account(
                actor=self.users[asked.by],
                owner=self.users[asked.customer],
                kind=AccountKind.SAVINGS if asked.is_savings else AccountKind.CHECKING,
                opening_deposit=money(asked.amount),
                idempotency_key=asked.key,
                reason=REASON,
            ),
        )
        if not isinstance(outcome, str):
            self.bind(*outcome)
            self.beside.note_account(outcome[0], outcome[1].pk)
            for order in self.model.orders[
                len(self.beside.orders) :
            ]:  # the opening deposit, which the bank does not give back
                orders = TransferOrder.objects.filter(initiator=self.users[asked.by])
                self._bind_order(order, orders.select_related("source__owner", "target__owner").latest("pk"))

    def close(self, number: int) -> None:
        """Close mostly an empty account, savings and checking alike."""
        empty = [one for one in self.model.accounts if not one.is_closed and not one.balance]
        empty = [one for one in empty if one.is_savings] or empty if number % 2 else empty
        account = self.one_of(empty, number) if empty and number % 4 else self.account(number)
        self.also.add("earned")
        self.both(
            "close",
            lambda: self.model.close(account),
            lambda: closing.close_account(actor=self.users[account.owner], account=self.rows[account]),
        )

    # --- Cash --------------------------------------------------------------------------------------------------------

    def deposit(self, to: int, amount: int) -> None:
        account = self.account(to)
        self._place(self._ask("deposit", account.owner, (self.model.cash, account), amount))

    def withdraw(self, of: int, amount: int, how: int) -> None:
        account = self.account(of)
        self._place_with_code(self._ask("withdrawal", account.owner, (account, self.model.cash), amount), how)

    def deposit_at_counter(self, clerk: int, to: int, amount: int) -> None:
        sides = (self.model.cash, self.account(to))
        self._place(self._ask("deposit", self.one_of(self.staff, clerk), sides, amount))

    def withdraw_at_counter(self, clerk: int, of: int, amount: int, how: int) -> None:
        sides = (self.account(of), self.model.cash)
        asked = self._ask("withdrawal", self.one_of(self.staff, clerk), sides, amount)
        self._place(replace(asked, code=(None, how % 8 > 0)))

    # --- Transfers ---------------------------------------------------------------------------------------------------

    def move_own(self, of: int, to: int, amount: int) -> None:
        source = self.account(of)
        self._place(self._ask("own", source.owner, (source, self.account(to, source.owner)), amount))

    def clear_out(self, of: int, to: int) -> None:
        """Take out everything available, as before an account is closed; mostly from savings."""
        saved = [one for one in self.model.accounts if one.is_savings and one.available and not one.is_closed]
        source = self.one_of(saved, of) if saved and of % 3 else self.account(of)
        self._place(self._ask("own", source.owner, (source, self.account(to, source.owner)), -1))

    def pay(self, of: int, to: int, amount: int, spelling: int, how: int) -> None:
        source = self.account(of)
        target = self.account(to, but=source.owner)
        spelled, check, all_the_same = self.one_of(_SPELLINGS, spelling)
        typed = _typed(target.owner, spelled)
        asked = self._ask("payment", source.owner, (source, target), amount)
        if check == "skipped":
            asked = replace(asked, name=(typed, check, True), given=NameGiven.skipped(typed))
        elif check:
            found = self._find(source.owner, target, typed, check)
            if found is None:
                return
            ought, given = found
            is_sent = given.all_the_same or all_the_same
            asked = replace(asked, name=(*ought[:2], is_sent), given=replace(given, all_the_same=is_sent))
        self._place_with_code(asked, how)

    def _find(self, by: str, target: Account, typed: str, check: str) -> tuple[Name, NameGiven] | None:
        outcome = self.both(
            "find a payee",
            lambda: self.model.find(by, target, typed, check),
            lambda: payees.find_payee(actor=self.users[by], number=self.rows[target].number, name=typed),
        )
        if isinstance(outcome, str):
            return None
        ought, given = outcome[0], outcome[1].given
        if given is None or (given.typed, given.typed_check, given.all_the_same) != ought:
            raise Violation(f"the name of a payee: the bank says {given}, the model {ought}")
        return ought, given

    # --- Codes, and the same again -----------------------------------------------------------------------------------

    def give_code(self, which: int, how: int) -> None:
        """Give a code for an earlier request: in time, too late, or once more."""
        asked = self.latest(self.waiting, which)
        assert asked.code is not None
        self._place(replace(asked, code=(asked.code[0], how % 4 > 0)))

    def guess_codes(self, which: int) -> None:
        """Give six wrong codes, one after the other: the sixth is not checked any more (R1.4)."""
        asked = self.latest(self.waiting, which)
        for _ in range(6):
            assert asked.code is not None
            self.pass_time(13)
            if self._place(replace(asked, code=(asked.code[0], False))) == "step_up_required":  # it came too late
                asked = self.waiting[-1]

    def again(self, which: int, more: int) -> None:
        """Repeat the same request; or use its key for a cent more."""
        asked = self.one_of(self.asks, which)
        changed = replace(asked, amount=asked.amount + (more % 4 == 0))
        if isinstance(changed, Opening):
            self._open(changed)
        else:
            self._place(changed)

    # --- One order ---------------------------------------------------------------------------------------------------

    def _ask(self, kind: str, by: str, sides: Sides, amount: int) -> Ask:
        account = next(side for side in sides if side.owner)
        return Ask(kind, by, sides, self.amount(amount, account), self.key())

    def _place_with_code(self, asked: Ask, how: int) -> None:
        """Order without a code first. If one is asked for, the right one usually follows, sometimes none or a wrong
        one."""
        if self._place(asked) == "step_up_required" and how % 10 > 1:
            again = self.waiting[-1]
            assert again.code is not None
            self._place(replace(again, code=(again.code[0], how % 10 > 2)))

    def _place(self, asked: Ask) -> str:
        """Order it; return the word of its refusal, "" if it is not refused."""
        self.asks = [*self.asks[1 - _KEPT :], asked]
        text = self._typed_code(asked)  # first, since time may pass until the app shows another
        outcome = self.both(
            asked.kind if asked.by in CUSTOMERS else f"{asked.kind} at the counter",
            lambda: self.model.place(
                asked.kind, asked.by, asked.sides, asked.amount, asked.key, asked.name, asked.code
            ),
            lambda: self._order(asked, text),
        )
        if not isinstance(outcome, str):
            self._bind_order(*outcome)
            return ""
        if outcome == "step_up_required":
            challenge = self.model_refusal.challenge
            self.bind(challenge, self.bank_refusal.challenge)
            self.waiting = [*self.waiting[1 - _KEPT :], replace(asked, code=(challenge, True))]
        return outcome

    def _bind_order(self, order: Facts, row: Any) -> None:
        self.bind(order, row)
        self.beside.orders[order] = row.pk

    def _typed_code(self, asked: Ask) -> str:
        if asked.code is None:
            return ""
        challenge, is_right = asked.code
        if challenge is not None and challenge.is_given:
            return "000000"  # no other code is needed
        customer = asked.sides[0].owner
        return self.code_of(customer) if is_right else self.wrong_code_of(customer)

    def _order(self, asked: Ask, text: str) -> TransferOrder:
        source: Any
        target: Any
        about: dict[str, Any] = {
            "actor": self.users[asked.by],
            "amount": money(asked.amount),
            "idempotency_key": asked.key,
        }
        challenge = asked.code[0] if asked.code else None
        proof = Proof(ORIGIN, self.rows[challenge].public_id, text) if challenge else None
        source, target = (self.rows.get(side) for side in asked.sides)  # none of the bank's own
        if asked.kind in ("own", "payment"):
            return sending.transfer(**about, source=source, target=target, name_given=asked.given, proof=proof)
        if asked.kind == "deposit":
            service = cash.deposit if asked.by in CUSTOMERS else cash.deposit_at_counter
            return service(**about, account=target)
        if asked.by in CUSTOMERS:
            return cash.withdraw(**about, account=source, proof=proof)
        return cash.withdraw_at_counter(**about, account=source, customer_code=text, origin=ORIGIN)


def _typed(owner: str, spelled: str) -> str:
    first, last = owner.title(), CUSTOMERS[owner]
    return {"right": f"{first} {last}", "near": f"{first} {last[:-1]}", "wrong": "Zoltan Quist", "none": ""}[spelled]
