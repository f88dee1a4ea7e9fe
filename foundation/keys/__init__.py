"""The bank's keys, and the columns that they seal (R8.1)."""
