"""What staff see about people and do for them."""
