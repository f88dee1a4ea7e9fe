"""Bent English that must not come back: `patterns.toml` lists it, `make lint` looks for it (docs/adr/0033)."""
