"""Models of others, as transformers loads them, asked what ours are asked."""
