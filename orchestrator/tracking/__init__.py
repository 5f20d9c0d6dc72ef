"""The view in MLflow, rebuilt from the store at will."""
