"""From finished stages to the score table and the report."""
