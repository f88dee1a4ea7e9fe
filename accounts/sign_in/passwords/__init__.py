"""Passwords: their rules, hashes, change and reset."""
