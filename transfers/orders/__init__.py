"""Orders: what customers asked for, and its outcome."""
