"""From a sweep to designs, variants and the graph of stages with their keys."""
