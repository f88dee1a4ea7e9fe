"""Payees: whom a customer has paid, and what they are called."""
