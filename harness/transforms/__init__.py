"""Functions from a model's bytes to a model's bytes."""
