"""Orders of money as they should be (R3.2 to R3.10): deposits, withdrawals, transfers, and what holds them."""

from collections import Counter
from typing import Any

from tests.faults.model.books import Account, Books, Facts, Refused

OUTGOING, UNCONFIRMED = ("payment", "withdrawal"), ("no_match", "not_checked", "skipped")
WORDS = {"deposit": "DEPOSIT", "withdrawal": "WITHDRAWAL", "own": "TRANSFER", "payment": "TRANSFER"}
Name = tuple[str, str, bool]  # the typed name, the result of its check, whether it is sent anyway
Sides = tuple[Account, Account]
Code = tuple[Any, bool]  # its challenge, None at the counter; whether it is right


class Orders(Books):
    def __init__(self, rules: Facts, now: int) -> None:
        super().__init__(rules, now)
        self.orders, self.challenges = list[Facts](), list[Facts]()
        self.keys = dict[tuple[str, str], Any]()  # the order, opening or decision, by actor and key
        self.payees, self.limits = dict[tuple[str, int], tuple[str, str]](), dict[str, int]()
        # A customer's day: "used", "cash in", and what one clerk alone took or gave, by the kind of order.
        self.days, self.since_code = Counter[tuple[str, str, int]](), Counter[str]()

    def limit(self, customer: str) -> int:
        return self.limits.get(customer, self.rules.daily)

    # --- Asked for ---------------------------------------------------------------------------------------------------

    def find(self, by: str, target: Account, typed: str, check: str) -> Name:
        """Return the payee, by number and a name with this result of the check."""
        if target.status != "active":
            raise Refused("payee_cannot_receive")
        known = self.payees.get((by, target.number))
        if known and known[1] not in UNCONFIRMED:
            return typed, "no_match" if check in UNCONFIRMED else known[1], False
        return (typed, known[1], True) if known and known[0] == typed else (typed, check, False)

    def new_order(self, kind: str, by: str, sides: Sides, amount: int, key: str, name: Name | None = None) -> Facts:
        source, target = sides
        order = Facts(kind=kind, by=by, source=source, target=target, amount=amount, key=key, state="", movement=None)
        order.at, order.day, order.customer = self.now, self.today, (target if kind == "deposit" else source).owner
        order.inputs = (kind, source.number, target.number, amount, name and name[0])
        order.served = by != order.customer
        order.name, order.is_first, order.known = ("", "not_needed"), False, None
        order.rules, order.hold, order.why, order.challenge = [], "", "", None
        return order

    def place(
        self,
        kind: str,
        by: str,
        sides: Sides,
        amount: int,
        key: str,
        name: Name | None = None,
        code: Code | None = None,
    ) -> Facts:
        """Carry an order out, or hold it; the same request again is the same order (R3.5)."""
        order, what = self.new_order(kind, by, sides, amount, key, name), WORDS[kind]
        earlier, token = self.keys.get((by, key)), (key, order.inputs)
        if earlier and earlier.inputs == order.inputs:
            return earlier
        try:
            self.take(what, order.customer, self.rules.a_minute[what], 60, token)
            if earlier:
                raise Refused("idempotency_conflict")
            self.judge(order, name, code)
        except Refused as refusal:
            if refusal.code == "step_up_required":
                refusal.challenge = self._challenge(order)
            else:
                self.spend(what, order.customer, token)
                self.did(f"{what}_REFUSED", by)
            if kind == "payment" and refusal.account is order.target:
                refusal.code = "payee_cannot_receive"  # the payer is not told why
            raise
        return self.write(order)

    # --- Judged ------------------------------------------------------------------------------------------------------

    def judge(self, order: Facts, name: Name | None = None, code: Code | None = None) -> None:
        customer, amount = order.customer, order.amount
        if order.source is order.target:
            raise Refused("same_account")
        if code:
            self._vouch(order, *code)
        if order.kind == "payment":
            self._put_name(order, name)
        is_own_cash = order.kind == "deposit" and not order.served
        if is_own_cash and self.days["cash in", customer, self.today] + amount > self.rules.cash_in:
            raise Refused("cash_in_limit_reached")
        if order.kind == "payment" or is_own_cash:
            self._ask_the_fraud_rules(order)
        if order.served and self.days[order.kind, customer, self.today] + amount > self.rules.alert:
            order.rules, order.hold = ["counter_deposit"] if order.kind == "deposit" else [], "second_clerk"
        if order.kind in OUTGOING:
            self._let_out(order, code[0] if code else None)
        self.look(order.source, order.target, amount, sets_aside=bool(order.hold) and order.kind != "deposit")

    def _put_name(self, order: Facts, name: Name | None) -> None:
        order.known = known = self.payees.get((order.customer, order.target.number))
        if name and name[1] in UNCONFIRMED and not name[2]:
            raise Refused("name_not_confirmed")
        if not known and not name:
            raise Refused("name_needed")
        typed, check = name[:2] if name else ("", "not_checked")
        if known and (not typed or known[1] not in UNCONFIRMED):
            typed, check = known
        order.name, order.is_first = (typed if check in UNCONFIRMED else "", check), known is None

    def _ask_the_fraud_rules(self, order: Facts) -> None:
        in_the_hour = 1 + len(self.within("payment", order.customer, 3600))
        found = {
            "large_amount": order.amount > self.rules.alert,
            "many_payments": order.kind == "payment" and in_the_hour > self.rules.payments_an_hour,
            "suspicious_amount": order.amount > self.rules.suspicious,
        }
        order.rules = [rule for rule in found if found[rule]]
        order.hold = "suspicious_amount" if found["suspicious_amount"] else ""

    def _let_out(self, order: Facts, challenge: Any) -> None:
        customer, is_new = order.customer, order.kind == "payment" and not order.known
        is_much = self.since_code[customer] + order.amount > self.rules.step_up
        order.why = "" if order.served else "new_payee" if is_new else "amount" if is_much else ""
        if self.days["used", customer, self.today] + order.amount > self.limit(customer):
            raise Refused("daily_limit_reached")
        if order.why and not (self._fits(order, challenge) and challenge.is_given):
            raise Refused("step_up_required")
        order.challenge = challenge if order.why else None

    def _vouch(self, order: Facts, challenge: Any, is_right: bool) -> None:
        if order.served:
            self.look_at_code(order.customer, order.by, is_right, "wrong_customer_code")
        elif self._fits(order, challenge) and not challenge.is_given:
            self.look_at_code(order.customer, order.by, is_right, "wrong_step_up_code")
            challenge.is_given = True
            self.did("STEP_UP_GIVEN", order.customer)

    @staticmethod
    def _bound(order: Facts) -> tuple[Any, ...]:
        return order.source, order.target, order.amount, order.key

    def _fits(self, order: Facts, challenge: Any) -> bool:
        """Check the code (R3.6): it is for this payment, within two minutes, once."""
        return (
            challenge and challenge.bound == self._bound(order) and challenge.until > self.now and not challenge.is_used
        )

    def _challenge(self, order: Facts) -> Facts:
        self.challenges = [one for one in self.challenges if one.until > self.now]
        new = Facts(bound=self._bound(order), why=order.why, until=self.now + 120, is_given=False, is_used=False)
        for old in self.challenges:
            if (old.bound, old.why, old.is_given) == (new.bound, new.why, False) and old.until > self.now + 60:
                return old
        self.challenges.append(new)
        self.did("STEP_UP_REQUIRED", order.customer)
        return new

    # --- Written -----------------------------------------------------------------------------------------------------

    def write(self, order: Facts) -> Facts:
        self.keys[order.by, order.key] = order
        self.orders.append(order)
        order.alerts, order.state, customer = len(order.rules), "held" if order.hold else "posted", order.customer
        if order.kind in OUTGOING:
            self.days["used", customer, self.today] += order.amount
            self.since_code[customer] += order.amount
            if order.why or order.served:
                self.since_code[customer] = 0
            if order.kind == "payment":
                self.places["payment", customer].append((self.now, None))
            if order.challenge:
                order.challenge.is_used = True
        elif order.kind == "deposit" and not order.served:
            self.days["cash in", customer, self.today] += order.amount
        if order.hold:
            order.source.held += 0 if order.kind == "deposit" else order.amount
            self.did("TRANSFER_HELD", order.by, "order_held")
            if order.hold == "suspicious_amount":
                self.did("SUSPICIOUS_TRANSFER", order.by)
            return order
        self.post(order)
        self.did(f"{WORDS[order.kind]}_CREATED", order.by)
        if order.kind == "payment":
            self.outbox.append("payment_posted")
        elif order.served:
            self.outbox.append("cash_at_counter")
            self.days[order.kind, customer, self.today] += order.amount
        return order

    def post(self, order: Facts) -> None:
        kind = "transfer" if order.kind in ("own", "payment") else order.kind
        order.movement = self.move(kind, order.source, order.target, order.amount, order.by)
        order.movement.order = order
        if order.kind == "payment":
            known = self.payees.get((order.customer, order.target.number))
            is_confirmed = known and known[1] not in UNCONFIRMED
            self.payees[order.customer, order.target.number] = known if known and is_confirmed else order.name
