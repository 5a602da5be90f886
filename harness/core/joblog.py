"""The events of one job, and what can be read from them. All attempts count together."""

from __future__ import annotations

from harness.core.events import Event
from harness.core.jobs import Count, JobId, PositiveCount
from harness.core.value import Value


class JobLog(Value):
    """The whole event log of a job, every attempt in the order it was written.

    ``round_index`` is the round of the interleaved run that the job belongs to; ``first_input`` and
    ``input_count`` are its shard of the workload.
    """

    job_id: JobId
    variant: str
    round_index: Count
    first_input: Count
    input_count: PositiveCount
    events: tuple[Event, ...]
