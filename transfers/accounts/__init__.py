"""Bank accounts over their life: opened, renamed, frozen, closed."""
