"""How fast the harness is: ratios of two things measured side by side in one run, and a few times for information.

``python -m benchmarks`` runs all; docs/performance.md keeps the last result.
"""
