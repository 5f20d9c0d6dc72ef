"""The video LMM: sampling, decoding, encoders, connector, language model, training, evaluation.

Importing this package loads no engine: torch and transformers come with the modules that use them.
"""
