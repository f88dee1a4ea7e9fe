"""Programs that sign in for a person: tokens, sessions, enrolment (R7.1)."""
