"""What frozen encoders make of media: computed once, kept in shards, read by every stage."""
