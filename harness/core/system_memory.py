"""A process's memory as the phone's system counted it, beside what the runner said of itself."""

from __future__ import annotations

from harness.core.jobs import Count, PositiveCount
from harness.core.value import Value


class SystemMemory(Value):
    """``jobs/ID/system_memory.json``: the footprint of the runner's process, sampled from outside over all attempts."""

    interval_ms: PositiveCount
    footprint_bytes: tuple[Count, ...]

    @property
    def peak_bytes(self) -> int | None:
        return max(self.footprint_bytes, default=None)
