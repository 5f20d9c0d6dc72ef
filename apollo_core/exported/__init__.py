"""A trained variant as a Hugging Face folder: written, and loaded by transformers' auto classes."""
