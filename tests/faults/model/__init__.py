"""The bank as it should be (R1.4, R2.3, R2.5, R3, R5.8, R9.2): what each act of money may do, the word of its refusal,
what it changes and records. It uses neither Django nor the code that it judges.

An act returns what it made, or raises `Refused`: if several words apply the first, in the order of
docs/architecture.md.

The words of all acts of money are here. A new act of money needs a line here, a method of `bank.Bank` or of its bases,
and a step (`tests.faults.walks`); `tests/faults/test_walk.py` says what is missing.
"""

# Sections of audit/actions.py.
OF_MONEY = {"What needs a second administrator", "Bank accounts", "Money"}
NOT_OF_MONEY = {"People", "Support", "Keys", "Information leaving the bank"}

AUDITED = {
    *("ACCOUNT_CREATED", "ACCOUNT_CLOSED", "ACCOUNT_FROZEN", "ACCOUNT_UNFROZEN", "FREEZE_LIFTED", "ACCOUNT_REFUSED"),
    *("DEPOSIT_CREATED", "WITHDRAWAL_CREATED", "TRANSFER_CREATED"),
    *("DEPOSIT_REFUSED", "WITHDRAWAL_REFUSED", "TRANSFER_REFUSED"),
    *("TRANSFER_HELD", "TRANSFER_RELEASED", "TRANSFER_REJECTED", "TRANSFER_CANCELLED", "TRANSFER_EXPIRED"),
    *("SUSPICIOUS_TRANSFER", "STEP_UP_REQUIRED", "STEP_UP_GIVEN", "PAYEE_REMOVED"),
    *("TRANSFER_REVERSED", "REVERSAL_REFUSED", "PENDING_ACT_ASKED", "PENDING_ACT_APPROVED", "PENDING_ACT_STOPPED"),
    *("PENDING_ACT_DUE", "PENDING_ACT_EXPIRED", "PENDING_ACT_REFUSED"),
    *("DAILY_LIMIT_RAISED", "DAILY_LIMIT_LOWERED", "INTEREST_POSTED", "INTEREST_CORRECTED"),
}
NOT_WALKED = {
    "ACCOUNT_RENAMED": "moves nothing and decides nothing",
    "PAYEE_RENAMED": "moves nothing and decides nothing",
    "FRAUD_ALERT_CLOSED": "leaves the order and what is held as they are; decisions close alerts in the walks",
}
STATES = {"posted", "held", "released", "rejected", "cancelled", "expired"}
MOVEMENTS = {"deposit", "withdrawal", "transfer", "interest", "reversal"}
MOVEMENTS_NOT_WALKED = {"fee": "nothing posts one yet"}
REFUSALS = {
    *("too_often", "idempotency_conflict", "not_yourself", "wrong_status", "not_found"),
    *("account_not_active", "insufficient_funds", "payee_cannot_receive", "same_account"),
    *("daily_limit_reached", "cash_in_limit_reached", "too_many_accounts"),
    *("name_needed", "name_not_confirmed", "step_up_required", "wrong_step_up_code", "wrong_customer_code"),
    *("is_reversal", "reversed_already", "waits_already", "administrators_freeze", "freeze_came_since"),
    *("above_the_ceiling", "needs_second_administrator", "not_a_lower_limit"),
    *("account_not_empty", "money_held", "interest_owed", "interest_overpaid"),
}
