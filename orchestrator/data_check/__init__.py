"""What `apollo check-data` finds out about data, and how it tells."""
