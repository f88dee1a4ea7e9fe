"""Payees: whom a customer has paid, and how they are called."""
