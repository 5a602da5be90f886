"""Where a runner runs. Every target passes the same contract suite (tests/contract/test_targets.py)."""
