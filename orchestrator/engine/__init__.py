"""Which stage comes next, where it runs, and what becomes of it."""
