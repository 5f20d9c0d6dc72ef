"""Finished stages to and from an object store: `apollo push` and `apollo pull`."""
