"""A later version of the bank, with its migrations only: what a deploy does to the ledger's tables while the present
version serves. Installed only by `settings.py` here."""
