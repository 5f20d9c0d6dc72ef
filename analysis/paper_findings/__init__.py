"""What the Apollo paper found, beside what another study shows: `python -m` writes a page."""
