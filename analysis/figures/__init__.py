"""Findings drawn: one figure a file, in one style, as PNG and SVG."""
