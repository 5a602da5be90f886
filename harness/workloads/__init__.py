"""Workloads: inputs, labels and preprocessing, and the source model's outputs for them."""
