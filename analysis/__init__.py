"""Scaling-consistency statistics and reports from a score table; no GPU, torch or Ray needed.

The way through: `options` say how to read a table, `reading` reads the file, `table` validates it,
`consistency` holds the statistics, `compare`, `axes` and `verdict` apply them to the table,
`figures` and `page` show them, `report` writes the result. Importing this package loads none of
them, so that a command line can offer the report without paying for pandas and matplotlib.
"""
