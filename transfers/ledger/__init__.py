"""The ledger: transactions and their entries, posted and verified (R3.1)."""
