"""Orders: what customers asked for, and what became of it."""
