"""Scaling-consistency statistics and reports from a score table; no GPU, torch or Ray needed.

The way through: `options` say how to read a table, `reading` reads the file, `table` validates it;
`consistency`, `agreement`, `effects`, `interaction` and the like hold the statistics; `compare`,
`axes`, `axis_effects`, `across_scales` and `study_planning` apply them to the table, `verdict`
judges, `findings` gathers it all; `figures` and `page` show it, `report` writes the result.
Importing this package loads none of them, so that a command line can offer the report without
paying for pandas and matplotlib.
"""
