"""What right a person acts by, and why."""
