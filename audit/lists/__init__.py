"""Lists of staff: their filters, and the files that people download."""
