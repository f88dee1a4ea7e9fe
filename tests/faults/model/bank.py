"""The whole bank as it should be: payees, freezes, limits, opening, closing, interest, and what it inherits."""

from tests.faults.model.books import BANK, DAY, Account, Refused
from tests.faults.model.decisions import Decisions


class Bank(Decisions):
    # --- Payees: R3.6 --------------------------------------------------------------------------------------------

    def forget(self, by: str, target: Account) -> None:
        del self.payees[by, target.number]
        self.did("PAYEE_REMOVED", by)

    # --- Freezes: R2.5 -------------------------------------------------------------------------------------------

    def freeze(self, by: str, account: Account, kind: str) -> None:
        if account.is_closed or kind in account.freezes:
            raise Refused("wrong_status")
        account.freezes.add(kind)
        self.did("ACCOUNT_FROZEN", by, "own_account_frozen" if kind == "customer" else "account_frozen")

    def unfreeze(self, by: str, account: Account, kinds: set[str], *, has_read_all: bool) -> None:
        if account.is_closed or not account.freezes & kinds:
            raise Refused("wrong_status")
        if not has_read_all:
            raise Refused("freeze_came_since")
        if "administrator" in account.freezes & kinds and by not in self.administrators:
            raise Refused("administrators_freeze")
        account.freezes -= kinds
        self.did(
            *("FREEZE_LIFTED", by, "freeze_lifted") if account.freezes else ("ACCOUNT_UNFROZEN", by, "account_unfrozen")
        )

    # --- Limits: R3.9, R5.8 --------------------------------------------------------------------------------------

    def raise_limit(self, by: str, customer: str, amount: int, *, has_second: bool) -> None:
        if amount > self.rules.ceiling:
            raise Refused("above_the_ceiling")
        if amount > 10 * self.rules.daily and not has_second:
            raise Refused("needs_second_administrator")
        if amount <= self.limit(customer):
            raise Refused("wrong_status")
        self.limits[customer] = amount
        self.did("DAILY_LIMIT_RAISED", by, "daily_limit_raised")

    def lower_limit(self, customer: str, amount: int) -> None:
        self.take("lower", customer, 10, 3600)
        if amount >= self.limit(customer):
            raise Refused("not_a_lower_limit")
        self.limits[customer] = amount
        self.did("DAILY_LIMIT_LOWERED", customer, "daily_limit_lowered")

    # --- Opening and closing: R2.1, R2.3 -------------------------------------------------------------------------

    def open(self, by: str, owner: str, deposit: int, key: str, *, is_savings: bool) -> Account:
        """Open an account, by its owner, or by an administrator for them; the deposit is an order like others."""
        inputs = ("open", owner, is_savings, deposit)
        made = self.keys.get((by, f"open {key}"))
        if made and made[0] == inputs:
            return made[1]
        try:
            self.take("open", owner, 20, 3600, (key, inputs))
            if deposit:
                self.take("DEPOSIT", owner, self.rules.a_minute["DEPOSIT"], 60, (key, inputs))
            if made:
                raise Refused("idempotency_conflict")
            if sum(one.owner == owner and not one.is_closed for one in self.accounts) >= self.rules.accounts:
                raise Refused("too_many_accounts")
            account = Account(len(self.accounts), owner, is_savings, self.today)
            order = self.new_order("deposit", by, (self.cash, account), deposit, key)
            if deposit:
                self.judge(order)
        except Refused:
            for what in ("open", "DEPOSIT"):
                self.spend(what, owner, (key, inputs))
            self.did("ACCOUNT_REFUSED", by)
            raise
        self.accounts.append(account)
        self.keys[by, f"open {key}"] = inputs, account
        self.did("ACCOUNT_CREATED", by)
        if deposit:
            self.write(order)
        self.outbox.append("account_opened")
        return account

    def close(self, account: Account) -> None:
        owed, target = self._owed(account), self._paid_to(account)
        try:
            self.take("close", account.owner, 20, 3600, account)
            self._refuse_to_close(account, owed, target)
        except Refused:
            self.spend("close", account.owner, account)
            self.did("ACCOUNT_REFUSED", account.owner)
            raise
        if owed and target:
            self._pay_interest(target, owed)
        account.is_closed, account.micro, account.paid = True, 0, account.months
        self.did("ACCOUNT_CLOSED", account.owner, "account_closed")

    def _refuse_to_close(self, account: Account, owed: int, target: Account | None) -> None:
        waits = any(one.state == "held" and one.target is account for one in self.orders if one.kind == "deposit")
        reasons = {
            "account_not_active": account.status != "active",
            "money_held": account.held > 0 or (account.balance == 0 and waits),
            "account_not_empty": account.balance > 0,
            "interest_overpaid": owed < 0 and (target is None or target.available < -owed),
            "interest_owed": owed > 0 and target is None,
        }
        for reason in (one for one in reasons if reasons[one]):
            raise Refused(reason)

    def _owed(self, account: Account) -> int:
        if not account.is_savings or account.status != "active":
            return 0
        months, left = account.earned(self.today - 1, self.rules.rate)
        return sum(months) + round(left / 10**6) - account.paid

    def _paid_to(self, account: Account) -> Account | None:
        mine = (one for one in self.accounts if one.owner == account.owner and not one.is_savings)
        return next((one for one in mine if one.status == "active"), None)

    # --- Interest: R9.2, R3.15 -----------------------------------------------------------------------------------

    def _pay_interest(self, account: Account, amount: int) -> None:
        sides = (self.interest, account) if amount > 0 else (account, self.interest)
        self.move("interest", *sides, abs(amount), BANK)
        self.did("INTEREST_POSTED", BANK)

    def accrue(self) -> None:
        """Count the days that were over an hour ago, and post the months among them."""
        until, corrected = (self.now - 3600) // DAY - 1, list[int]()
        for account in [one for one in self.accounts if one.is_savings and not one.is_closed]:
            due = account.months - account.paid
            if account.through < until or (due and account.status == "active"):
                corrected += self._accrue(account, due, max(until, account.through))
        for wrong in corrected:  # told behind all that was paid
            self.did("INTEREST_CORRECTED", BANK, *(["interest_corrected"] if wrong else []))

    def _accrue(self, account: Account, due: int, until: int) -> list[int]:
        """Return the correction of earlier counts: for months, 0 where only the rest was wrong; or nothing."""
        counted, left = account.earned(account.through, self.rules.rate)
        wrong, rest = sum(counted) - account.months, left - account.micro
        months, account.micro = account.earned(until, self.rules.rate)
        account.through, account.months = until, sum(months)
        payments = sorted([due, wrong, *months[len(counted) :]], key=lambda one: one < 0)
        if account.status == "active" and account.available + sum(payments) >= 0:
            for amount in filter(None, payments):
                self._pay_interest(account, amount)
            account.paid = account.months
        return [wrong] if wrong or rest else []
