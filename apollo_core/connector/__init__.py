"""Everything between the vision encoders and the language model."""
