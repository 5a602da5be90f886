"""What is kept of runs: their folders, the index over them, and the baselines that releases are gated on."""

from harness.store.group_folder import GroupFolder, latest_incomplete_run, open_run
from harness.store.run_folder import (
    RunFolder,
    Schedule,
    Skipped,
    find_run,
    list_runs,
    new_run_id,
    read_report,
)

__all__ = [
    "GroupFolder",
    "RunFolder",
    "Schedule",
    "Skipped",
    "find_run",
    "latest_incomplete_run",
    "list_runs",
    "new_run_id",
    "open_run",
    "read_report",
]
