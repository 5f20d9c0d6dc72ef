"""Finished stages by key, who is at which one, and what is known of the rest."""
