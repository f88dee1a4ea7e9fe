"""A later version of the bank, as far as its migrations go: what a deploy does to the ledger's tables while the present
version serves. Installed by `settings.py` here, and by nothing else."""
