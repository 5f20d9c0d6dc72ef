"""Answers to questions: by likelihood, or written greedily and read strictly."""
