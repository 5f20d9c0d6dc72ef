"""Media files to clips: what manifests name, decoded in a process that a deadline can end."""
