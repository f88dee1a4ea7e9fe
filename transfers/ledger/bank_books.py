"""The bank's own accounts: the other side of every deposit, withdrawal, interest and fee."""

from typing import Any

from accounts.models import AccountKind

# Cash is kept in several rows, so that deposits do not all queue on one lock.
CASH_SHARDS = 8

BANK_ACCOUNTS: dict[str, AccountKind] = {
    **{f"cash-{shard}": AccountKind.CASH for shard in range(CASH_SHARDS)},
    "interest": AccountKind.INTEREST,
    "fees": AccountKind.FEES,
}


def make_bank_accounts(apps: Any) -> None:
    """Make those that are missing; for migrations, safe to run again."""
    model = apps.get_model("accounts", "BankAccount")
    for code, kind in BANK_ACCOUNTS.items():
        model.objects.get_or_create(ledger_code=code, defaults={"kind": kind.value})
