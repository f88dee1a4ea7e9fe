"""What each role may do here; a migration grants it, the services check it."""

from accounts.roles import Role

_LOOKING = (
    "transfers.view_transaction",
    "transfers.view_entry",
    "transfers.view_transferorder",
    "transfers.view_fraudalert",
    "transfers.export_transactions",
)
_AT_THE_COUNTER = ("transfers.deposit_at_counter", "transfers.withdraw_at_counter")
_DECIDING = ("transfers.decide_held_transfer", "transfers.close_fraud_alert")

GRANTS: dict[Role, tuple[str, ...]] = {
    Role.CUSTOMER: (
        "transfers.open_own_account",
        "transfers.deposit_own",
        "transfers.withdraw_own",
        "transfers.transfer_own_money",
    ),
    Role.SUPPORT: (*_AT_THE_COUNTER, *_DECIDING, "transfers.view_transferorder", "transfers.view_fraudalert"),
    Role.AUDITOR: _LOOKING,
    Role.ADMIN: (
        *_LOOKING,
        *_AT_THE_COUNTER,
        *_DECIDING,
        "transfers.open_account_for_customer",
        "transfers.reverse_transaction",
    ),
}
