"""What the staff see of people and do for them."""
