"""Which sample when, batches, the loop, and what it keeps and tells."""
