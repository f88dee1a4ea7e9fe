"""Parts that every page of the staff's admin is made of (R5.1, R5.4)."""
