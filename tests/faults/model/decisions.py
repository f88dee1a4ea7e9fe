"""Decisions on orders and movements, as they should be: on held orders, reversals, second administrators."""

from typing import Any

from tests.faults.model.books import BANK, DAY, Facts, Refused
from tests.faults.model.orders import OUTGOING, Orders


class Decisions(Orders):
    def __init__(self, rules: Facts, administrators: list[str], now: int) -> None:
        super().__init__(rules, now)
        self.administrators, self.acts = administrators, list[Facts]()

    def _was_done(self, by: str, key: str, inputs: tuple[Any, ...]) -> bool:
        if self.keys.get((by, key), inputs) != inputs:
            raise Refused("idempotency_conflict")
        return (by, key) in self.keys

    # --- What is held: R3.10, R3.14 ------------------------------------------------------------------------------

    def decide(self, state: str, by: str, order: Facts, key: str) -> Facts:
        """Let a second person "release" or "reject" it: `decide` gets "released" or "rejected"."""
        try:
            if by == order.by:
                raise Refused("not_yourself")
            if self._was_done(by, key, (state, order)):
                return order
            if order.state != "held":
                raise Refused("wrong_status")
            if state == "released":
                self.look(order.source, order.target, 0)  # its money is set aside
        except Refused:
            self.did("TRANSFER_REFUSED", by)
            raise
        self.keys[by, key], order.alerts = (state, order), 0
        return self._end(order, state, by)

    def cancel(self, by: str, order: Facts) -> Facts:
        if by != order.customer or (order.kind == "deposit" and order.by != by):
            raise Refused("not_found")
        if order.state not in ("held", "cancelled"):
            self.did("TRANSFER_REFUSED", by)
            raise Refused("wrong_status")
        return self._end(order, "cancelled", by) if order.state == "held" else order

    def expire(self) -> int:
        due = [one for one in self.orders if one.state == "held" and one.at + self.rules.hold_days * DAY <= self.now]
        return len([self._end(order, "expired", BANK) for order in due])

    def _end(self, order: Facts, state: str, by: str) -> Facts:
        order.state, event = state, f"order_{state}"
        if order.kind != "deposit":
            order.source.held -= order.amount
        if state == "released":
            self.post(order)
            at_counter = "deposit_released" if order.kind == "deposit" and not order.served else "cash_at_counter"
            event = "payment_posted" if order.kind == "payment" else at_counter
        else:
            self._give_back(order)
        self.did(f"TRANSFER_{state.upper()}", by, event)
        return order

    def _give_back(self, order: Facts) -> None:
        """Give back what it took of its day."""
        if order.kind in OUTGOING:
            self.days["used", order.customer, order.day] -= order.amount
        elif order.kind == "deposit" and not order.served:
            self.days["cash in", order.customer, order.day] -= order.amount

    # --- Reversals: R3.1, R3.15, R5.8 ----------------------------------------------------------------------------

    def reverse(self, by: str, movement: Facts, key: str) -> Facts:
        """Reverse at once; for a large one return the act that waits for another administrator."""
        try:
            if by == movement.by:
                raise Refused("not_yourself")
            if movement.kind == "reversal":
                raise Refused("is_reversal")
            if self._was_done(by, key, ("reverse", movement)):
                return movement.undone or movement.act
            if movement.undone:
                raise Refused("reversed_already")
            made = self._undo(movement, by) if movement.amount <= self.rules.suspicious else self._ask(movement, by)
        except Refused:
            self.did("REVERSAL_REFUSED", by)
            raise
        self.keys[by, key] = ("reverse", movement)
        return made

    def _undo(self, movement: Facts, by: str) -> Facts:
        self.look(movement.credit, movement.debit, movement.amount)
        movement.undone = self.move("reversal", movement.credit, movement.debit, movement.amount, by, movement)
        if movement.order:
            self._give_back(movement.order)
        self.did("TRANSFER_REVERSED", by, "transaction_reversed")
        return movement.undone

    def _ask(self, movement: Facts, by: str) -> Facts:
        if movement.act and movement.act.state == "waiting":
            raise Refused("waits_already")
        act = Facts(movement=movement, by=by, at=self.now, held=0, state="waiting", number=len(self.acts))
        if movement.credit.owner:
            self.look(movement.credit, movement.debit, movement.amount, sets_aside=True)
            act.held = movement.amount
            movement.credit.held += act.held
        movement.act = act
        self.acts.append(act)
        self.did("PENDING_ACT_ASKED", by, "pending_act_asked", "pending_act_announced")
        return act

    def _settle(self, act: Facts, state: str, action: str, by: str) -> None:
        if state == "done":
            act.movement.credit.held -= act.held
            try:
                self._undo(act.movement, act.by)
            except Refused:
                act.movement.credit.held += act.held
                raise
        else:
            act.movement.credit.held -= act.held
        act.state = state
        self.did(
            f"PENDING_ACT_{action}", by, "pending_act_ended", *([] if state == "done" else ["pending_act_called_off"])
        )

    def settle(self, state: str, by: str, act: Facts) -> Facts:
        """Let another administrator agree ("done"), or any one stop it ("stopped")."""
        if act.state != "waiting":
            raise Refused("wrong_status")
        if state == "done" and by == act.by:
            raise Refused("not_yourself")
        try:
            self._settle(act, state, "APPROVED" if state == "done" else "STOPPED", by)
        except Refused:
            self.did("PENDING_ACT_REFUSED", by)
            raise
        return act

    def carry_out_due(self) -> None:
        """Carry out due acts: with one administrator, a day has to pass; an act without agreement is forgotten after a
        week."""
        is_alone = len(self.administrators) == 1
        wait = self.rules.sole_hours * 3600 if is_alone else self.rules.act_days * DAY
        for act in [one for one in self.acts if one.state == "waiting" and one.at + wait <= self.now]:
            try:
                self._settle(act, *(("done", "DUE") if is_alone else ("expired", "EXPIRED")), "")
            except Refused as refusal:
                if refusal.account is None or refusal.account.status != "frozen":  # its owner can do that
                    self._settle(act, "refused", "REFUSED", "")
