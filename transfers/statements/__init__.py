"""Movements as files that people keep: a table for spreadsheets, a statement to print."""
