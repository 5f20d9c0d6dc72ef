"""The video LMM: sampling, decoding, encoders, connector, language model, training, evaluation.

Importing this package loads no engine: torch and transformers come with the modules that use them.
It makes transformers know the type of exported models, as soon as that is loaded too.
"""

from apollo_core.exported.announcing import announce

announce()
