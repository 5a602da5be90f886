"""Orchestration: prepare what a run needs, measure it on a target, evaluate what was stored.

The only caller of the adapters (models, variants, workloads, targets) and of the store; it writes down after
every step, so that a run can be resumed.
"""
