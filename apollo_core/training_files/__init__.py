"""Training data as people have it: JSON lines, JSON lists, Parquet, shards of tar."""
