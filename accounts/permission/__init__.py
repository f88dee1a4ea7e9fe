"""By what right somebody acts, and why."""
