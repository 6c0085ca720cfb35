"""What an export assumed, what looks wrong in it, and what to do about that."""
