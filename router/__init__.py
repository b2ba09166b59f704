"""First floor: makes the calls that were decided, and serves them."""
