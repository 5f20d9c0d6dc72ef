"""Benchmarks as subjects: what they measure, what they share, which of their items to keep."""
