"""What each role may do here; granted by a migration, asked by the services."""

from accounts.roles import Role

_LOOKING = ("transfers.view_transaction", "transfers.view_entry", "transfers.view_transferorder")

GRANTS: dict[Role, tuple[str, ...]] = {
    Role.CUSTOMER: (
        "transfers.open_own_account",
        "transfers.deposit_own",
        "transfers.withdraw_own",
        "transfers.transfer_own_money",
    ),
    Role.AUDITOR: _LOOKING,
    Role.ADMIN: _LOOKING,
}
