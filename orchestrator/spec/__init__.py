"""A sweep file: read behind a guard, typed, checked; every error with its line."""
