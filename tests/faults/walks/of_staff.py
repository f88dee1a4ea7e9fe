"""The steps of decisions, and those of time: holds, reversals, freezes, limits, interest."""

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import FreezeKind, PendingAct
from accounts.permission import second_person
from accounts.permission.authority import ApprovedRequest
from tests.faults.model.books import Facts
from tests.faults.walks.of_orders import Ordering
from tests.faults.walks.walker import CLERKS, CUSTOMERS, ORIGIN, REASON, money
from transfers.accounts import freezing
from transfers.interest.posting import accrue_interest
from transfers.models import Payee, Transaction
from transfers.orders import expiry, holds, large_reversals, own_limits
from transfers.payees import services as payees

_HOW_LONG = (0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6)  # how often which of the waits below
_ALL = {kind.value for kind in FreezeKind}


class Walk(Ordering):
    """All steps of `tests.faults.walks.steps`, by their names."""

    # --- What is held ------------------------------------------------------------------------------------------------

    def release(self, which: int, by: int) -> None:
        self._decide("released", which, by)

    def reject(self, which: int, by: int) -> None:
        self._decide("rejected", which, by)

    def _decide(self, state: str, which: int, by: int) -> None:
        """Decide mostly an order that is still held; sometimes with a used key."""
        order, actor = self._held(which), self.one_of(self.staff, by)
        key = self.one_of(self.decided, which) if self.decided and by % 7 == 0 else self.key()
        service = holds.release_order if state == "released" else holds.reject_order
        self.both(
            state,
            lambda: self.model.decide(state, actor, order, key),
            lambda: service(actor=self.users[actor], order=self.rows[order], reason=REASON, idempotency_key=key),
        )
        self.decided = [*self.decided[-5:], key]

    def cancel(self, which: int) -> None:
        order = self._held(which)
        by = order.customer if which % 9 else self.one_of(list(CUSTOMERS), which)
        self.both(
            "cancelled",
            lambda: self.model.cancel(by, order),
            lambda: holds.cancel_order(actor=self.users[by], order=self.rows[order]),
        )

    def _held(self, which: int) -> Facts:
        held = [one for one in self.model.orders[-300:] if one.state == "held"]
        return self.one_of(held, which) if held and which % 5 else self.latest(self.model.orders, which)

    def expire(self) -> None:
        self.both("expired", self.model.expire, expiry.expire_holds)

    # --- Reversals ---------------------------------------------------------------------------------------------------

    def reverse(self, which: int, by: int) -> None:
        movement, actor = self._moved(which), self.one_of(self.admins, by)
        key = self.one_of(self.decided, which) if self.decided and by % 7 == 0 else self.key()
        self.also.update(("waiting", "earned"))
        row = Transaction.objects.get(pk=self.beside.movements[movement])
        outcome = self.both(
            "large reversal" if movement.amount > self.model.rules.suspicious else "reversal",
            lambda: self.model.reverse(actor, movement, key),
            lambda: large_reversals.reverse_or_ask(
                actor=self.users[actor], transaction=row, reason=REASON, idempotency_key=key
            ),
        )
        if not isinstance(outcome, str) and isinstance(outcome[1], PendingAct):
            self.bind(*outcome)
            self.beside.acts[outcome[0]] = outcome[1].pk
        self.decided = [*self.decided[-5:], key]

    def _moved(self, which: int) -> Facts:
        """Return one of the last movements; every third time a large one, sometimes one that waits for a decision, or
        one by which savings have earned something since."""
        large = [
            one for one in self.model.movements[-200:] if one.amount > self.model.rules.suspicious and not one.undone
        ]
        waiting = [act.movement for act in self.model.acts if act.state == "waiting"]
        saved = [one for one in self.model.movements[-200:] if one.credit.is_savings and one.day < self.model.today - 5]
        chosen = large if which % 3 == 0 else waiting if which % 10 == 1 else saved if which % 10 == 2 else []
        return self.latest(chosen or self.model.movements, which // 3)

    def approve(self, which: int, by: int) -> None:
        self._settle("done", which, by)

    def stop(self, which: int, by: int) -> None:
        self._settle("stopped", which, by)

    def _settle(self, state: str, which: int, by: int) -> None:
        waiting = [one for one in self.model.acts if one.state == "waiting"]
        act = self.one_of(waiting, which) if waiting and which % 5 else self.latest(self.model.acts, which)
        actor = self.one_of(self.admins, by)
        service, code = second_person.approve if state == "done" else second_person.stop, self.code_of(actor)
        row = PendingAct.objects.get(pk=self.beside.acts[act])
        self.also.update(("waiting", "earned"))
        self.both(
            f"large reversal {state}",
            lambda: self.model.settle(state, actor, act),
            lambda: service(actor=self.users[actor], act=row, reason=REASON, code=code, origin=ORIGIN),
        )

    def carry_out_due(self) -> None:
        self.also.update(("waiting", "earned"))
        self.both("what is due", self.model.carry_out_due, second_person.carry_out_due)

    # --- Freezes -----------------------------------------------------------------------------------------------------

    def freeze(self, number: int, kind: int) -> None:
        account = self.account(number)
        self.also.add("freezes")
        row = self.rows[account]
        if kind % 3 == 0:
            self.both(
                "freeze by its owner",
                lambda: self.model.freeze(account.owner, account, "customer"),
                lambda: freezing.freeze_own_account(actor=self.users[account.owner], account=row),
            )
            return
        by, authority = (CLERKS[0], _request("freeze_account", row)) if kind % 3 == 1 else (self.admins[0], None)
        self.both(
            "freeze by staff",
            lambda: self.model.freeze(by, account, "support" if authority else "administrator"),
            lambda: freezing.freeze_account(actor=self.users[by], account=row, reason=REASON, authority=authority),
        )

    def unfreeze(self, number: int, kind: int) -> None:
        """Unfreeze mostly a frozen account: by a clerk with a request, or an administrator; all kinds, or some."""
        frozen = [one for one in self.model.accounts if one.status == "frozen"]
        account = self.one_of(frozen, number) if frozen and number % 8 else self.account(number)
        kinds = _ALL if kind % 2 else {self.one_of(sorted(_ALL), kind // 2)}
        row = self.rows[account]
        by, authority = (CLERKS[1], _request("unfreeze_account", row)) if kind % 3 == 1 else (self.admins[0], None)
        has_read_all = number % 5 > 0
        self.also.add("freezes")
        self.both(
            "unfreeze",
            lambda: self.model.unfreeze(by, account, kinds, has_read_all=has_read_all),
            lambda: freezing.unfreeze_account(
                actor=self.users[by],
                account=row,
                reason=REASON,
                kinds=None if kinds == _ALL else [FreezeKind(one) for one in kinds],
                seen=None if has_read_all else 0,
                authority=authority,
            ),
        )

    # --- Limits and payees -------------------------------------------------------------------------------------------

    def raise_limit(self, whose: int, by: int, how: int) -> None:
        """Raise the limit a little, or so much that it takes a second administrator, or that nobody may have it."""
        customer, clerk, rules = self.one_of(list(CUSTOMERS), whose), self.one_of(self.staff, by), self.model.rules
        steps = [self.model.limit(customer), rules.daily, 3 * rules.daily, 10 * rules.daily, rules.ceiling]
        amount = self.one_of(steps, how) + how % 2
        second = {"approved_by": "an administrator"} if how % 3 == 0 else {}
        request = _request("raise_daily_limit", self.users[customer], second)
        self.both(
            "raise the limit",
            lambda: self.model.raise_limit(clerk, customer, amount, has_second=bool(second)),
            lambda: own_limits.raise_daily_limit(
                actor=self.users[clerk],
                customer=self.users[customer],
                amount=money(amount),
                reason=REASON,
                authority=request,
            ),
        )

    def lower_limit(self, whose: int, how: int) -> None:
        customer = self.one_of(list(CUSTOMERS), whose)
        amount = self.model.limit(customer) * (4 + how % 7) // 10
        self.both(
            "lower the limit",
            lambda: self.model.lower_limit(customer, amount),
            lambda: own_limits.lower_daily_limit(actor=self.users[customer], amount=money(amount)),
        )

    def forget_payee(self, which: int) -> None:
        by, number = self.one_of(sorted(self.model.payees), which)
        target = self.model.accounts[number]
        row = Payee.objects.get(customer=self.users[by], account=self.rows[target])
        self.also.add("payees")
        self.both(
            "forget a payee",
            lambda: self.model.forget(by, target),
            lambda: payees.remove_payee(actor=self.users[by], public_id=row.public_id),
        )

    # --- Time --------------------------------------------------------------------------------------------------------

    def accrue(self) -> None:
        self.also.add("earned")
        self.both("interest", self.model.accrue, accrue_interest)

    def wait(self, how: int, long: int) -> None:
        """Wait for seconds, minutes, hours; to either side of midnight; days; beyond the time of a hold; into the next
        month."""
        now = datetime.fromtimestamp(self.model.now, UTC)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0)
        month = (now.replace(day=1) + timedelta(days=32)).replace(day=1, hour=long % 4, minute=0, second=0)
        waits = (
            timedelta(seconds=30 + long % 90),
            timedelta(minutes=1 + long % 70),
            timedelta(hours=1 + long % 12),
            midnight - now + timedelta(seconds=long % 3 - 1),
            timedelta(days=1 + long % 3),
            timedelta(days=7 + long % 8),
            month - now,
        )
        self.pass_time(int(waits[self.one_of(_HOW_LONG, how)].total_seconds()))


def _request(verb: str, subject: Any, second: dict[str, str] | None = None) -> ApprovedRequest:
    return ApprovedRequest(verb=verb, subject=subject, reference="the walk", second=second or {})
