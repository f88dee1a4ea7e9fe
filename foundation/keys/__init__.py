"""The bank's keys, and the columns that they encrypt (R8.1)."""
