"""From any file of scores to one validated table, and the table of answers behind it."""
