"""Pure functions of arrays: formula, source, units and errors in each docstring."""
