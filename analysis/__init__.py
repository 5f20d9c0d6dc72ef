"""Scaling-consistency statistics and reports from a score table; no GPU, torch or Ray needed.

The way through: `table` reads and validates the scores and answers, `statistics` holds the pure
functions, `findings` applies them and judges, `figures` and `page` show what was found, `report`
writes it. Importing this package loads none of them, so that a command line can offer the report
without paying for pandas and matplotlib.
"""
